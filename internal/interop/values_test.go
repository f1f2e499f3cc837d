package interop_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
)

// TestProposal checks what a stub makes of the proposal, beside the transaction's ID and time.
func TestProposal(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		if w.isNode() {
			t.Skip("TestNodeProposal is for these")
		}
		p := newPeer(t, w)
		ask := func(method string) (string, outcome) {
			t.Helper()
			o := p.run(t.Context(), call{
				args:      []string{method},
				transient: map[string][]byte{"pin": []byte("1234"), "empty": nil},
				decorated: map[string][]byte{"colour": []byte("blue")},
			})
			if o.err != nil || o.result.Status != 200 {
				t.Fatalf("%s: %+v, %v", method, o.result, o.err)
			}
			return string(o.result.Payload), o
		}
		want := func(method, want string) {
			t.Helper()
			if got, _ := ask(method); got != want {
				t.Errorf("%s: %q, want %q", method, got, want)
			}
		}
		want("GetTransient", "empty=\npin=1234")
		want("GetDecorations", "colour=blue")
		if !w.inProcess {
			want("GetMSPID", mspID)
		}

		want("GetCreator", string(p.client.Creator()))
		want("GetID", p.client.ID())
		binding, o := ask("GetBinding")
		if binding != string(o.proposal.Binding) {
			t.Errorf("GetBinding: %x, want %x", binding, o.proposal.Binding)
		}
		signed, o := ask("GetProposal")
		if !bytes.Equal([]byte(signed), o.proposal.Signed.ProposalBytes) {
			t.Errorf("GetSignedProposal: %q", signed)
		}
		at, o := ask("GetTxTimestamp")
		if got, err := time.Parse(time.RFC3339Nano, at); err != nil || !got.Equal(o.proposal.Timestamp) {
			t.Errorf("GetTxTimestamp: %s, %v, want %s", at, err, o.proposal.Timestamp)
		}
	})
}

// large is a call that passes a large value: the payload it returns, and the messages that hold the value.
type large struct {
	call     []string
	payload  string
	messages []string
}

// TestLargeValue passes 20 MB to the chaincode and back, as an argument and a value written; one way of each family, as a
// value read and a result; and of each shim, as private data and an event. What a contract is run by is the shim of
// another family.
func TestLargeValue(t *testing.T) {
	value := strings.Repeat("0123456789", 2_000_000)
	first := firstWays(ways(t))
	everyWay(t, func(t *testing.T, w way) {
		isFirst, isContract := first[w.family.name] == w.name, w.program != nil
		if isContract && !isFirst {
			t.Skip("another way does")
		}
		p := newPeer(t, w, func(c *chaincodesupport.Config) { c.MaxEventBytes = len(value) + len("large") })
		large{[]string{"PutState", "k", value}, "", []string{"a< TRANSACTION", "a> PUT_STATE"}}.pass(t, p)
		if got := p.committed("a"); got != value {
			t.Errorf("%d bytes are committed, want %d of others", len(got), len(value))
		}
		if !isFirst {
			return
		}
		large{[]string{"GetState", "k"}, value, []string{"a< RESPONSE", "a> COMPLETED"}}.pass(t, p)
		if isContract {
			return
		}
		large{[]string{"PutPrivateData", secret, "k", value}, "", []string{"a< TRANSACTION", "a> PUT_STATE"}}.pass(t, p)
		if got := p.committed("a/" + secret); got != value {
			t.Errorf("%d private bytes are committed, want %d of others", len(got), len(value))
		}
		p.wantEvents(value)
	})
}

// wantEvents checks that value may be an event, and that one beyond Config.MaxEventBytes is refused, which the chaincode
// outlives.
func (p *testPeer) wantEvents(value string) {
	p.t.Helper()
	o := p.run(p.t.Context(), call{args: []string{"SetEvent", "large", value}})
	if o.err != nil || o.result.Event == nil || string(o.result.Event.Payload) != value {
		p.t.Errorf("SetEvent: %v, or another event", o.err)
	}
	o = p.run(p.t.Context(), call{args: []string{"SetEvent", "large", value + "0"}})
	if o.err == nil || !strings.Contains(o.err.Error(), fmt.Sprintf("the limit is %d", len(value)+len("large"))) {
		p.t.Errorf("SetEvent of one byte more: %v", o.err)
	}
	p.trace.take()
	p.text("GetTxID")
	if again := matching(p.trace.take(), "REGISTER"); len(again) > 0 {
		p.t.Errorf("it was launched again: %q", again)
	}
}

// committed returns the value of the key k in a namespace, or a collection of one.
func (p *testPeer) committed(where string) string {
	p.t.Helper()
	var value []byte
	if namespace, collection, private := strings.Cut(where, "/"); private {
		committed, err := p.ledgers[channel].PrivateKeyState(p.t.Context(), namespace, collection, "k")
		if err != nil {
			p.t.Fatal(err)
		}
		if committed != nil {
			if !committed.HasValue {
				p.t.Fatalf("the value of %s is not there", where)
			}
			value = committed.Value
		}
	} else {
		committed, err := p.ledgers[channel].KeyState(p.t.Context(), namespace, "k")
		if err != nil {
			p.t.Fatal(err)
		}
		if committed != nil {
			value = committed.Value
		}
	}
	return string(value)
}

func (l large) pass(t *testing.T, p *testPeer) {
	t.Helper()
	if got := p.success(call{args: l.call}); got != l.payload {
		t.Errorf("%.50q returned %d bytes, want %d of others", l.call, len(got), len(l.payload))
	}
	got := matching(p.trace.take(), " MB$")
	var want []string
	for _, m := range l.messages {
		want = append(want, m+" with 20 MB")
	}
	if !slices.Equal(got, want) {
		t.Errorf("%.50q: large messages are %q, want %q", l.call, got, want)
	}
}
