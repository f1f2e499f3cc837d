package kvledger_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestHashOfNothing commits hashes of nothing, which older peers of Fabric write: they delete, with the metadata, and the
// value where it is known.
func TestHashOfNothing(t *testing.T) {
	for name, w := range map[string]*pb.KVWriteHash{
		"delete with a value": {KeyHash: hash([]byte("k")), IsDelete: true},
		"no hash":             {KeyHash: hash([]byte("k"))},
		"hash of nothing":     {KeyHash: hash([]byte("k")), ValueHash: hash(nil)},
		"delete with a hash":  {KeyHash: hash([]byte("k")), ValueHash: hash([]byte("v")), IsDelete: true},
		"delete without hash": {KeyHash: hash([]byte("k")), IsDelete: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := openMemory(t)
			commitResults(t, l, results(t, l, putPrivate("k", "v"), setPrivateMetadata("k", "a=1")))
			write := &pb.KVWrite{Key: "k"}
			if name == "delete with a value" {
				write.IsDelete, write.Value = true, []byte("v")
			}
			known := marshal(t, &pb.KVRWSet{Writes: []*pb.KVWrite{write}})
			set := hashedSetOf(t, coll, w)
			set.PvtRwsetHash = hash(known)
			r := &kvledger.Results{
				RWSet: marshal(t, &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{{
					Namespace: ns, CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{set},
				}}}),
				PrivateRWSet: marshal(t, &pb.TxPvtReadWriteSet{NsPvtRwset: []*pb.NsPvtReadWriteSet{{
					Namespace: ns, CollectionPvtRwset: []*pb.CollectionPvtReadWriteSet{{CollectionName: coll, Rwset: known}},
				}}}),
			}
			if got := commitResults(t, l, r); got[0] != valid {
				t.Fatalf("code is %v", got[0])
			}
			if value, hashed, err := private(t, l, "k"); value != "" || hashed != "" || err != nil {
				t.Errorf("k is %q, hash %x, %v, want nothing", value, hashed, err)
			}
			m, err := newSimulator(t, l, "tx").GetPrivateDataMetadata(t.Context(), ns, coll, "k")
			if len(m) > 0 || err != nil {
				t.Errorf("metadata is %v, %v", m, err)
			}
		})
	}
}

// TestCallersDuplicate commits a transaction that only the caller knows to be a duplicate: its ID is used by it.
func TestCallersDuplicate(t *testing.T) {
	l := openMemory(t)
	rwset := simulate(t, l, put("k", "v"))
	for i, code := range []kvledger.ValidationCode{duplicate, valid} {
		got, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: "a", RWSet: rwset, Code: code})
		if err != nil || got != duplicate {
			t.Errorf("block %d: %v, %v, want %v", i, got, err, duplicate)
		}
	}
	tx, err := l.Transaction(t.Context(), "a")
	if err != nil || tx.Code != duplicate || tx.Version != (kvledger.Version{}) {
		t.Errorf("transaction is %+v, %v", tx, err)
	}
}

// TestPrivateQueriesThatFail makes queries of a collection that is not defined. What Fabric's simulator refuses them for
// first is a write before them; and no write may follow.
func TestPrivateQueriesThatFail(t *testing.T) {
	l := openMemory(t)
	define(t, l, ledger.CollectionConfig{Name: "other"})
	for name, query := range map[string]func(*kvledger.Simulator) error{
		"range": func(sim *kvledger.Simulator) error {
			return second(sim.GetPrivateDataRange(t.Context(), ns, coll, ledger.Range{}))
		},
		"rich query": func(sim *kvledger.Simulator) error {
			return second(sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, `{"selector":{}}`))
		},
	} {
		sim := newSimulator(t, l, "tx")
		put("k", "v")(t, sim)
		wantErrorHas(t, name+" after a write", query(sim), "Queries on pvt data is supported only in a read-only transaction")
		sim = newSimulator(t, l, "tx")
		wantErrorHas(t, name, query(sim), "collection [secrets] not defined")
		wantErrorHas(t, "write after a "+name, sim.SetState(t.Context(), ns, "k", nil), "Transaction has already performed queries on pvt data")
	}
}

// TestCollectionConfigIsACopy changes what a simulator has returned, which changes nothing for others.
func TestCollectionConfigIsACopy(t *testing.T) {
	l := openMemory(t)
	define(t, l, ledger.CollectionConfig{Name: coll, BlockToLive: 1})
	for range 2 {
		c, err := newSimulator(t, l, "tx").GetCollectionConfig(t.Context(), ns, coll)
		if err != nil || *c != (ledger.CollectionConfig{Name: coll, BlockToLive: 1}) {
			t.Fatalf("collection is %+v, %v", c, err)
		}
		c.Name, c.BlockToLive = "other", 0
	}
}
