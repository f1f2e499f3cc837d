package interop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/handler"
)

// start runs a transaction that is given in words, and returns what becomes of it.
func (p *testPeer) start(ctx context.Context, line string) <-chan outcome {
	p.t.Helper()
	c := call{args: strings.Fields(line)}
	name, proposed := p.prepare(c)
	done := make(chan outcome, 1)
	go func() { done <- p.execute(ctx, c, name, proposed) }()
	return done
}

// TestInterleaved runs two transactions at once, which take turns in asking: each gets its own answers, and what it
// wrote is committed.
func TestInterleaved(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.write("before", map[string]string{"x": "1", "y": "2"})
		first := p.start(t.Context(), "PutState x 3 ; GetState x ; Signal second ; Wait first ; GetState x")
		second := p.start(t.Context(), "Wait second ; PutState y 4 ; GetState y ; Signal first ; Wait third ; GetState y")
		wantSuccess(t, <-first, "1\n1")
		wantSuccess(t, <-p.start(t.Context(), "GetState x ; Signal third"), "3")
		wantSuccess(t, <-second, "2\n2") // its view is that of its start
		got := matching(p.trace.take(), `(PUT|GET)_STATE|RESPONSE`)
		want := []string{
			`a> PUT_STATE tx1 key:"x" value:"3"`, `a< RESPONSE tx1`, `a> GET_STATE tx1 key:"x"`, `a< RESPONSE tx1 "1"`,
			`a> PUT_STATE tx2 key:"y" value:"4"`, `a< RESPONSE tx2`, `a> GET_STATE tx2 key:"y"`, `a< RESPONSE tx2 "2"`,
			`a> GET_STATE tx1 key:"x"`, `a< RESPONSE tx1 "1"`,
			`a> GET_STATE tx3 key:"x"`, `a< RESPONSE tx3 "3"`,
			`a> GET_STATE tx2 key:"y"`, `a< RESPONSE tx2 "2"`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		wantSuccess(t, <-p.start(t.Context(), "GetState x ; GetState y"), "3\n4")
	})
}

func wantSuccess(t *testing.T, o outcome, payload string) {
	t.Helper()
	if o.err != nil || o.result.Status != 200 || string(o.result.Payload) != payload || o.code != "VALID" {
		t.Errorf("%s: %+v, %v, %s, want %q", o.name, o.result, o.err, o.code, payload)
	}
}

// TestNeverAnswers runs a transaction that does not answer in time. What it asks after that is refused, and the
// chaincode lives on.
func TestNeverAnswers(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.write("before", map[string]string{"b": "1"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late := <-p.start(ctx, "LeaveOpen a z ; Wait end ; GetState k")
		if !errors.Is(late.err, handler.ErrTimeout) || !strings.HasSuffix(late.err.Error(), "timeout expired while executing transaction") {
			t.Fatalf("Execute: %+v, %v", late.result, late.err)
		}
		if asked := matching(p.trace.take(), "QUERY_STATE|GET_STATE_BY_RANGE"); len(asked) != 1 {
			t.Errorf("it asked %q before its time was up", asked)
		}
		p.text("Signal end")
		const refusal = `GET_STATE failed: transaction ID: tx1: no ledger context"`
		p.trace.await(t, `a> GET_STATE tx1 key:"k"`)
		p.trace.await(t, `a< ERROR tx1 "`+refusal)
		p.trace.await(t, "a> "+w.failure("tx1", `"`+refusal))
		p.trace.await(t, "fault late_completion")
		p.text("PutState k v")
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
	})
}

// TestKilled kills the chaincode's process in the middle of a transaction. The next one runs in a new process.
func TestKilled(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		ownProcess(t, w)
		p := newPeer(t, w)
		bystander := p.start(t.Context(), "GetState j ; Wait never")
		p.trace.await(t, "a< RESPONSE tx1")
		killer := <-p.start(t.Context(), "PutState k v ; GetState k ; Kill")
		for _, o := range []outcome{killer, <-bystander} {
			if !killed(o.err) {
				t.Errorf("%s: %+v, %v", o.name, o.result, o.err)
			}
		}
		p.trace.take()
		if got := p.text("GetState k"); got != "" {
			t.Errorf("GetState: %q, which was not committed", got)
		}
		want := []string{
			`a> REGISTER name:"a:1"`, `a< REGISTERED`,
			`a< READY use_write_batch:true max_size_write_batch:1000 use_get_multiple_keys:true max_size_get_multiple_keys:1000`,
			"a< TRANSACTION tx3 " + p.args("GetState", "k"),
			`a> GET_STATE tx3 key:"k"`, `a< RESPONSE tx3`, `a> COMPLETED tx3 status:200`,
		}
		if got := p.trace.take(); !slices.Equal(got, want) {
			t.Errorf("the conversation after it: %q", got)
		}
	})
}

// killed reports whether err is Fabric's text and says how the process has ended.
func killed(err error) bool {
	return errors.Is(err, handler.ErrStreamTerminated) &&
		strings.Contains(err.Error(), "chaincode stream terminated: container exited with 137 (killed)")
}

// args are the arguments of a call in the trace's form.
func (p *testPeer) args(words ...string) string {
	var args []string
	for _, a := range p.input(call{args: words}) {
		args = append(args, fmt.Sprintf("args:%q", a))
	}
	return strings.Join(args, " ")
}

// TestIdle checks that a chaincode that has done its work leaves nothing running in the peer but what its connection
// takes. In process, the shim itself makes a goroutine for each message.
func TestIdle(t *testing.T) {
	for _, w := range ways(t) { // one after the other: goleak looks at the whole process
		t.Run(w.String(), func(t *testing.T) {
			ownProcess(t, w)
			p := newPeer(t, w)
			p.write("rows", rows(150))
			p.text("GetTxID")
			before := goleak.IgnoreCurrent()
			for range 20 {
				p.text("PutState k v ; LeaveOpen a z ; GetStateByRange a z")
			}
			goleak.VerifyNone(t, before)
		})
	}
}
