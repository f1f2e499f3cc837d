package broadcast_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/broadcast"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const unknownChannel = "channel creation request not allowed because the orderer system channel is not defined"

// service is an ordering service that is a function.
type service func(ctx context.Context, envelope []byte) error

// Broadcast implements broadcast.Service.
func (f service) Broadcast(ctx context.Context, envelope []byte) error { return f(ctx, envelope) }

// served serves b, and returns a connection to it.
func served(t testing.TB, s broadcast.Service) *grpc.ClientConn {
	t.Helper()
	b, err := broadcast.New(broadcast.Config{Service: s})
	if err != nil {
		t.Fatal(err)
	}
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	pbgrpc.RegisterAtomicBroadcastServer(server, only{b})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with Stop
	}()
	cc, err := grpc.NewClient("passthrough:bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cc.Close()
		server.Stop()
		<-done
	})
	return cc
}

// only is an ordering service that delivers nothing.
type only struct{ *broadcast.Server }

func (only) Deliver(pbgrpc.AtomicBroadcast_DeliverServer) error { return errors.New("not here") }

type client = grpc.BidiStreamingClient[pb.Envelope, pb.BroadcastResponse]

func open(ctx context.Context, t testing.TB, cc *grpc.ClientConn) client {
	t.Helper()
	c, err := pbgrpc.Open[pb.Envelope, pb.BroadcastResponse](ctx, cc, pbgrpc.AtomicBroadcast_Broadcast_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// envelope is one of a channel.
func envelope(t testing.TB, channel, data string) *pb.Envelope {
	t.Helper()
	header := &pb.Header{ChannelHeader: marshal(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: channel})}
	return &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: header, Data: []byte(data)})}
}

func newOrderer(t testing.TB) *ordering.Orderer {
	t.Helper()
	o, err := ordering.New(ordering.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	if err := o.AddChannel(ordering.Channel{ID: "mychannel", Batch: ordering.Batch{AbsoluteMaxBytes: 1000}}); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestAnswers has an orderer order and refuse. After a refusal the stream ends, whatever else was sent.
func TestAnswers(t *testing.T) {
	type answer struct {
		status pb.Status
		info   string
	}
	ok := answer{pb.Status_SUCCESS, ""}
	for name, tc := range map[string]struct {
		send []*pb.Envelope
		want []answer
	}{
		"good":             {[]*pb.Envelope{envelope(t, "mychannel", "1"), envelope(t, "mychannel", "2")}, []answer{ok, ok}},
		"nothing":          {nil, nil},
		"empty":            {[]*pb.Envelope{{}}, []answer{{pb.Status_BAD_REQUEST, "could not determine channel ID: header not set"}}},
		"no payload":       {[]*pb.Envelope{{Payload: []byte{0xff}}}, []answer{{pb.Status_BAD_REQUEST, "could not determine channel ID: error unmarshalling Payload: "}}},
		"unknown channel":  {[]*pb.Envelope{envelope(t, "other", "1")}, []answer{{pb.Status_BAD_REQUEST, unknownChannel}}},
		"good, bad, good":  {[]*pb.Envelope{envelope(t, "mychannel", "1"), envelope(t, "other", "2"), envelope(t, "mychannel", "3")}, []answer{ok, {pb.Status_BAD_REQUEST, unknownChannel}}},
		"too large":        {[]*pb.Envelope{envelope(t, "mychannel", strings.Repeat("x", 2000))}, []answer{{pb.Status_BAD_REQUEST, "message payload is 2020 bytes and exceeds maximum allowed 1000 bytes"}}},
		"larger than that": {[]*pb.Envelope{envelope(t, "mychannel", strings.Repeat("x", 3<<20))}, []answer{{pb.Status_BAD_REQUEST, "message payload is 3145750 bytes"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t.Context(), t, served(t, newOrderer(t)))
			for _, e := range tc.send {
				if err := c.Send(e); err != nil && err != io.EOF { // the stream may have ended
					t.Fatal(err)
				}
			}
			if err := c.CloseSend(); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				got, err := c.Recv()
				if err != nil || got.GetStatus() != want.status || !strings.HasPrefix(got.GetInfo(), want.info) || want.info == "" && got.GetInfo() != "" {
					t.Fatalf("got %v and %v, want %v", got, err, want)
				}
			}
			if got, err := c.Recv(); err != io.EOF {
				t.Errorf("got %v and %v, want the end", got, err)
			}
		})
	}
}

// TestErrors says what becomes of each error of a service.
func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want *pb.BroadcastResponse
	}{
		"refused":             {&ordering.Error{Status: ordering.Forbidden, Text: "permission denied"}, &pb.BroadcastResponse{Status: pb.Status_FORBIDDEN, Info: "permission denied"}},
		"refused, wrapped":    {errors.WithMessage(&ordering.Error{Status: ordering.NotFound, Text: "no"}, "x"), &pb.BroadcastResponse{Status: pb.Status_NOT_FOUND, Info: "no"}},
		"stopped":             {&ordering.Error{Status: ordering.ServiceUnavailable, Text: "chain is stopped"}, &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: "chain is stopped"}},
		"any other":           {errors.New("no leader"), &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: "no leader"}},
		"another's context":   {context.Canceled, &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: "context canceled"}},
		"not to be sent":      {errors.New("\xff"), &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: "\uFFFD"}},
		"far too long":        {errors.New(strings.Repeat("é", 1<<20)), &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: strings.Repeat("é", 32<<10)}},
		"a long text, logged": {errors.New(strings.Repeat("é", 1000)), &pb.BroadcastResponse{Status: pb.Status_SERVICE_UNAVAILABLE, Info: strings.Repeat("é", 1000)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t.Context(), t, served(t, service(func(context.Context, []byte) error { return tc.err })))
			if err := c.Send(envelope(t, "mychannel", "1")); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Recv(); err != nil || !proto.Equal(got, tc.want) {
				t.Errorf("got %v and %v, want %v", got, err, tc.want)
			}
			if _, err := c.Recv(); err != io.EOF {
				t.Errorf("the stream ends with %v", err)
			}
		})
	}
	if _, err := broadcast.New(broadcast.Config{}); err == nil {
		t.Error("a Server without a Service is made")
	}
}

// TestClientGoes ends a Broadcast that waits when its client goes.
func TestClientGoes(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	cc := served(t, service(func(ctx context.Context, _ []byte) error {
		close(entered)
		<-ctx.Done()
		left <- ctx.Err()
		return ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	c := open(ctx, t, cc)
	if err := c.Send(envelope(t, "mychannel", "1")); err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the service was told %v", err)
	}
	if _, err := c.Recv(); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}

// TestHalfClose answers what was sent before the client has ended its half.
func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cc := served(t, service(func(context.Context, []byte) error { <-release; return nil }))
		c := open(t.Context(), t, cc)
		for _, err := range []error{c.Send(envelope(t, "mychannel", "1")), c.Send(envelope(t, "mychannel", "2")), c.CloseSend()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		close(release)
		for range 2 {
			if got, err := c.Recv(); err != nil || got.GetStatus() != pb.Status_SUCCESS {
				t.Fatal(got, err)
			}
		}
		if _, err := c.Recv(); err != io.EOF {
			t.Error(err)
		}
	})
}

// TestOrder has many clients at once, whose envelopes each keep their order in blocks.
func TestOrder(t *testing.T) {
	const clients, each = 20, 50
	o := newOrderer(t)
	blocks, err := o.Deliver(t.Context(), "mychannel", 0)
	if err != nil {
		t.Fatal(err)
	}
	cc := served(t, o)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := open(t.Context(), t, cc)
			var answers sync.WaitGroup
			answers.Go(func() {
				for range each {
					if got, err := c.Recv(); err != nil || got.GetStatus() != pb.Status_SUCCESS {
						t.Error(got, err)
						return
					}
				}
			})
			for j := range each { // without waiting for answers
				if err := c.Send(envelope(t, "mychannel", fmt.Sprintf("%02d %02d", i, j))); err != nil {
					t.Error(err)
				}
			}
			answers.Wait()
		})
	}
	got := map[string][]string{}
	for n := 0; n < clients*each; {
		b, err := blocks.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range b.GetData().GetData() {
			var (
				e pb.Envelope
				p pb.Payload
			)
			if err := proto.Unmarshal(entry, &e); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(e.GetPayload(), &p); err != nil {
				t.Fatal(err)
			}
			who, what, _ := strings.Cut(string(p.GetData()), " ")
			got[who] = append(got[who], what)
			n++
		}
	}
	all.Wait()
	for who, what := range got {
		if len(what) != each || !slices.IsSorted(what) {
			t.Errorf("of client %s there is %v", who, what)
		}
	}
}

// FuzzEnvelope sends any bytes as an envelope. What is ordered is what was sent.
func FuzzEnvelope(f *testing.F) {
	f.Add(marshal(f, envelope(f, "mychannel", "1")))
	f.Add([]byte{0xff})
	var last []byte
	b, err := broadcast.New(broadcast.Config{Service: service(func(_ context.Context, envelope []byte) error {
		last = envelope
		return nil
	})})
	if err != nil {
		f.Fatal(err)
	}
	orderer, err := broadcast.New(broadcast.Config{Service: newOrderer(f)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		var e, got pb.Envelope
		if proto.Unmarshal(sent, &e) != nil {
			return // gRPC refuses it
		}
		if a, err := b.Process(t.Context(), &e); err != nil || a.GetStatus() != pb.Status_SUCCESS {
			t.Fatal(a, err)
		}
		if err := proto.Unmarshal(last, &got); err != nil || !proto.Equal(&e, &got) {
			t.Fatalf("got %v and %v, want %v", &got, err, &e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody reads what is ordered, so there may be no room
		if a, err := orderer.Process(ctx, &e); err == nil && a.GetStatus() == pb.Status_UNKNOWN {
			t.Fatal(a)
		}
	})
}

// played is a stream that is played by hand.
type played struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *pb.Envelope
	out chan *pb.BroadcastResponse
}

// Context implements grpc.ServerStream.
func (p *played) Context() context.Context { return p.ctx }

// Recv implements pbgrpc.AtomicBroadcast_BroadcastServer.
func (p *played) Recv() (*pb.Envelope, error) {
	select {
	case e, ok := <-p.in:
		if !ok {
			return nil, io.EOF
		}
		return e, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// Send implements pbgrpc.AtomicBroadcast_BroadcastServer.
func (p *played) Send(a *pb.BroadcastResponse) error {
	select {
	case p.out <- a:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}
