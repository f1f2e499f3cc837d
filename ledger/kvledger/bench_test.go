package kvledger_test

import (
	"fmt"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

func BenchmarkNewSimulatorAndGetState(b *testing.B) {
	l := openMemory(b)
	fill(b, l, 10000)
	b.ReportAllocs()
	for b.Loop() {
		sim, err := l.NewSimulator(b.Context(), "tx")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := sim.GetState(b.Context(), ns, "k5000"); err != nil {
			b.Fatal(err)
		}
		sim.Done()
	}
}

// keys are enough for a benchmark to use each one a few times only.
func keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%04d", i)
	}
	return keys
}

func BenchmarkGetState(b *testing.B) {
	l := openMemory(b)
	fill(b, l, 10000)
	sim, all := newSimulator(b, l, "tx"), keys(10000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := sim.GetState(b.Context(), ns, all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetState(b *testing.B) {
	sim, all, value := newSimulator(b, openMemory(b), "tx"), keys(10000), []byte("value")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := sim.SetState(b.Context(), ns, all[i%len(all)], value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResults(b *testing.B) {
	l := openMemory(b)
	fill(b, l, 100)
	b.ReportAllocs()
	for b.Loop() {
		simulate(b, l, get("k0001", "k0002"), put("k0001", "v"), put("k0002", "v"))
	}
}

func BenchmarkRange10000(b *testing.B) {
	l := openMemory(b)
	fill(b, l, 10000)
	b.ReportAllocs()
	for b.Loop() {
		sim, err := l.NewSimulator(b.Context(), "tx")
		if err != nil {
			b.Fatal(err)
		}
		it, err := sim.GetStateRange(b.Context(), ns, all)
		if err != nil {
			b.Fatal(err)
		}
		wantResults(b, it, 10000)
		sim.Done()
	}
}

// wantResults reads an iterator to its end, which must be behind n results, and closes it.
func wantResults(b *testing.B, it ledger.Iterator, n int) {
	b.Helper()
	defer it.Close()
	for got := 0; ; got++ {
		kv, err := it.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if kv == nil {
			if got != n {
				b.Fatalf("%d results, want %d", got, n)
			}
			return
		}
	}
}

func BenchmarkPrivateResults(b *testing.B) {
	l := openMemory(b)
	commitResults(b, l, results(b, l, putPrivate("a", "1"), putPrivate("b", "1")))
	b.ReportAllocs()
	for b.Loop() {
		results(b, l, getPrivate("a", "b"), putPrivate("a", "v"), putPrivate("b", "v"))
	}
}

// BenchmarkQuery10000 looks at 10,000 documents for 100 of them.
func BenchmarkQuery10000(b *testing.B) {
	l := openMemory(b)
	var puts []op
	for i := range 10000 {
		puts = append(puts, put(fmt.Sprintf("k%04d", i), fmt.Sprintf(`{"docType":"asset","owner":"o%d","size":%d}`, i%100, i)))
	}
	commit(b, l, simulate(b, l, puts...))
	b.ReportAllocs()
	for b.Loop() {
		sim := newSimulator(b, l, "tx")
		it, err := sim.ExecuteQuery(b.Context(), ns, `{"selector":{"owner":"o7"}}`, ledger.Page{})
		if err != nil {
			b.Fatal(err)
		}
		wantResults(b, it, 100)
		sim.Done()
	}
}

// BenchmarkCommit500 commits blocks of 500 transactions of 2 reads and 2 writes, which were simulated outside of
// what is measured. The ledger makes the envelopes, or is given them.
func BenchmarkCommit500(b *testing.B) {
	b.Run("envelopes", func(b *testing.B) { benchmarkCommit(b, true) })
	b.Run("read/write sets", func(b *testing.B) { benchmarkCommit(b, false) })
}

func benchmarkCommit(b *testing.B, enveloped bool) {
	const size = 500
	l := openMemory(b)
	fill(b, l, 10000)
	all := keys(10000)
	b.ReportAllocs()
	b.StopTimer()
	for n := 0; n < b.N; n++ {
		var block kvledger.Block
		for i := range size {
			one, two := all[2*i+(n%10)*1000], all[2*i+1+(n%10)*1000]
			rwset := simulate(b, l, get(one, two), put(one, "v"), put(two, "v"))
			tx := kvledger.Transaction{TxID: fmt.Sprintf("%d.%d", n, i), RWSet: rwset}
			if enveloped {
				tx.Envelope, tx.RWSet = envelopeOf(b, tx), nil
			}
			block.Transactions = append(block.Transactions, tx)
		}
		b.StartTimer()
		codes, err := l.Commit(b.Context(), block)
		b.StopTimer()
		if err != nil || codes[0] != kvledger.Valid || codes[size-1] != kvledger.Valid {
			b.Fatalf("%v, %v", codes, err)
		}
	}
	b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "tx/s")
}

// What an endorser asks beside the results, of a transaction that writes two keys.
func BenchmarkInterest(b *testing.B) {
	for _, c := range []struct {
		name     string
		metadata []op
	}{
		{"channel without metadata", nil},
		{"keys without metadata", []op{setMetadata("k0050", "VALIDATION_PARAMETER=p")}},
		{"keys with policies", []op{setMetadata("k0001", "VALIDATION_PARAMETER=p"), setMetadata("k0002", "VALIDATION_PARAMETER=p")}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := openMemory(b)
			fill(b, l, 100)
			commit(b, l, simulate(b, l, c.metadata...))
			sim := newSimulator(b, l, "tx")
			for _, o := range []op{get("k0001", "k0002"), put("k0001", "v"), put("k0002", "v")} {
				o(b, sim)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sim.Interest(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
