package peer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/shim"
)

// A network goes back to states in any order, with all its peers, and goes on from there.
func TestRestore(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations, Channels: []string{"mychannel", "other"}})
	alice := client(t, n, "alice@Org1MSP")
	empty, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	put := func(v string) {
		t.Helper()
		if _, err := n.Submit(t.Context(), alice, call("put", "k", v)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(v string, height uint64) {
		t.Helper()
		for _, p := range n.Peers() {
			l := p.Channel("mychannel").Ledger()
			got, err := l.Height(t.Context())
			s, err2 := l.KeyState(t.Context(), "asset", "k")
			if err != nil || err2 != nil || got != height || (s == nil) != (v == "") || s != nil && string(s.Value) != v {
				t.Errorf("%s has %+v at height %d, %v, %v; want %q at %d", p.Name(), s, got, err, err2, v, height)
			}
		}
	}
	put("v1")
	one, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late, err := n.Endorse(t.Context(), alice, call("put", "k", "late"))
	if err != nil {
		t.Fatal(err)
	}
	put("v2")
	put("v3")
	for range 3 {
		if err := n.Restore(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		want("v1", 2)
		put("v4")
		want("v4", 3)
	}
	outcomes, err := n.Order(t.Context(), late.Envelope)
	if err != nil || outcomes[0].Code != kvledger.MVCCReadConflict {
		t.Errorf("late: %+v, %v", outcomes, err)
	}
	if err := n.Restore(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	want("", 1)
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err == nil || !strings.Contains(err.Error(), "deploy it") {
		t.Errorf("what was deployed after it: %v", err)
	}
	if err := n.Restore(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	put("v5")
	want("v5", 3)
	if err := n.Restore(t.Context(), nil); err == nil {
		t.Error("no state was restored")
	}
}

// What ran a chaincode when the network was saved runs it again, also if another version has taken its ID.
func TestRestoreRuntimes(t *testing.T) {
	for _, ids := range [][2]string{{"", ""}, {"asset:x", "asset:x"}, {"asset:x", "asset:y"}} {
		n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
		alice := client(t, n, "alice@Org1MSP")
		deploy(t, n, peer.Chaincode{Name: "asset", Version: "1", ID: ids[0], Runtime: runs(asset)})
		saved, err := n.Save(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		deploy(t, n, peer.Chaincode{Name: "asset", Version: "2", ID: ids[1], Runtime: runs(func(shim.ChaincodeStubInterface) *shim.Response { return shim.Error("version 2") })})
		if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%v: the other version said %v", ids, err)
		}
		if err := n.Restore(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err != nil {
			t.Errorf("%v: after Restore: %v", ids, err)
		}
	}
}

// The same call with the same nonce is the same transaction.
func TestNonce(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice@Org1MSP")
	c := call("put", "k", "v")
	c.Nonce = []byte("once")
	var ids []string
	for range 2 {
		e, err := n.Endorse(t.Context(), alice, c)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.TxID)
	}
	if ids[0] != ids[1] {
		t.Errorf("IDs are %v", ids)
	}
}

// mortal is a context that ends when it was asked some times whether it has.
type mortal struct {
	context.Context
	end   context.CancelFunc
	asked atomic.Int32
	most  int32
}

func (m *mortal) Err() error {
	if m.asked.Add(1) > m.most {
		m.end()
	}
	return m.Context.Err()
}

// F235: whoever restores a network waits no longer, at any moment. The network is what it was, or what it is to be, and goes on.
func TestRestoreIsCutOff(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	saved, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for most := range int32(8) {
		ctx, cancel := context.WithCancel(t.Context())
		err := n.Restore(&mortal{Context: ctx, end: cancel, most: most}, saved)
		cancel()
		if most == 0 && !errors.Is(err, context.Canceled) {
			t.Errorf("of a context that has ended: %v", err)
		}
		if _, err := n.Submit(t.Context(), client(t, n, "alice"), call("put", "k", "v")); err != nil {
			t.Fatalf("cut off at %d: %v", most, err)
		}
		sameBlocks(t, n)
	}
}

func BenchmarkRestore(b *testing.B) {
	n := newNetwork(b, peer.NetworkConfig{})
	for b.Loop() {
		s, err := n.Save(b.Context())
		if err == nil {
			err = n.Restore(b.Context(), s)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
