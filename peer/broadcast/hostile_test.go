package broadcast_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ccpeer/ccpeer/peer/broadcast"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F191: TestNeverReads has a client send for ever, and read no answer. There is a bound to what is ordered for it.
func TestNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ordered := 0
		cc := served(t, service(func(context.Context, []byte) error { ordered++; return nil }))
		ctx, cancel := context.WithCancel(t.Context())
		c := open(ctx, t, cc)
		e := envelope(t, "mychannel", "1")
		ended := make(chan error, 1)
		go func() {
			for {
				if err := c.Send(e); err != nil {
					ended <- err
					return
				}
			}
		}()
		synctest.Wait() // until nothing moves any more
		if ordered == 0 || ordered > 100_000 {
			t.Errorf("%d envelopes were ordered", ordered)
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("envelopes are sent after the end")
		}
	})
}

// F197: TestNoRoom has a client send to an orderer whose blocks nobody takes. It waits, and nothing is left of it when it goes. A client of
// another channel doesn't wait.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, err := ordering.New(ordering.Config{MaxWaitingBytes: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		for _, id := range []string{"mychannel", "other"} {
			if err := o.AddChannel(ordering.Channel{ID: id, Batch: ordering.Batch{AbsoluteMaxBytes: 1000}}); err != nil {
				t.Fatal(err)
			}
		}
		cc := served(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		full := open(ctx, t, cc)
		answers := make(chan int, 1)
		go func() {
			n := 0
			for {
				if _, err := full.Recv(); err != nil {
					answers <- n
					return
				}
				n++
			}
		}()
		sent := make(chan error, 1)
		go func() {
			e := envelope(t, "mychannel", string(make([]byte, 800)))
			for {
				if err := full.Send(e); err != nil {
					sent <- err
					return
				}
			}
		}()
		synctest.Wait()
		c := open(t.Context(), t, cc)
		if err := c.Send(envelope(t, "other", "1")); err != nil {
			t.Fatal(err)
		}
		if a, err := c.Recv(); err != nil || a.GetStatus() != pb.Status_SUCCESS {
			t.Errorf("another channel's client gets %v, %v", a, err)
		}
		if err := c.CloseSend(); err != nil {
			t.Error(err)
		}
		if _, err := c.Recv(); err != io.EOF {
			t.Error(err)
		}
		cancel()
		if n := <-answers; n == 0 || n > 11 {
			t.Errorf("%d envelopes were ordered", n)
		}
		if err := <-sent; err == nil {
			t.Error("envelopes are sent after the end")
		}
	})
}

// F193: TestHugeEnvelopes refuses what is larger than a block, and what is larger than gRPC takes.
func TestHugeEnvelopes(t *testing.T) {
	cc := served(t, newOrderer(t))
	padded := envelope(t, "mychannel", "1")
	padded.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), make([]byte, 1<<20)))
	for name, tc := range map[string]struct {
		envelope *pb.Envelope
		want     pb.Status
		code     codes.Code
	}{
		"large":                  {envelope(t, "mychannel", string(make([]byte, 1<<20))), pb.Status_BAD_REQUEST, codes.OK},
		"larger than gRPC takes": {envelope(t, "mychannel", string(make([]byte, 5<<20))), 0, codes.ResourceExhausted},
		"fields nobody knows":    {padded, pb.Status_BAD_REQUEST, codes.OK},
	} {
		c := open(t.Context(), t, cc)
		if err := c.Send(tc.envelope); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if a, err := c.Recv(); status.Code(err) != tc.code || a.GetStatus() != tc.want {
			t.Errorf("%s: got %v, %v", name, a, err)
		}
	}
}

// F192: TestEnds ends a client's half, and the client, before and between envelopes.
func TestEnds(t *testing.T) {
	for point := range 3 {
		for _, gone := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				b, err := broadcast.New(broadcast.Config{Service: service(func(context.Context, []byte) error { return nil })})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := &played{ctx: ctx, in: make(chan *pb.Envelope), out: make(chan *pb.BroadcastResponse)}
				ended := make(chan error, 1)
				go func() { ended <- b.Broadcast(p) }()
				for range point {
					p.in <- envelope(t, "mychannel", "1")
					if a := <-p.out; a.GetStatus() != pb.Status_SUCCESS {
						t.Error(a)
					}
				}
				synctest.Wait()
				if gone {
					cancel()
				} else {
					close(p.in)
				}
				if err := <-ended; gone != errors.Is(err, context.Canceled) || !gone && err != nil {
					t.Errorf("point %d, gone %t: the stream ends with %v", point, gone, err)
				}
			})
		}
	}
}
