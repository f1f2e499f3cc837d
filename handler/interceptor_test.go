package handler_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// tell is an interceptor of requests that notes what it sees under a name.
func tell(lines *[]string, name string) handler.RequestInterceptor {
	return func(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
		began := time.Now()
		payload, err := next(ctx)
		x := r.Transaction
		*lines = append(*lines, fmt.Sprintf("%s %s of %s (%s) %s/%s depth %d: %d bytes, %v, %s",
			name, r.Type, x.Chaincode, x.ChaincodeID, x.ChannelID, x.TxID, x.Depth, len(payload), err, time.Since(began)))
		return payload, err
	}
}

// Interceptors see each request and its outcome, the first one outermost, and what is nested.
func TestRequestInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.memory[channel].put("cc", "k", "value")
		var lines []string
		p.cfg.Requests = []handler.RequestInterceptor{tell(&lines, "outer"), tell(&lines, "inner")}
		c := p.register("cc:1")
		b := p.register("b:1")
		b.serve(script(getState("x"), completed()))
		x := c.begin("tx1")
		for _, m := range []*pb.ChaincodeMessage{getState("k"), putState("", "v"), invoke("b")} {
			c.Deliver(in("tx1", m))
			c.Next()
		}
		c.finish(t, "tx1", x)
		c.stop()
		b.stop()
		p.check()
		want := []string{
			"inner GET_STATE of cc (cc:1) ch/tx1 depth 0: 5 bytes, <nil>, 0s",
			"outer GET_STATE of cc (cc:1) ch/tx1 depth 0: 5 bytes, <nil>, 0s",
			"inner PUT_STATE of cc (cc:1) ch/tx1 depth 0: 0 bytes, key must not be an empty string, 0s",
			"outer PUT_STATE of cc (cc:1) ch/tx1 depth 0: 0 bytes, key must not be an empty string, 0s",
			"inner GET_STATE of b (b:1) ch/tx1 depth 1: 0 bytes, <nil>, 0s",
			"outer GET_STATE of b (b:1) ch/tx1 depth 1: 0 bytes, <nil>, 0s",
			"inner INVOKE_CHAINCODE of cc (cc:1) ch/tx1 depth 0: 16 bytes, <nil>, 0s",
			"outer INVOKE_CHAINCODE of cc (cc:1) ch/tx1 depth 0: 16 bytes, <nil>, 0s",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got %q\nwant %q", lines, want)
		}
	})
}

// An interceptor may answer by itself, change an answer, and fail; a panic of it fails its transaction.
func TestRequestInterceptorAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.memory[channel].put("cc", "k", "value")
		p.cfg.Requests = []handler.RequestInterceptor{func(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
			req, ok := handler.NewPayload(r.Type).(*pb.GetState)
			if !ok {
				return next(ctx)
			}
			if err := proto.Unmarshal(r.Payload, req); err != nil {
				return nil, err
			}
			switch req.Key {
			case "own":
				return []byte("made up"), nil
			case "refused":
				return nil, errors.New("not today")
			case "panic":
				panic("secret")
			}
			payload, err := next(ctx)
			return append([]byte("the "), payload...), err
		}}
		c := p.register("cc:1")
		x := c.begin("tx1")
		for key, want := range map[string]string{"own": "made up", "k": "the value"} {
			c.Deliver(in("tx1", getState(key)))
			if m := c.want(pb.ChaincodeMessage_RESPONSE, "tx1"); string(m.Payload) != want {
				t.Errorf("%s is %q, want %q", key, m.Payload, want)
			}
		}
		c.say("tx1", getState("refused"), "not today")
		c.say("tx1", getState("panic"), "panic during execution")
		c.complete("tx1")
		x.want(t, handler.ErrPoisoned)
		c.stop()
		p.check()
	})
}

// An interceptor that ignores its transaction's end holds up nobody but itself: Execute returns in time.
func TestRequestInterceptorHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		release := make(chan struct{})
		p.cfg.Requests = []handler.RequestInterceptor{func(ctx context.Context, _ handler.Request, next handler.RequestFunc) ([]byte, error) {
			<-release
			return next(ctx)
		}}
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.Deliver(in("tx1", getState("k")))
		x.want(t, handler.ErrTimeout)
		close(release)
		c.wantError("tx1", failed(getState("k"), "tx1", "transaction cannot succeed: an operation was abandoned"))
		c.stop()
		p.check()
	})
}

// Interceptors of transactions see what is run, with which outcome, and may refuse to run it.
func TestTransactionInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var lines []string
		p.cfg.Transactions = []handler.TransactionInterceptor{
			func(ctx context.Context, e handler.Execution, next handler.TransactionFunc) (*pb.ChaincodeMessage, error) {
				reply, err := next(ctx)
				x := e.Transaction
				lines = append(lines, fmt.Sprintf("%s %q of %s (%s) %s/%s depth %d: %s, %v",
					e.Type, e.Input.Args, x.Chaincode, x.ChaincodeID, x.ChannelID, x.TxID, x.Depth, reply.GetType(), err))
				return reply, err
			},
			func(ctx context.Context, e handler.Execution, next handler.TransactionFunc) (*pb.ChaincodeMessage, error) {
				if e.Transaction.TxID == "refused" {
					return nil, errors.New("not today")
				}
				return next(ctx)
			},
		}
		c := p.register("cc:1")
		c.finish(t, "tx1", c.begin("tx1"))
		x := c.execute(t.Context(), p.simulate("refused", channel))
		if <-x.done; x.err == nil || x.err.Error() != "not today" {
			t.Errorf("got %v", x.err)
		}
		c.wantSilence()
		c.stop()
		p.check()
		want := []string{
			`TRANSACTION ["run"] of cc (cc:1) ch/tx1 depth 0: COMPLETED, <nil>`,
			`TRANSACTION ["run"] of cc (cc:1) ch/refused depth 0: UNDEFINED, not today`,
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got %q\nwant %q", lines, want)
		}
	})
}

// Faults say whose they are, and why.
func TestFaultsSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var got []string
		p.cfg.Faults = handler.FaultObserverFunc(func(f handler.Fault) {
			got = append(got, fmt.Sprintf("%s %s %s/%s: %v", f.Kind, f.ChaincodeID, f.ChannelID, f.TxID, f.Cause))
		})
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.say("tx1", putState("", "v"), "key must not be an empty string")
		c.complete("tx1")
		x.wantReply(t)
		c.complete("tx1")
		synctest.Wait()
		c.stop()
		want := []string{
			"failed_request cc:1 ch/tx1: key must not be an empty string",
			"late_completion cc:1 ch/tx1: <nil>",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
}
