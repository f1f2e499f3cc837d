package chaincodesupport_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What a chaincode answers, and what Execute makes of it. An error text that ends in "…" is a prefix.
func TestResults(t *testing.T) {
	event := &pb.ChaincodeEvent{EventName: "created", Payload: []byte("a1")}
	for _, test := range []struct {
		name   string
		answer *msg
		want   chaincodesupport.Result
		err    string
	}{
		{"success", completed(&pb.Response{Status: 200, Message: "fine", Payload: []byte("blue")}),
			chaincodesupport.Result{Status: 200, Message: "fine", Payload: []byte("blue")}, ""},
		{"status below 400", completed(&pb.Response{Status: 399}), chaincodesupport.Result{Status: 399}, ""},
		{"failure with payload", completed(&pb.Response{Status: 404, Message: "no such asset", Payload: []byte("a1")}),
			chaincodesupport.Result{Status: 404, Message: "no such asset", Payload: []byte("a1")}, ""},
		{"status 500", completed(&pb.Response{Status: 500, Message: "oh"}), chaincodesupport.Result{Status: 500, Message: "oh"}, ""},
		{"empty payload", &msg{Type: pb.ChaincodeMessage_COMPLETED}, chaincodesupport.Result{}, ""},
		{"event", &msg{Type: pb.ChaincodeMessage_COMPLETED, ChaincodeEvent: event},
			chaincodesupport.Result{Event: &chaincodesupport.Event{Chaincode: "asset", TxID: "t", Name: "created", Payload: []byte("a1")}}, ""},
		{"another's event", &msg{Type: pb.ChaincodeMessage_COMPLETED, ChaincodeEvent: &pb.ChaincodeEvent{ChaincodeId: "bank", TxId: "x", EventName: "paid"}},
			chaincodesupport.Result{Event: &chaincodesupport.Event{Chaincode: "asset", TxID: "t", Name: "paid"}}, ""},
		{"bad payload", &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: []byte("\xff")},
			chaincodesupport.Result{}, "failed to unmarshal response for transaction t: …"},
		{"ERROR", &msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("boom")},
			chaincodesupport.Result{}, "transaction returned with failure: boom"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := scripted(t, func(*msg) *msg { return test.answer })
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
				got, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
				var said *chaincodesupport.ChaincodeError
				if isError := test.answer.Type == pb.ChaincodeMessage_ERROR; errors.As(err, &said) != isError || isError && said.Text != "boom" {
					t.Errorf("%v is an error of the chaincode: %v", err, said)
				}
				if test.err != "" {
					wantText(t, err, test.err)
				} else if err != nil || !reflect.DeepEqual(got, &test.want) {
					t.Errorf("got %+v, %v; want %+v", got, err, test.want)
				}
			})
		})
	}
}

// wantText is wantError, but for a text that ends in "…", of which only the beginning counts.
func wantText(t *testing.T, err error, want string) {
	t.Helper()
	prefix, open := strings.CutSuffix(want, "…")
	if err == nil || err.Error() != want && (!open || !strings.HasPrefix(err.Error(), prefix)) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

// Replies that no handler returns.
func TestImpossibleReplies(t *testing.T) {
	_, err := chaincodesupport.ResultOf(nil, "t")
	wantError(t, err, "nil response from transaction t")
	_, err = chaincodesupport.ResultOf(&msg{Type: pb.ChaincodeMessage_GET_STATE}, "t")
	wantError(t, err, "unexpected response type 8 for transaction t")
}

// What reaches the chaincode.
func TestInput(t *testing.T) {
	for _, test := range []struct {
		isInit bool
		want   pb.ChaincodeMessage_Type
	}{{true, pb.ChaincodeMessage_INIT}, {false, pb.ChaincodeMessage_TRANSACTION}} {
		synctest.Test(t, func(t *testing.T) {
			got := make(chan *msg, 1)
			rt := scripted(t, func(m *msg) *msg { got <- m; return succeed(m) })
			cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
			in := input("create", "a1")
			in.Decorations, in.IsInit = map[string][]byte{"seed": {7}}, test.isInit
			p := params("t")
			p.SignedProposal = &pb.SignedProposal{ProposalBytes: []byte("proposal"), Signature: []byte("signature")}
			if _, err := cs.Execute(t.Context(), "asset:1", p, in); err != nil {
				t.Fatal(err)
			}
			want := &msg{Type: test.want, Txid: "t", ChannelId: "ch", Proposal: p.SignedProposal, Payload: marshal(
				&pb.ChaincodeInput{Args: in.Args, Decorations: in.Decorations, IsInit: test.isInit})}
			if m := <-got; !proto.Equal(m, want) {
				t.Errorf("got %v, want %v", m, want)
			}
		})
	}
}

// A handler runs nothing but INIT and TRANSACTION, which is all that Execute gives it.
func TestWrongType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := anyHandler(t).Execute(t.Context(), params("t"), pb.ChaincodeMessage_READY, &pb.ChaincodeInput{})
		wantError(t, err, "[t] cannot execute a message of type READY, want INIT or TRANSACTION")
	})
}

// What ends the waiting for a chaincode that does not answer, and when.
func TestExecuteEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   time.Duration // ExecuteTimeout
		limit func(context.Context) (context.Context, context.CancelFunc)
		after time.Duration
		is    error
		want  string
	}{
		{"default", 0, context.WithCancel, 30 * time.Second, handler.ErrTimeout,
			"failed to execute transaction t: error sending: timeout expired while executing transaction"},
		{"ExecuteTimeout", time.Minute, context.WithCancel, time.Minute, handler.ErrTimeout,
			"failed to execute transaction t: error sending: timeout expired while executing transaction"},
		{"deadline", 0, withTimeout, time.Second, handler.ErrTimeout,
			"failed to execute transaction t: error sending: timeout expired while executing transaction"},
		{"cancelled", 0, cancelledAfter, time.Second, context.Canceled,
			`failed to execute transaction t: error sending: execute transaction "t": context canceled`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{Limits: handler.Limits{ExecuteTimeout: test.set}, Runtimes: always(scripted(t, silent))})
				ctx, cancel := test.limit(t.Context())
				defer cancel()
				for range 2 { // F26: the same transaction ID again
					began := time.Now()
					_, err := cs.Execute(ctx, "asset:1", params("t"), input())
					wantError(t, err, test.want)
					if d := time.Since(began); d != test.after || !errors.Is(err, test.is) {
						t.Errorf("ended after %s with %v", d, err)
					}
					ctx, cancel = test.limit(t.Context())
					defer cancel()
				}
			})
		})
	}
}

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Second)
}

func cancelledAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(time.Second, cancel)
	return ctx, cancel
}

// F25: the same transaction twice at once; the same ID on another channel is another transaction.
func TestSameTransactionTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		c := connect(t, cs).ready()
		synctest.Wait()
		first := make(chan error, 1)
		go func() {
			_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
			first <- err
		}()
		synctest.Wait()
		_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
		wantError(t, err, "failed to execute transaction t: error sending: txid: t(ch) exists")
		if !errors.Is(err, handler.ErrExists) {
			t.Errorf("%v is not ErrExists", err)
		}
		c.answer()
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
	})
}

// F27, F57: the stream ends. Whoever waits is told at once, and why, if there is more to say than that.
func TestStreamEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*connection)
		want string
	}{
		"broken":      {func(c *connection) { c.Abort(errors.New("connection reset")) }, ": receive from chaincode support stream failed: connection reset"},
		"half-closed": {func(c *connection) { _ = c.CloseSend() }, ""},
		"REGISTER": {func(c *connection) { c.register("asset:1") },
			": error handling message, ending stream: [] Fabric side handler cannot handle message (REGISTER) while in ready state"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{DevMode: true})
				c := connect(t, cs).ready()
				synctest.Wait()
				errs := executeAll(t, cs, 3)
				synctest.Wait()
				began := time.Now()
				test.end(c)
				for range 3 {
					if err := <-errs; !errors.Is(err, handler.ErrStreamTerminated) || !strings.HasSuffix(err.Error(), ": chaincode stream terminated"+test.want) {
						t.Errorf("Execute: %v", err)
					}
				}
				if d := time.Since(began); d != 0 {
					t.Errorf("took %s", d)
				}
			})
		})
	}
}

// panicking is a logger's core that panics on every line.
type panicking struct{ zapcore.LevelEnabler }

func (p panicking) With([]zapcore.Field) zapcore.Core { return p }
func (p panicking) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, p)
}
func (panicking) Write(zapcore.Entry, []zapcore.Field) error { panic("disk full") }
func (panicking) Sync() error                                { return nil }

// I9: a logger that panics ends at most the stream.
func TestLoggerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{
			Hooks:    handler.Hooks{Logger: zap.New(panicking{zapcore.DebugLevel})},
			DevMode:  true,
			Runtimes: always(runFunc(func(context.Context, string, runtime.StreamHandler) error { panic("runtime") })),
		})
		c := connect(t, cs).register("asset:1")
		if err := <-c.ended; err == nil {
			t.Error("the stream ended in good order")
		}
		wantError(t, cs.Launch(t.Context(), "asset:1"), "chaincode registration failed: the runtime panicked")
	})
}
