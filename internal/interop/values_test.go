package interop_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// TestProposal checks what a stub makes of the proposal, beside the transaction's ID and time.
func TestProposal(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
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
		if w.listen != nil {
			want("GetMSPID", mspID)
		}

		creator, _ := ask("GetCreator")
		var id pb.SerializedIdentity
		if err := proto.Unmarshal([]byte(creator), &id); err != nil || id.Mspid != "OrgMSP" {
			t.Errorf("GetCreator: %v, %v", &id, err)
		}
		binding, o := ask("GetBinding")
		digest := sha256.Sum256([]byte(o.name + creator + strings.Repeat("\x00", 8))) // its nonce, the creator, epoch 0
		if binding != string(digest[:]) {
			t.Errorf("GetBinding: %x, want %x", binding, digest)
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

// TestLargeValue passes 20 MB in every direction: as an argument, a value written, a value read, and a result.
func TestLargeValue(t *testing.T) {
	value := strings.Repeat("0123456789", 2_000_000)
	everyWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.success(call{args: []string{"PutState", "k", value}})
		if got := p.text("GetState k"); got != value {
			t.Errorf("GetState returned %d bytes, want %d of others", len(got), len(value))
		}
		large := matching(p.trace.take(), " MB$")
		want := []string{"a< TRANSACTION with 20 MB", "a> PUT_STATE with 20 MB", "a< RESPONSE with 20 MB", "a> COMPLETED with 20 MB"}
		if !slices.Equal(large, want) {
			t.Errorf("large messages: %q, want %q", large, want)
		}
	})
}
