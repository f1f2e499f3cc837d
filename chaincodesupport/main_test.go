package chaincodesupport_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		playChaincode()
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

type (
	stub = shim.ChaincodeStubInterface
	msg  = pb.ChaincodeMessage
)

// function is a chaincode whose Init and Invoke are one function.
type function func(stub) *shim.Response

func (f function) Init(s stub) *shim.Response   { return f(s) }
func (f function) Invoke(s stub) *shim.Response { return f(s) }

// runFunc is a runtime that is a function.
type runFunc func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error

func (f runFunc) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	return f(ctx, chaincodeID, handle)
}

// always is Runtimes with one runtime for every chaincode.
func always(rt runtime.Runtime) chaincodesupport.Runtimes { return chaincodesupport.OneRuntime(rt) }

// inProcess runs chaincodes in process, by their IDs.
func inProcess(t testing.TB, chaincodes map[string]function) chaincodesupport.Runtimes {
	t.Helper()
	rt := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
		return shim.StartInProc(id, s, chaincodes[id])
	})
	return choose(func(id string) runtime.Runtime {
		if chaincodes[id] == nil {
			return nil
		}
		return rt
	})
}

// choose is Runtimes made of a function that returns nil for a chaincode that isn't run.
func choose(f func(chaincodeID string) runtime.Runtime) chaincodesupport.Runtimes {
	return chaincodesupport.RuntimesFunc(func(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
		if rt := f(chaincodeID); rt != nil {
			return rt, nil
		}
		return nil, chaincodesupport.ErrNoRuntime
	})
}

// ask is what choose was given, of any Runtimes.
func ask(all chaincodesupport.Runtimes, chaincodeID string) runtime.Runtime {
	rt, err := all.Runtime(context.Background(), chaincodeID)
	if err != nil {
		return nil
	}
	return rt
}

// scripted runs a chaincode that registers in good order and answers INIT and TRANSACTION with what answer returns,
// or with nothing if that is nil.
func scripted(t testing.TB, answer func(*msg) *msg) runtime.Runtime {
	t.Helper()
	return inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
		if err := s.Send(registration(id)); err != nil {
			return err
		}
		for {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if m.Type != pb.ChaincodeMessage_INIT && m.Type != pb.ChaincodeMessage_TRANSACTION {
				continue
			}
			if a := answer(m); a != nil {
				a.Txid, a.ChannelId = m.Txid, m.ChannelId
				if err := s.Send(a); err != nil {
					return err
				}
			}
		}
	})
}

// silent never answers a transaction.
func silent(*msg) *msg { return nil }

// succeed answers every transaction with status 200.
func succeed(*msg) *msg { return completed(&pb.Response{Status: shim.OK}) }

func completed(r *pb.Response) *msg {
	return &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(r)}
}

func registration(chaincodeID string) *msg {
	return &msg{Type: pb.ChaincodeMessage_REGISTER, Payload: marshal(&pb.ChaincodeID{Name: chaincodeID})}
}

// marshal serializes what tests have made themselves, and is therefore valid.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}

// newSupport returns a ChaincodeSupport that is closed at the test's end, when nothing may be left of it.
func newSupport(t testing.TB, cfg chaincodesupport.Config) *chaincodesupport.ChaincodeSupport {
	t.Helper()
	cs, err := chaincodesupport.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cs.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return cs
}

// params are those of a transaction on channel "ch", without a simulation.
func params(txID string) handler.TxParams { return handler.TxParams{ChannelID: "ch", TxID: txID} }

func input(args ...string) chaincodesupport.Input {
	var in chaincodesupport.Input
	for _, a := range args {
		in.Args = append(in.Args, []byte(a))
	}
	return in
}

// connection is the chaincode's end of a stream to the peer.
type connection struct {
	*pipe.Chaincode
	t     testing.TB
	ended chan error // what Register returned
}

// dialled is the peer's end, as gRPC's server would make it.
type dialled struct {
	grpc.ServerStream
	pb.Stream
	ctx context.Context
}

func (d dialled) Context() context.Context { return d.ctx }

// connect plays a chaincode that dials the peer.
func connect(t testing.TB, cs *chaincodesupport.ChaincodeSupport) *connection {
	return connectOver(t, cs, func(s pb.Stream) pb.Stream { return s })
}

// connectOver is connect with a stream that over makes of the peer's end.
func connectOver(t testing.TB, cs *chaincodesupport.ChaincodeSupport, over func(pb.Stream) pb.Stream) *connection {
	p, c := pipe.New()
	conn := &connection{Chaincode: c, t: t, ended: make(chan error, 1)}
	go func() {
		err := cs.Register(dialled{Stream: over(p), ctx: cs.Served(t.Context())})
		p.End(err)
		conn.ended <- err
	}()
	return conn
}

// register sends REGISTER, and returns the connection.
func (c *connection) register(chaincodeID string) *connection {
	c.t.Helper()
	if err := c.Send(registration(chaincodeID)); err != nil {
		c.t.Fatalf("send REGISTER: %v", err)
	}
	return c
}

// expect receives a message, which must be of type typ.
func (c *connection) expect(typ pb.ChaincodeMessage_Type) *msg {
	c.t.Helper()
	m, err := c.Recv()
	if err != nil {
		c.t.Fatalf("expect %s: %v", typ, err)
	}
	if m.Type != typ {
		c.t.Fatalf("expect %s: got %s %q", typ, m.Type, m.Payload)
	}
	return m
}

// ready registers as asset:1 in good order.
func (c *connection) ready() *connection {
	c.t.Helper()
	c.register("asset:1")
	c.expect(pb.ChaincodeMessage_REGISTERED)
	c.expect(pb.ChaincodeMessage_READY)
	return c
}

// answer answers the next transaction with status 200.
func (c *connection) answer() {
	c.t.Helper()
	in := c.expect(pb.ChaincodeMessage_TRANSACTION)
	out := succeed(in)
	out.Txid, out.ChannelId = in.Txid, in.ChannelId
	if err := c.Send(out); err != nil {
		c.t.Fatalf("send %s: %v", out.Type, err)
	}
}

// untilError receives until the stream has ended.
func untilError(s pb.Stream) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

// tells is an observer that tells of messages of one type.
type tells struct {
	typ  pb.ChaincodeMessage_Type
	seen chan<- struct{}
}

func (o tells) Message(_ string, _ handler.Direction, m *msg) {
	if m.Type == o.typ {
		select {
		case o.seen <- struct{}{}:
		default:
		}
	}
}
