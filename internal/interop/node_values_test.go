package interop_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
)

// isNode says whether the family's shim is one for Node.
func (f *family) isNode() bool { return filepath.Base(f.manifest) == "package.json" }

// eachNodeWay runs a test for each way of running a Node shim.
func eachNodeWay(t *testing.T, test func(*testing.T, way)) {
	for _, w := range nodeWays(t) {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// TestNodeProposal checks what a Node stub makes of the proposal. It has it decoded, where the Go stub has bytes.
func TestNodeProposal(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		want := func(method string, want func(outcome) string) {
			t.Helper()
			o := p.run(t.Context(), call{
				args:      []string{method},
				transient: map[string][]byte{"pin": []byte("1234"), "empty": nil, "bytes": {0}},
			})
			if o.err != nil || o.result.Status != 200 {
				t.Fatalf("%s: %+v, %v", method, o.result, o.err)
			}
			if got := string(o.result.Payload); got != want(o) {
				t.Errorf("%s: %q, want %q", method, got, want(o))
			}
		}
		id := submitter(t)
		want("GetTransient", func(outcome) string { return "bytes=\x00\nempty=\npin=1234" })
		want("GetMSPID", func(outcome) string { return mspID })
		want("GetCreator", func(outcome) string { return org + " " + string(id.CertificatePEM()) })
		want("GetBinding", func(o outcome) string { return hex.EncodeToString(o.proposal.Binding) })
		want("GetTxTimestamp", func(o outcome) string { return o.proposal.Timestamp.Format(time.RFC3339Nano) })
		want("GetProposal", func(o outcome) string {
			parsed, err := identity.ParseProposal(o.proposal.Signed)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%s %s %q %s %x", parsed.ChannelID, parsed.TxID, o.name, org, o.proposal.Signed.Signature)
		})
	})
}

// TestNodeNoStatus runs a chaincode that returns no status, which the shim makes a failure with the transaction in its
// text.
func TestNodeNoStatus(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		if w.program != nil {
			t.Skip("the contract API sets the status")
		}
		p := newPeer(t, w)
		o := p.run(t.Context(), call{args: []string{"Return", "0", "", ""}})
		text := fmt.Sprintf("[%s-%.8s] Calling chaincode Invoke() has not called success or error.", channel, o.proposal.TxID)
		if w.failed == "" {
			if o.err != nil || o.result.Status != 500 || o.result.Message != text {
				t.Errorf("%+v, %v, want %q", o.result, o.err, text)
			}
			return
		}
		if o.err == nil || o.err.Error() != "transaction returned with failure: "+text {
			t.Errorf("%+v, %v, want %q", o.result, o.err, text)
		}
	})
}

// TestNodeThrows runs a chaincode that throws where the shim does not catch it: the transaction is never answered, and
// the process lives. The contract API catches everything.
func TestNodeThrows(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.trace.take() // the launch
		bystander := p.start(t.Context(), "GetState k ; Wait go ; GetState k")
		p.trace.await(t, "a< RESPONSE tx1")
		if w.program != nil {
			o := <-p.start(t.Context(), "Throw x")
			if o.err != nil || o.result.Status != 500 || o.result.Message != "x" {
				t.Errorf("%+v, %v", o.result, o.err)
			}
		} else {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if o := <-p.start(ctx, "Throw x"); !errors.Is(o.err, handler.ErrTimeout) {
				t.Errorf("%+v, %v, want %v", o.result, o.err, handler.ErrTimeout)
			}
		}
		p.text("Signal go")
		wantSuccess(t, <-bystander, "")
		if started := matching(p.trace.take(), "REGISTER"); len(started) > 0 {
			t.Errorf("the process has not lived on: %q", started)
		}
	})
}

// TestNodeUnawaited runs a chaincode that returns without waiting for what it has written. It is written, as it was said
// before the end. Whether the chaincode is still told so depends on which is faster; the transactions after it are not
// disturbed, and neither is the chaincode.
func TestNodeUnawaited(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.trace.take() // the launch
		for i := range 50 {
			value := fmt.Sprint(i)
			if got := p.text("Unawaited k " + value); got != "" {
				t.Fatalf("PutState: %q", got)
			}
			if got := p.text("GetState none ; GetState k"); got != value {
				t.Fatalf("GetState: %q, want %q", got, value)
			}
		}
		for _, line := range matching(p.trace.take(), "REGISTER|ERROR|fault") {
			if line != "fault dropped_answer" { // the transaction was over
				t.Errorf("the chaincode has been disturbed: %s", line)
			}
		}
	})
}

// TestNodeContractMetadata asks for what the contract API tells of the contracts, by a contract of its own.
func TestNodeContractMetadata(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		if w.program == nil {
			t.Skip("not the contract API")
		}
		p := newPeer(t, w)
		text := p.success(call{args: []string{"org.hyperledger.fabric:GetMetadata"}, function: true})
		var metadata struct {
			Contracts map[string]struct{ Transactions []struct{ Name string } }
		}
		if err := json.Unmarshal([]byte(text), &metadata); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for contract, first := range map[string]string{"program": "Do", "assets": "Create", "org.hyperledger.fabric": "GetMetadata"} {
			if got := metadata.Contracts[contract].Transactions; len(got) == 0 || got[0].Name != first {
				t.Errorf("contract %s has the transactions %v, want %s first", contract, got, first)
			}
		}
	})
}
