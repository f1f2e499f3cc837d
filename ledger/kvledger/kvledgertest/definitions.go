package kvledgertest

import (
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// testDefinitions has private data expire. One collection lives for one block, and another one lives for ever.
func testDefinitions(t *testing.T, s store.Store) {
	l := OpenLedger(t, s, "mychannel")
	d := kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: coll}, {Name: "brief", BlockToLive: 1}}}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
	l = OpenLedger(t, s, "mychannel") // the definition is in the store
	for block := range uint64(4) {
		sim, err := Simulate(t.Context(), l, "tx")
		if err != nil {
			t.Fatal(err)
		}
		for collection, there := range map[string]bool{coll: block > 0, "brief": block > 0 && block < 3} {
			value, err := sim.GetPrivateData(t.Context(), ns, collection, "k")
			hash, hashErr := sim.GetPrivateDataHash(t.Context(), ns, collection, "k")
			if (string(value) == "v") != there || (hash != nil) != there || err != nil || hashErr != nil {
				t.Errorf("at height %d, %s has %q, %v, hash %x, %v", block, collection, value, err, hash, hashErr)
			}
		}
		if _, err := sim.GetPrivateData(t.Context(), ns, "undefined", "k"); err == nil {
			t.Error("a collection that is not defined has data")
		}
		sim.Done()
		if block > 0 {
			want := []string{"brief", coll}
			if block == 3 {
				want = want[1:]
			}
			if got := collectionsOf(t, l, 0); !slices.Equal(got, want) {
				t.Errorf("at height %d, block 0 has private data of %v, want %v", block, got, want)
			}
		}
		commitKeys(t, l, block)
	}
}

// collectionsOf returns of which collections a block's private data is there.
func collectionsOf(t *testing.T, l *kvledger.Ledger, block uint64) (names []string) {
	t.Helper()
	sets, err := kvledger.PrivateDataOf(t.Context(), l, block)
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range sets[0].GetNsPvtRwset() {
		for _, c := range ns.GetCollectionPvtRwset() {
			names = append(names, c.GetCollectionName())
		}
	}
	return names
}

// commitKeys commits a block. The first one writes the key k of both collections.
func commitKeys(t *testing.T, l *kvledger.Ledger, block uint64) {
	t.Helper()
	sim, err := Simulate(t.Context(), l, "tx")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	key := "k"
	if block > 0 {
		key = "other"
	}
	for _, collection := range []string{coll, "brief"} {
		if err := sim.SetPrivateData(t.Context(), ns, collection, key, []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	results, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx := kvledger.Transaction{TxID: string(rune('a' + block)), RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet}
	if code, err := l.CommitTx(t.Context(), tx); code != kvledger.Valid || err != nil {
		t.Fatal(code, err)
	}
}
