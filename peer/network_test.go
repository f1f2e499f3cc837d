package peer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSubmit(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice, err := n.Client("alice@Org1MSP", map[string]string{"role": "registrar"})
	if err != nil {
		t.Fatal(err)
	}
	done, err := n.Submit(t.Context(), alice, call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	if done.Status != 200 || string(done.Payload) != "done" || done.Event.Name != "Put" || done.Outcome != (peer.Outcome{TxID: done.TxID, Block: 1}) {
		t.Errorf("%+v", done)
	}
	got, err := n.Evaluate(t.Context(), alice, call("get", "k"))
	if err != nil || string(got.Payload) != "v" {
		t.Errorf("%+v, %v", got, err)
	}
	if height, err := n.Peers()[0].Channel("mychannel").Ledger().Height(t.Context()); err != nil || height != 2 {
		t.Errorf("after a submit and an evaluate there are %d blocks, %v", height, err)
	}
	b, err := n.Peers()[0].Channel("mychannel").Blocks(1).Next(t.Context())
	if err != nil || b.Transactions[0].TxID != done.TxID {
		t.Errorf("%+v, %v", b, err)
	}
}

// What two have read at the same height can be in one block, and the second one is not valid there. All peers say the same.
func TestConflict(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice@Org2MSP")
	var envelopes [][]byte
	for _, v := range []string{"v1", "v2"} {
		e, err := n.Endorse(t.Context(), alice, call("put", "k", v))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(e.Peers, " ") != "peer0.Org2MSP peer0.Org1MSP" { // the majority of three
			t.Errorf("endorsed by %v", e.Peers)
		}
		envelopes = append(envelopes, e.Envelope)
	}
	outcomes, err := n.Order(t.Context(), envelopes...)
	if err != nil {
		t.Fatal(err)
	}
	if outcomes[0].Code != kvledger.Valid || outcomes[1].Code != kvledger.MVCCReadConflict || outcomes[1].Block != 1 || outcomes[1].Position != 1 {
		t.Errorf("%+v", outcomes)
	}
	for _, p := range n.Peers() {
		ledger := p.Channel("mychannel").Ledger()
		if s, err := ledger.KeyState(t.Context(), "asset", "k"); err != nil || string(s.Value) != "v1" {
			t.Errorf("%s has %+v, %v", p.Name(), s, err)
		}
		if b, err := ledger.Block(t.Context(), 1); err != nil || b.Transactions[1].Code != kvledger.MVCCReadConflict {
			t.Errorf("%s has %+v, %v", p.Name(), b, err)
		}
	}
}

// Each way in which a call fails has a type of error.
func TestErrors(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	deploy(t, n, peer.Chaincode{Name: "passive"})
	alice := client(t, n, "alice@Org1MSP")
	submit := func(change func(*peer.Call), function string, args ...string) error {
		c := call(function, args...)
		if change != nil {
			change(&c)
		}
		_, err := n.Submit(t.Context(), alice, c)
		if _, evaluated := n.Evaluate(t.Context(), alice, c); err == nil && evaluated != nil {
			t.Errorf("%s can be submitted, and not evaluated: %v", function, evaluated)
		}
		return err
	}

	var refused *peer.RefusedError
	if err := submit(nil, "nothing"); !errors.As(err, &refused) || refused.Status != 404 || err.Error() != "chaincode response 404, no function nothing" {
		t.Errorf("a status of 404: %v", err)
	}
	if err := submit(nil, "put", "", ""); !errors.As(err, &refused) || refused.Status != 500 || refused.RWSet == nil || refused.Peer != "peer0.Org1MSP" {
		t.Errorf("a status of 500: %v", err)
	}
	var mismatch *peer.MismatchError
	if err := submit(nil, "count", "k"); !errors.As(err, &mismatch) || len(mismatch.Peers) != 2 || len(mismatch.Payloads) != 2 {
		t.Errorf("not deterministic: %v", err)
	}
	var proposal *peer.ProposalError
	late := func(c *peer.Call) { c.Timestamp = time.Now().Add(-time.Hour) }
	if err := submit(late, "get", "k"); !errors.As(err, &proposal) || !strings.Contains(err.Error(), "incorrect timestamp") {
		t.Errorf("a proposal of an hour ago: %v", err)
	}
	for text, change := range map[string]func(*peer.Call){
		"chaincode other not found":                                       func(c *peer.Call) { c.Chaincode, c.Endorsers = "other", []string{"Org1MSP"} },
		"channel 'other' not found":                                       func(c *peer.Call) { c.Channel = "other" },
		`no peer of channel mychannel has chaincode "other": deploy it`:   func(c *peer.Call) { c.Chaincode = "other" },
		`no peer of channel mychannel has chaincode "passive": deploy it`: func(c *peer.Call) { c.Chaincode = "passive" },
		`there is no peer "Org9MSP"`:                                      func(c *peer.Call) { c.Endorsers = []string{"Org9MSP"} },
		"ProposalParams.Chaincode is empty":                               func(c *peer.Call) { c.Chaincode = "" },
	} {
		if err := submit(change, "get", "k"); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	var refusal *ordering.Error
	if _, err := n.Order(t.Context(), []byte("no envelope")); err == nil {
		t.Error("what is no envelope is ordered")
	}
	e, err := n.Endorse(t.Context(), alice, call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	e.Envelope[len(e.Envelope)-1] ^= 1 // in the signature
	if _, err := n.Order(t.Context(), e.Envelope); !errors.As(err, &refusal) || refusal.Status != ordering.Forbidden {
		t.Errorf("a wrong signature: %v", err)
	}
}

// Somebody who doesn't wait is told that nobody knows.
func TestNotCommittedInTime(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Batch: ordering.Batch{Timeout: time.Hour}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	e, err := n.Endorse(t.Context(), client(t, n, "alice@Org1MSP"), call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var unknown *peer.UnknownError
	if _, err := n.Order(ctx, e.Envelope); !errors.As(err, &unknown) || !errors.Is(err, context.DeadlineExceeded) || unknown.TxID != e.TxID {
		t.Errorf("got %v", err)
	}
	// Another one fills no block either, but together they are one.
	e, err = n.Endorse(t.Context(), client(t, n, "alice@Org1MSP"), call("put", "l", "v"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := n.Endorse(t.Context(), client(t, n, "alice@Org1MSP"), call("put", "m", "v"))
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := n.Order(t.Context(), e.Envelope, second.Envelope)
	if err != nil || outcomes[0].Block != 2 || outcomes[1].Block != 2 {
		t.Errorf("%+v, %v", outcomes, err)
	}
}
