package deliver_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chain is a ledger that is played by hand.
type chain struct {
	mu     sync.Mutex
	blocks []*pb.Block
	grown  chan struct{}
	reads  int   // of blocks
	err    error // of all calls
	ends   bool  // says that there won't be more blocks
}

func newChain(t testing.TB, blocks int) *chain {
	c := &chain{grown: make(chan struct{})}
	for range blocks {
		c.add(t, transaction(t, pb.HeaderType_MESSAGE, nil))
	}
	return c
}

func (c *chain) add(t testing.TB, envelopes ...[]byte) *pb.Block {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var head *pb.BlockHeader
	if len(c.blocks) > 0 {
		head = c.blocks[len(c.blocks)-1].GetHeader()
	}
	b, err := block.New(uint64(len(c.blocks)), head, envelopes)
	if err != nil {
		t.Fatal(err)
	}
	b.Metadata.Metadata[pb.BlockMetadataIndex_TRANSACTIONS_FILTER] = make([]byte, len(envelopes))
	c.blocks = append(c.blocks, b)
	close(c.grown)
	c.grown = make(chan struct{})
	return b
}

func (c *chain) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Height implements deliver.Ledger.
func (c *chain) Height(context.Context) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.blocks)), c.err
}

// Block implements deliver.Ledger.
func (c *chain) Block(ctx context.Context, number uint64) (*pb.Block, error) {
	for {
		c.mu.Lock()
		grown, err := c.grown, c.err
		if err == nil && number < uint64(len(c.blocks)) {
			defer c.mu.Unlock()
			c.reads++
			return c.blocks[number], nil
		}
		if err == nil && c.ends {
			err = errors.New("the chain has ended")
		}
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fixture is a Server with one channel.
type fixture struct {
	*deliver.Server
	chain   *chain
	channel *deliver.Channel
	acl     func(acl.Request) error
	asked   []acl.Request
}

func newFixture(t testing.TB, blocks int, change ...func(*deliver.Config, *fixture)) *fixture {
	t.Helper()
	f := &fixture{chain: newChain(t, blocks)}
	f.channel = &deliver.Channel{Ledger: f.chain}
	var mu sync.Mutex
	cfg := deliver.Config{
		Channel: func(id string) *deliver.Channel {
			if id == "mychannel" {
				return f.channel
			}
			return nil
		},
		ACL: acl.CheckerFunc(func(_ context.Context, r acl.Request) error {
			mu.Lock()
			defer mu.Unlock()
			f.asked = append(f.asked, r)
			if f.acl == nil {
				return nil
			}
			return f.acl(r)
		}),
	}
	for _, c := range change {
		c(&cfg, f)
	}
	var err error
	if f.Server, err = deliver.New(cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

// request is what an envelope is made of.
type request struct {
	channel  string
	at       *timestamppb.Timestamp
	tlsHash  []byte
	creator  []byte
	nonce    []byte
	seek     *pb.SeekInfo
	seekData []byte
}

func (r request) envelope(t testing.TB) *pb.Envelope {
	t.Helper()
	if r.seek != nil {
		r.seekData = marshal(t, r.seek)
	}
	return &pb.Envelope{Signature: []byte("signature"), Payload: marshal(t, &pb.Payload{
		Header: &pb.Header{
			ChannelHeader: marshal(t, &pb.ChannelHeader{
				Type: int32(pb.HeaderType_DELIVER_SEEK_INFO), ChannelId: r.channel, Timestamp: r.at, TlsCertHash: r.tlsHash,
			}),
			SignatureHeader: marshal(t, &pb.SignatureHeader{Creator: r.creator, Nonce: r.nonce}),
		},
		Data: r.seekData,
	})}
}

// seek is an envelope as a good client sends it.
func seek(t testing.TB, s *pb.SeekInfo) *pb.Envelope {
	t.Helper()
	return request{channel: "mychannel", at: timestamppb.Now(), creator: []byte("alice"), seek: s}.envelope(t)
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// transaction is an envelope of a type.
func transaction(t testing.TB, typ pb.HeaderType, data []byte) []byte {
	t.Helper()
	return marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{
		Header: &pb.Header{ChannelHeader: marshal(t, &pb.ChannelHeader{Type: int32(typ), ChannelId: "mychannel", TxId: "tx"})},
		Data:   data,
	})})
}

var (
	oldest     = &pb.SeekPosition{Type: &pb.SeekPosition_Oldest{Oldest: &pb.SeekOldest{}}}
	newest     = &pb.SeekPosition{Type: &pb.SeekPosition_Newest{Newest: &pb.SeekNewest{}}}
	nextCommit = &pb.SeekPosition{Type: &pb.SeekPosition_NextCommit{NextCommit: &pb.SeekNextCommit{}}}
)

func at(n uint64) *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: n}}}
}

// played is a stream that is played by hand: gRPC without gRPC. Send hands over to whoever receives from out.
type played struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *pb.Envelope
	out chan *pb.DeliverResponse
}

func newPlayed(ctx context.Context) *played {
	return &played{ctx: ctx, in: make(chan *pb.Envelope, 10), out: make(chan *pb.DeliverResponse)}
}

// Context implements grpc.ServerStream.
func (p *played) Context() context.Context { return p.ctx }

// Recv implements pbgrpc.Deliver_DeliverServer.
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

// Send implements pbgrpc.Deliver_DeliverServer.
func (p *played) Send(m *pb.DeliverResponse) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	got := new(pb.DeliverResponse)
	if err := proto.Unmarshal(b, got); err != nil {
		return err
	}
	select {
	case p.out <- got:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

type method = func(pbgrpc.Deliver_DeliverServer) error

// ask plays a client that sends envelopes, ends its half, and reads until the stream ends.
func ask(t testing.TB, m method, envelopes ...*pb.Envelope) ([]*pb.DeliverResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := newPlayed(ctx)
	end := make(chan error, 1)
	go func() { end <- m(p) }()
	for _, e := range envelopes {
		p.in <- e
	}
	close(p.in)
	var all []*pb.DeliverResponse
	for {
		select {
		case r := <-p.out:
			all = append(all, r)
		case err := <-end:
			return all, err
		}
	}
}

// numbers are those of the blocks in responses, and -1 times a status.
func numbers(all []*pb.DeliverResponse) []int {
	var ns []int
	for _, r := range all {
		switch r := r.GetType().(type) {
		case *pb.DeliverResponse_Status:
			ns = append(ns, -int(r.Status))
		case *pb.DeliverResponse_Block:
			ns = append(ns, int(r.Block.GetHeader().GetNumber()))
		case *pb.DeliverResponse_FilteredBlock:
			ns = append(ns, int(r.FilteredBlock.GetNumber()))
		case *pb.DeliverResponse_BlockAndPrivateData:
			ns = append(ns, int(r.BlockAndPrivateData.GetBlock().GetHeader().GetNumber()))
		}
	}
	return ns
}

// serve has gRPC serve s, and returns a connection to it.
func serve(t testing.TB, s *deliver.Server, opts ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer(opts...)
	pbgrpc.RegisterDeliverServer(server, s)
	pbgrpc.RegisterAtomicBroadcastServer(server, ordered{s})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with Stop
	}()
	cc, err := grpc.NewClient("passthrough:bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(1<<16), grpc.WithStaticConnWindowSize(1<<16), // or gRPC keeps more and more for clients that don't read
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

// ordered serves the orderer's Deliver.
type ordered struct{ *deliver.Server }

func (o ordered) Deliver(s pbgrpc.AtomicBroadcast_DeliverServer) error { return o.DeliverOrdered(s) }
func (o ordered) Broadcast(pbgrpc.AtomicBroadcast_BroadcastServer) error {
	return errors.New("not here")
}
