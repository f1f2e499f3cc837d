package chaincodetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// BenchmarkFirstTransaction is a network from its beginning to its first transaction. Its end isn't counted.
func BenchmarkFirstTransaction(b *testing.B) {
	for b.Loop() {
		t := &recorder{TB: b}
		_, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		b.StopTimer()
		t.end()
		b.StartTimer()
	}
}

// BenchmarkSubmit submits transactions of a get, a put and an event. What is checked beside the ledger's validation stands in the
// names.
func BenchmarkSubmit(b *testing.B) {
	for _, c := range []struct {
		name    string
		options []chaincodetest.Option
	}{
		{"all", nil},
		{"signatures", []chaincodetest.Option{chaincodetest.WithoutDeterminism()}},
		{"determinism", []chaincodetest.Option{chaincodetest.WithoutSignatures()}},
		{"neither", []chaincodetest.Option{chaincodetest.WithoutSignatures(), chaincodetest.WithoutDeterminism()}},
	} {
		b.Run(c.name, func(b *testing.B) {
			_, alice := newNet(b, c.options...)
			alice.Submit("basic", "Create", "a1", 5).OK()
			for b.Loop() {
				alice.Submit("basic", "Transfer", "a1", "bob").OK()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			net, _ := newNet(b, c.options...)
			var clients atomic.Int64
			b.RunParallel(func(p *testing.PB) {
				key := fmt.Sprint("k", clients.Add(1))
				alice := net.As("alice", "name", "alice")
				alice.Submit("basic", "Create", key, 5).OK()
				for p.Next() {
					alice.Submit("basic", "Transfer", key, "bob").OK()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// BenchmarkRevert is a snapshot of 100,000 keys and the way back to it.
func BenchmarkRevert(b *testing.B) {
	net, _ := newNet(b)
	file := filepath.Join(b.TempDir(), "state.json")
	state := map[string]map[string]int{"basic": {}}
	for i := range 100_000 {
		state["basic"][fmt.Sprintf("%08d", i)] = i
	}
	text, err := json.Marshal(state)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	net.Load(file)
	for b.Loop() {
		net.Revert(net.Snapshot())
	}
}
