package deliver_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// F190: TestNeverRead has clients that read nothing. Others get their blocks, and nothing piles up for them.
func TestNeverRead(t *testing.T) {
	const silent, blocks = 30, 150
	for name, tc := range map[string]struct {
		opts []grpc.ServerOption
		most int64
	}{
		"own":    {nil, 200 << 20}, // gRPC takes a buffer of 1 MiB for each of these blocks
		"shared": {[]grpc.ServerOption{deliver.ServerOption()}, 30 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1)
			f.channel.CacheBytes = 1 << 20
			for range blocks {
				f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, make([]byte, 100<<10)))
			}
			cc := serve(t, f.Server, tc.opts...)
			s := seek(t, &pb.SeekInfo{Start: oldest, Stop: at(blocks)})
			before := used()
			methods := []string{pbgrpc.Deliver_Deliver_FullMethodName, pbgrpc.Deliver_DeliverWithPrivateData_FullMethodName, pbgrpc.AtomicBroadcast_Deliver_FullMethodName}
			for i := range silent {
				stream, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), cc, methods[i%3])
				if err == nil {
					err = stream.Send(s)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			good, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), cc, methods[0])
			if err == nil {
				err = good.Send(s)
			}
			if err != nil {
				t.Fatal(err)
			}
			for n := range blocks + 2 {
				r, err := good.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if n <= blocks && r.GetBlock().GetHeader().GetNumber() != uint64(n) || n > blocks && r.GetStatus() != pb.Status_SUCCESS {
					t.Fatalf("got %v", r)
				}
			}
			// All blocks for all of them would be 450 MB.
			grown := used() - before
			t.Logf("%d bytes are held for clients that don't read", grown)
			if grown > tc.most {
				t.Errorf("want no more than %d", tc.most)
			}
		})
	}
}

// TestManySeeks sends very many seeks without reading. The server takes no more of them than it can answer, and then answers all, in
// their order.
func TestManySeeks(t *testing.T) {
	const seeks = 5_000
	f := newFixture(t, 3)
	cc := serve(t, f.Server)
	stream, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), cc, pbgrpc.Deliver_Deliver_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	all := []*pb.Envelope{}
	for i := range uint64(3) {
		all = append(all, seek(t, &pb.SeekInfo{Start: at(i), Stop: at(i)}))
	}
	sent := make(chan error, 1)
	go func() {
		for i := range seeks {
			if err := stream.Send(all[i%3]); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for i := range seeks {
		for _, want := range []int{i % 3, -200} {
			r, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if got := numbers([]*pb.DeliverResponse{r}); got[0] != want {
				t.Fatalf("seek %d: got %v, want %d", i, got, want)
			}
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// F191: TestManySeeksUnread ends when its client does, which sends seeks for ever and reads nothing. Until then there is a bound to what the
// server takes of them.
func TestManySeeksUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 0)
		f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, make([]byte, 1000)))
		cc := serve(t, f.Server)
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, cc, pbgrpc.Deliver_Deliver_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		s := seek(t, &pb.SeekInfo{Start: oldest, Stop: oldest})
		ended := make(chan error, 1)
		go func() {
			for {
				if err := stream.Send(s); err != nil {
					ended <- err
					return
				}
			}
		}()
		synctest.Wait() // until nothing moves any more
		if n := len(f.asked); n == 0 || n > 1000 {
			t.Errorf("%d seeks were looked at", n)
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("seeks are sent after the end")
		}
	})
}

// F192: TestHalfClose ends the client's half at each point of a conversation.
func TestHalfClose(t *testing.T) {
	endAtEachPoint(t, func(p *played, _ context.CancelFunc) { close(p.in) }, nil)
}

// TestGone has the client go at each point.
func TestGone(t *testing.T) {
	endAtEachPoint(t, func(_ *played, cancel context.CancelFunc) { cancel() }, context.Canceled)
}

func endAtEachPoint(t *testing.T, end func(*played, context.CancelFunc), want error) {
	for point := range 8 {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 3)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, ended := newPlayed(ctx), make(chan error, 1)
			step := 0
			next := func() { // is called between any two things that happen
				synctest.Wait()
				if step == point {
					end(p, cancel)
				}
				step++
				synctest.Wait()
			}
			go func() { ended <- f.Deliver(p) }()
			next() // 0: before the first envelope
			if point > 0 {
				p.in <- seek(t, &pb.SeekInfo{Start: at(1), Stop: at(4)})
			}
			next() // 1: nothing is read
			var got []*pb.DeliverResponse
			recv := func() {
				synctest.Wait()
				select {
				case r := <-p.out:
					got = append(got, r)
				default:
				}
			}
			for n := range 5 { // 2 and 3: the blocks that are there; 4 and 5: those that come; 6: the status
				if n >= 2 && n < 4 {
					f.chain.add(t)
				}
				recv()
				next()
			}
			next() // 7: the next envelope
			err := <-ended
			if want != nil {
				// Who is gone gets no more than it has read before.
				if point > 1 && len(got) != min(point-1, 5) || !errors.Is(err, want) {
					t.Errorf("point %d: got %v, %v", point, numbers(got), err)
				}
				return
			}
			if err != nil || point > 0 && !slices.Equal(numbers(got), []int{1, 2, 3, 4, -200}) || point == 0 && len(got) > 0 {
				t.Errorf("point %d: got %v, %v", point, numbers(got), err)
			}
			if _, _, known := f.channel.Kept(); point > 0 && known != 4 {
				t.Errorf("point %d: %d blocks are known", point, known)
			}
		})
	}
}

// F193: TestHugeEnvelopes refuses what no client needs, before anybody has to keep it.
func TestHugeEnvelopes(t *testing.T) {
	f := newFixture(t, 1)
	cc := serve(t, f.Server)
	good := seek(t, &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64)})
	padded := func(bytes int) *pb.Envelope {
		var p pb.Payload
		if err := proto.Unmarshal(good.GetPayload(), &p); err != nil {
			t.Fatal(err)
		}
		p.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), make([]byte, bytes)))
		return &pb.Envelope{Payload: marshal(t, &p), Signature: good.GetSignature()}
	}
	for name, tc := range map[string]struct {
		envelope *pb.Envelope
		want     pb.Status
		code     codes.Code
	}{
		"large":                  {padded(1 << 21), pb.Status_BAD_REQUEST, codes.OK},
		"a large signature":      {&pb.Envelope{Payload: good.GetPayload(), Signature: make([]byte, 256<<10)}, pb.Status_BAD_REQUEST, codes.OK},
		"a bit too large":        {padded(256 << 10), pb.Status_BAD_REQUEST, codes.OK},
		"larger than gRPC takes": {padded(5 << 20), 0, codes.ResourceExhausted},
	} {
		s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), cc, pbgrpc.Deliver_Deliver_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(tc.envelope); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if r, err := s.Recv(); status.Code(err) != tc.code || r.GetStatus() != tc.want {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
	if len(f.asked) > 0 {
		t.Error("the ACL was asked")
	}
}

// TestManyPlaces has clients read a channel at random places at the same time, with room for a few blocks only.
func TestManyPlaces(t *testing.T) {
	const clients, blocks, limit = 20, 40, 100 << 10
	f := newFixture(t, 0)
	f.channel.CacheBytes = limit
	for i := range blocks {
		f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, make([]byte, 1+i*200)))
	}
	f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, make([]byte, 2*limit))) // it alone is too large
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range 10 {
				from := rand.IntN(blocks + 1) //nolint:gosec // it is a test
				to := from + rand.IntN(blocks+1-from)
				m := []method{f.Deliver, f.DeliverFiltered, f.DeliverWithPrivateData}[rand.IntN(3)] //nolint:gosec // as above
				got, err := ask(t, m, seek(t, &pb.SeekInfo{Start: at(uint64(from)), Stop: at(uint64(to))}))
				if err != nil || len(got) != to-from+2 {
					t.Errorf("from %d to %d: got %v, %v", from, to, numbers(got), err)
					return
				}
				for i, r := range got[:len(got)-1] {
					if b := r.GetBlock(); numbers([]*pb.DeliverResponse{r})[0] != from+i || b != nil && !proto.Equal(b, f.chain.blocks[from+i]) {
						t.Errorf("block %d is %v", from+i, r)
					}
				}
			}
		})
	}
	all.Wait()
	none := newFixture(t, 3)
	none.channel.CacheBytes = -1
	if got, err := ask(t, none.Deliver, seek(t, &pb.SeekInfo{Start: oldest, Stop: newest})); err != nil || len(got) != 4 {
		t.Errorf("with no room: %v, %v", numbers(got), err)
	}
	if kept, bytes, known := none.channel.Kept(); kept != 0 || bytes != 0 || known != 0 {
		t.Errorf("with no room %d blocks are kept, with %d bytes, and %d known", kept, bytes, known)
	}
	if kept, bytes, known := f.channel.Kept(); kept == 0 || kept != known || bytes > limit {
		t.Errorf("%d blocks are kept, with %d bytes, and %d known", kept, bytes, known)
	}
}

// impatient is a context that ends when it was looked at so many times.
type impatient struct {
	context.Context
	looks  int
	cancel context.CancelFunc
}

// Err implements context.Context.
func (c *impatient) Err() error {
	if c.looks--; c.looks == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// F171: a transaction that a stranger has made has very many actions, or endorsements. Filtering it stops with its client, and the next
// client gets the block.
func TestManyParts(t *testing.T) {
	const parts = 200_000
	endorsement := []byte{0x12, 0} // of a ChaincodeEndorsedAction
	payload := marshal(t, &pb.ChaincodeActionPayload{Action: &pb.ChaincodeEndorsedAction{}})
	payload = protowire.AppendBytes(protowire.AppendTag(payload, 2, protowire.BytesType), bytes.Repeat(endorsement, parts))
	for name, data := range map[string][]byte{
		"actions":      bytes.Repeat([]byte{0x0a, 0}, parts),
		"endorsements": with(t, &pb.TransactionAction{Payload: payload}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0)
			f.chain.add(t, transaction(t, pb.HeaderType_ENDORSER_TRANSACTION, data))
			s := seek(t, &pb.SeekInfo{Start: oldest, Stop: oldest})
			ctx, cancel := context.WithCancel(t.Context())
			p := newPlayed(&impatient{ctx, 4, cancel})
			p.in <- s
			if err := f.DeliverFiltered(p); !errors.Is(err, context.Canceled) {
				t.Errorf("the stream ends with %v", err)
			}
			got, err := ask(t, f.DeliverFiltered, s)
			if err != nil || len(got) != 2 {
				t.Fatal(got, err)
			}
			if tx := got[0].GetFilteredBlock().GetFilteredTransactions()[0]; tx.GetTransactionActions() == nil || len(tx.GetTransactionActions().GetChaincodeActions()) != 0 {
				t.Errorf("got %v", tx)
			}
		})
	}
}
