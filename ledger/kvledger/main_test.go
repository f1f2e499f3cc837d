package kvledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ns = "asset"

func openMemory(t testing.TB) *kvledger.Ledger {
	t.Helper()
	return open(t, kvledger.NewProvider(openStore(t)), "mychannel")
}

func openStore(t testing.TB) *memory.Store {
	t.Helper()
	s := memory.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t testing.TB, p *kvledger.Provider, channelID string) *kvledger.Ledger {
	t.Helper()
	l, err := p.Open(t.Context(), channelID)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newSimulator(t testing.TB, l *kvledger.Ledger, txID string) *kvledger.Simulator {
	t.Helper()
	sim, err := l.NewSimulator(t.Context(), txID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Done)
	return sim.(*kvledger.Simulator)
}

// op is one step of a simulation.
type op func(t testing.TB, sim *kvledger.Simulator)

func get(keys ...string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		for _, key := range keys {
			if _, err := sim.GetState(t.Context(), ns, key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func getMany(keys ...string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if _, err := sim.GetStateMultipleKeys(t.Context(), ns, keys); err != nil {
			t.Fatal(err)
		}
	}
}

func put(key, value string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.SetState(t.Context(), ns, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
}

func del(key string) op { return put(key, "") }

// scan reads n results of a range; -1 is all of them, and the end.
func scan(start, end string, n int) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		it, err := sim.GetStateRange(t.Context(), ns, ledger.Range{Start: start, End: end})
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		for i := 0; i != n; i++ {
			kv, err := it.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if kv == nil {
				return
			}
		}
	}
}

// simulate returns the read/write set of the steps.
func simulate(t testing.TB, l *kvledger.Ledger, ops ...op) []byte {
	t.Helper()
	return results(t, l, ops...).RWSet
}

func results(t testing.TB, l *kvledger.Ledger, ops ...op) *kvledger.Results {
	t.Helper()
	sim := newSimulator(t, l, "tx")
	defer sim.Done()
	for _, o := range ops {
		o(t, sim)
	}
	results, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// commit commits read/write sets as one block.
func commit(t testing.TB, l *kvledger.Ledger, rwsets ...[]byte) []kvledger.ValidationCode {
	t.Helper()
	var all []*kvledger.Results
	for _, rwset := range rwsets {
		all = append(all, &kvledger.Results{RWSet: rwset})
	}
	return commitResults(t, l, all...)
}

// commitResults commits what was simulated as one block, private data included.
func commitResults(t testing.TB, l *kvledger.Ledger, all ...*kvledger.Results) []kvledger.ValidationCode {
	t.Helper()
	height, err := l.Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b kvledger.Block
	for i, r := range all {
		b.Transactions = append(b.Transactions, kvledger.Transaction{
			TxID: fmt.Sprintf("tx%p.%d.%d", l, height, i), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet,
		})
	}
	codes, err := l.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func state(t testing.TB, l *kvledger.Ledger, key string) string {
	t.Helper()
	sim := newSimulator(t, l, "read")
	defer sim.Done()
	value, err := sim.GetState(t.Context(), ns, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// decode returns the one namespace of a read/write set.
func decode(t testing.TB, rwset []byte) *pb.KVRWSet {
	t.Helper()
	var tx pb.TxReadWriteSet
	if err := proto.Unmarshal(rwset, &tx); err != nil {
		t.Fatal(err)
	}
	if len(tx.NsRwset) != 1 || tx.NsRwset[0].Namespace != ns {
		t.Fatalf("read/write set is %v, want one namespace", &tx)
	}
	kv := new(pb.KVRWSet)
	if err := proto.Unmarshal(tx.NsRwset[0].Rwset, kv); err != nil {
		t.Fatal(err)
	}
	return kv
}

// commitSimulation commits what a simulator has simulated.
func commitSimulation(ctx context.Context, l *kvledger.Ledger, txID string, at time.Time, sim ledger.Simulator) (kvledger.ValidationCode, error) {
	return kvledgertest.Commit(ctx, l, ledgertest.Tx{ID: txID, Timestamp: at, Simulator: sim})
}
