package chaincodesupport_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

var errExit = errors.New("container exited with 2: panic: no contract (main.go:16)")

// ending is a chaincode that ends its stream by end when it gets a transaction. Its runtime tells how it exited, after a while.
func ending(end func(*pipe.Chaincode), after time.Duration, exit error) runtime.Runtime {
	return runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
		p, c := pipe.New()
		defer p.End(nil)
		go func() {
			_ = c.Send(registration(id))
			for {
				if m, err := c.Recv(); err != nil {
					return
				} else if m.Type == pb.ChaincodeMessage_TRANSACTION {
					end(c)
				}
			}
		}()
		_ = handle(ctx, p)
		<-time.After(after)
		return exit
	})
}

func breaks(c *pipe.Chaincode) { c.Abort(status.Error(codes.Canceled, "context canceled")) }

// F27, F38: a caller whose chaincode ends in its transaction is told why. It waits a moment for that, but never for long, and
// not at all if the stream itself tells.
func TestWhyTerminated(t *testing.T) {
	const bare = "failed to execute transaction t: error sending: chaincode stream terminated"
	tooLarge := status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 8)")
	const reason = ": receive from chaincode support stream failed: rpc error: code = ResourceExhausted desc = grpc: received message larger than max (9 vs. 8)"
	for name, test := range map[string]struct {
		end      func(*pipe.Chaincode)
		after    time.Duration // until the exit is known
		exit     error
		deadline time.Duration
		want     string
		took     time.Duration
		last     string // error in List
	}{
		"crash":             {breaks, 5 * time.Millisecond, errExit, time.Minute, bare + ": " + errExit.Error(), 5 * time.Millisecond, errExit.Error()},
		"end":               {func(c *pipe.Chaincode) { _ = c.CloseSend() }, 0, errExit, time.Minute, bare + ": " + errExit.Error(), 0, errExit.Error()},
		"exits late":        {breaks, time.Hour, errExit, time.Minute, bare, 500 * time.Millisecond, errExit.Error()},
		"hasty caller":      {breaks, time.Hour, errExit, 100 * time.Millisecond, bare, 100 * time.Millisecond, errExit.Error()},
		"exits in order":    {breaks, 5 * time.Millisecond, nil, time.Minute, bare, 5 * time.Millisecond, "chaincode stream terminated: receive from chaincode support stream failed: rpc error: code = Canceled desc = context canceled"},
		"end in process":    {func(c *pipe.Chaincode) { c.Abort(context.Canceled) }, 0, errExit, time.Minute, bare + ": " + errExit.Error(), 0, errExit.Error()},
		"message too large": {func(c *pipe.Chaincode) { c.Abort(tooLarge) }, time.Hour, errors.New("container exited with 0"), time.Minute, bare + reason, 0, "chaincode stream terminated" + reason + "; container exited with 0"},
		"protocol error, and the runtime has no more to say": {func(c *pipe.Chaincode) { _ = c.Send(registration("asset:1")) }, time.Minute, nil, time.Minute,
			bare + ": error handling message, ending stream: [] Fabric side handler cannot handle message (REGISTER) while in ready state", 0,
			"chaincode stream terminated: error handling message, ending stream: [] Fabric side handler cannot handle message (REGISTER) while in ready state"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(ending(test.end, test.after, test.exit))})
				if err := cs.Launch(t.Context(), "asset:1"); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				began := time.Now()
				_, err := cs.ExecuteID(ctx, "asset:1", params("t"), input())
				wantError(t, err, test.want)
				if took := time.Since(began); took != test.took || !errors.Is(err, handler.ErrStreamTerminated) {
					t.Errorf("took %s, want %s; %v", took, test.took, err)
				}
				var typed *chaincodesupport.TerminatedError
				if known := test.want != bare; errors.As(err, &typed) != known || known && typed.ChaincodeID != "asset:1" {
					t.Errorf("error is %#v", err)
				}
				<-time.After(2 * time.Hour)
				wantStates(t, cs, "asset:1 stopped: "+test.last)
			})
		})
	}
}

// A chaincode that somebody stops has no reason of its own, and nobody waits for one.
func TestStoppedIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(ending(func(*pipe.Chaincode) {}, time.Hour, errExit))})
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Fatal(err)
		}
		executed := make(chan error, 1)
		go func() {
			_, err := cs.ExecuteID(t.Context(), "asset:1", params("t"), input())
			executed <- err
		}()
		synctest.Wait()
		began := time.Now()
		stopping, cancel := context.WithCancel(t.Context())
		cancel()
		_ = cs.Stop(stopping, "asset:1")
		wantError(t, <-executed, "failed to execute transaction t: error sending: chaincode stream terminated")
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s", took)
		}
		<-time.After(2 * time.Hour)
	})
}

// F96: a chaincode of Fabric 1.0 names no channel. Its transaction ends at once, with an error that says what to do.
func TestChaincodeOfFabric10(t *testing.T) {
	for name, m := range map[string]*msg{
		"answer":  {Type: pb.ChaincodeMessage_COMPLETED, Txid: "t"},
		"failure": {Type: pb.ChaincodeMessage_ERROR, Txid: "t"},
		"request": {Type: pb.ChaincodeMessage_GET_STATE, Txid: "t", Payload: []byte("k")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{DevMode: true})
				c := connect(t, cs).ready()
				synctest.Wait()
				errs := executeAll(t, cs, 1)
				txID := c.expect(pb.ChaincodeMessage_TRANSACTION).Txid
				began := time.Now()
				if err := c.Send(&msg{Type: m.Type, Txid: txID, Payload: m.Payload}); err != nil {
					t.Fatal(err)
				}
				wantError(t, <-errs, "failed to execute transaction "+txID+": error sending: chaincode stream terminated: ["+txID+"] "+m.Type.String()+
					" has no channel ID, as from a shim of Fabric 1.0: build the chaincode with a shim of 1.1 or later, ending chaincode support stream")
				if took := time.Since(began); took != 0 {
					t.Errorf("took %s", took)
				}
				wantStatus(t, <-c.ended, codes.FailedPrecondition, "has no channel ID")
			})
		})
	}
}

// Without a transaction of that ID on any channel, such a message is nothing but late.
func TestLateWithoutChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		c := connect(t, cs).ready()
		synctest.Wait()
		errs := executeAll(t, cs, 1)
		in := c.expect(pb.ChaincodeMessage_TRANSACTION)
		if err := c.Send(&msg{Type: pb.ChaincodeMessage_COMPLETED, Txid: "none"}); err != nil {
			t.Fatal(err)
		}
		out := succeed(in)
		out.Txid, out.ChannelId = in.Txid, in.ChannelId
		if err := c.Send(out); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}

// slowToTell is a stream that tells why it has ended a while after its context has ended, as gRPC's does.
type slowToTell struct {
	pb.Stream
	end   context.CancelFunc
	after time.Duration
}

func (s slowToTell) Recv() (*msg, error) {
	m, err := s.Stream.Recv()
	if err != nil {
		s.end()
		<-time.After(s.after)
	}
	return m, err
}

// gRPC ends a stream's context first, and tells why only then. The reason isn't lost.
func TestReasonComesAfterTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		p, c := pipe.New()
		ctx, cancel := context.WithCancel(cs.Served(t.Context()))
		conn := &connection{Chaincode: c, t: t, ended: make(chan error, 1)}
		go func() {
			err := cs.Register(dialled{Stream: slowToTell{p, cancel, 100 * time.Millisecond}, ctx: ctx})
			p.End(err)
			conn.ended <- err
		}()
		conn.ready()
		synctest.Wait()
		c.Abort(status.Error(codes.ResourceExhausted, "message too large"))
		if err := <-conn.ended; err == nil || !strings.Contains(err.Error(), "message too large") {
			t.Errorf("the stream ended with %v", err)
		}
	})
}
