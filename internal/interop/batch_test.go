package interop_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Limits of what a shim sends in one message. The Go shim raises a peer's limit to 100 if it is less.
var limits = []struct {
	offered int // by the peer; 0: 1,000
	number  int // of writes or keys
	sizes   []int
}{
	{1, 100, []int{100}},
	{1, 101, []int{100, 1}},
	{100, 250, []int{100, 100, 50}},
	{150, 250, []int{150, 100}},
	{0, 1000, []int{1000}},
	{0, 1001, []int{1000, 1}},
}

// everyLimit runs a test for each of the limits and each way of a Go shim: Node's has no batches.
func everyLimit(t *testing.T, set func(*chaincodesupport.Config, int), test func(t *testing.T, p *testPeer, number int, sizes []int)) {
	for _, w := range slices.Concat(goWays(), contractGoWays()) {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			for _, l := range limits {
				t.Run(fmt.Sprintf("%d of %d", l.number, l.offered), func(t *testing.T) {
					test(t, newPeer(t, w, func(c *chaincodesupport.Config) { set(c, l.offered) }), l.number, l.sizes)
				})
			}
		})
	}
}

// TestBatches writes more than fits into one batch: all of it is committed.
func TestBatches(t *testing.T) {
	set := func(c *chaincodesupport.Config, limit int) { c.Offer.WriteBatch = limit }
	everyLimit(t, set, func(t *testing.T, p *testPeer, number int, sizes []int) {
		program := []string{"StartWriteBatch"}
		for i := range number {
			program = append(program, ";", "PutState", rowKey("r", i), fmt.Sprint(i+1))
		}
		p.success(call{args: program})
		wantSizes(t, p.trace.take(), "WRITE_BATCH_STATE", "writes", sizes)
		s, err := p.ledgers[channel].NewSimulator(t.Context(), "state")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Done()
		got := map[string]string{}
		it, err := s.GetStateRange(t.Context(), "a", ledger.Range{})
		for _, kv := range readAll(t, it, err) {
			got[kv.Key] = string(kv.Value)
		}
		if want := rows(number); !maps.Equal(got, want) {
			t.Errorf("%d keys are committed, want %d, or the values differ", len(got), len(want))
		}
	})
}

// TestManyKeys reads more keys than fit into one message, in public and in private.
func TestManyKeys(t *testing.T) {
	set := func(c *chaincodesupport.Config, limit int) { c.Offer.MultipleKeys = limit }
	everyLimit(t, set, func(t *testing.T, p *testPeer, number int, sizes []int) {
		all := rows(number - 1) // the last key is absent
		p.write("rows", all)
		p.writeCollection("private", secret, all)
		var keys, want []string
		for i := range number {
			keys = append(keys, rowKey("r", i))
			want = append(want, fmt.Sprintf("%q", all[rowKey("r", i)]))
		}
		for _, program := range [][]string{{"GetMultipleStates"}, {"GetMultiplePrivateData", secret}} {
			p.trace.take()
			wantLines(t, p.success(call{args: append(program, keys...)}), want)
			wantSizes(t, p.trace.take(), "GET_STATE_MULTIPLE", "keys", sizes)
		}
	})
}

// wantSizes checks how many there are in each message of a type.
func wantSizes(t *testing.T, lines []string, typ, what string, sizes []int) {
	t.Helper()
	var want []string
	for _, n := range sizes {
		if n == 1 {
			want = append(want, "1")
		} else {
			want = append(want, fmt.Sprintf("%d %s", n, what))
		}
	}
	var got []string
	for _, l := range matching(lines, "^a> "+typ) {
		words := strings.SplitN(l, " ", 4) // a> TYPE tx1 …
		text := words[3]
		if !strings.HasSuffix(text, what) {
			text = "1"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the sizes of the messages are %q, want %q", got, want)
	}
}

// olderPeer is a stream on which READY says nothing, as that of a peer older than v3.1.
type olderPeer struct{ pb.ClientStream }

// Recv implements pb.Stream.
func (s olderPeer) Recv() (*pb.ChaincodeMessage, error) {
	m, err := s.ClientStream.Recv()
	if err == nil && m.Type == pb.ChaincodeMessage_READY {
		m = &pb.ChaincodeMessage{Type: m.Type, Txid: m.Txid, ChannelId: m.ChannelId}
	}
	return m, err
}

// TestOlderPeer checks that a shim that has heard of no batches makes single requests, which come to the same.
func TestOlderPeer(t *testing.T) {
	w := way{family: goWays()[0].family, name: "older peer", inProcess: true, runtime: func(testing.TB, string) runtime.Runtime {
		return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
			return shim.StartInProc(chaincodeID, pb.As[peer.ChaincodeMessage](olderPeer{s}), new(gochaincode.Chaincode))
		})
	}}
	p := newPeer(t, w)
	p.trace.take()
	p.text("StartWriteBatch ; PutState k v ; PutPrivateData secret k w ; FinishWriteBatch")
	if got := p.text("GetMultipleStates k l ; GetMultiplePrivateData secret k"); got != "\"v\"\n\"\"\n\"w\"" {
		t.Errorf("it reads %q", got)
	}
	var asked []string
	for _, l := range matching(p.trace.take(), "^a> (PUT|GET|WRITE)") {
		asked = append(asked, strings.Fields(l)[1])
	}
	if want := []string{"PUT_STATE", "PUT_STATE", "GET_STATE", "GET_STATE", "GET_STATE"}; !slices.Equal(asked, want) {
		t.Errorf("the chaincode asks %q, want %q", asked, want)
	}
}
