package chaincodesupport_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

var strict = defined{"strict": {ChaincodeID: "strict", Version: "1", InitRequired: true}}

// I3: what Execute asks of a ledger or a hook is over when the transaction's time is, and Close waits for what is left.
func TestCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{Limits: handler.Limits{ExecuteTimeout: time.Minute}, Definitions: strict}, map[string]function{"strict": keeper})
		release := make(chan struct{})
		n.watched["ch1"].On(ledgertest.GetState, ledgertest.Hang(release))
		began := time.Now()
		_, err := n.Execute(t.Context(), "strict", n.params("t1"), asInit())
		if !errors.Is(err, handler.ErrTimeout) || time.Since(began) != time.Minute {
			t.Errorf("ended after %s with %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Execute(ctx, "strict", n.params("t2"), asInit()); !errors.Is(err, handler.ErrTimeout) {
			t.Errorf("ended with %v", err)
		}
		ctx, cancel = cancelledAfter(t.Context())
		defer cancel()
		if _, err := n.Execute(ctx, "strict", n.params("t3"), asInit()); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		closed := make(chan error, 1)
		go func() { closed <- n.Close(ctx) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Errorf("Close returned %v while Execute is in the ledger", err)
			closed <- err
		default:
		}
		close(release)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		before := n.watched["ch1"].Calls(ledgertest.SetState)
		_, err = n.Execute(t.Context(), "strict", n.params("t4"), asInit())
		if after := n.watched["ch1"].Calls(ledgertest.SetState); !errors.Is(err, chaincodesupport.ErrClosed) || after != before {
			t.Errorf("Execute after Close: %v, %d writes", err, after-before)
		}
	})
}

// A panic of the ledger, before the chaincode is called, is logged, and not told.
func TestCallPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.ErrorLevel)
		n := newNetwork(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, Definitions: strict}, map[string]function{"strict": keeper})
		n.watched["ch1"].On(ledgertest.GetState, ledgertest.Panic("secret"))
		p := n.params("t")
		_, err := n.Execute(t.Context(), "strict", p, asInit())
		wantError(t, err, "failed to execute transaction t: panic during execution")
		if logs.FilterMessageSnippet("panic in").Len() != 1 {
			t.Errorf("the log has %v", logs.All())
		}
		n.watched["ch1"].On(ledgertest.GetState, nil)
		if _, err := n.ExecuteID(t.Context(), "strict", p, input()); !errors.Is(err, handler.ErrPoisoned) {
			t.Errorf("the simulation was used after a panic: %v", err)
		}
	})
}

// Chaincode says neither what its callee's decorations are, nor that it is an init where nothing is known of one.
func TestForgedInput(t *testing.T) {
	for _, test := range []struct {
		input *pb.ChaincodeInput
		want  string // in the caller's answer
	}{
		{&pb.ChaincodeInput{Decorations: map[string][]byte{"trusted": []byte("forged")}}, ""},
		{&pb.ChaincodeInput{IsInit: true}, "execute failed: invalid invocation: chaincode 'callee' does not require initialization but called as init"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got *msg
			callee := scripted(t, func(m *msg) *msg { got = m; return succeed(m) })
			cs := newSupport(t, chaincodesupport.Config{DevMode: true, Runtimes: always(callee)})
			c := connect(t, cs).ready()
			executed := make(chan error, 1)
			go func() {
				n := newNetwork(t, chaincodesupport.Config{}, nil)
				_, err := cs.Execute(t.Context(), "asset:1", n.params("t"), input())
				executed <- err
			}()
			c.expect(pb.ChaincodeMessage_TRANSACTION)
			say := func(typ pb.ChaincodeMessage_Type, payload proto.Message) {
				if err := c.Send(&msg{Type: typ, Txid: "t", ChannelId: "ch1", Payload: marshal(payload)}); err != nil {
					t.Fatal(err)
				}
			}
			say(pb.ChaincodeMessage_INVOKE_CHAINCODE, &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "callee"}, Input: test.input})
			m, err := c.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if test.want != "" && (!strings.HasSuffix(string(m.Payload), test.want) || got != nil) {
				t.Errorf("answered %s %q, the callee got %v", m.Type, m.Payload, got)
			}
			in := &pb.ChaincodeInput{}
			if test.want == "" && (proto.Unmarshal(got.Payload, in) != nil || len(in.Decorations) != 0) {
				t.Errorf("the callee got %v", in)
			}
			say(pb.ChaincodeMessage_COMPLETED, &pb.Response{Status: 200})
			if err := <-executed; err != nil {
				t.Error(err)
			}
		})
	}
}

// Without Definitions a name is a chaincode ID: a version in the chaincode ID is no part of the namespace.
func TestExecuteWithoutDefinitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"keeper:1.0": keeper})
		if got := n.called("keeper:1.0", "t1", input()); got != "200 " {
			t.Errorf("got %q", got)
		}
		n.wantResult("keeper:1.0", "t2", 200, "t1")
	})
}

// A status of 400 or more is an error to who asks.
func TestResultErr(t *testing.T) {
	for status, want := range map[int32]string{200: "", 399: "", 400: "chaincode failed with status 400: no", 500: "chaincode failed with status 500: no"} {
		got := ""
		if err := (&chaincodesupport.Result{Status: status, Message: "no"}).Err(); err != nil {
			got = err.Error()
			var failure *chaincodesupport.StatusError
			if !errors.As(err, &failure) || failure.Status != status || failure.Message != "no" {
				t.Errorf("status %d: %#v", status, err)
			}
		}
		if got != want {
			t.Errorf("status %d: %q, want %q", status, got, want)
		}
	}
}
