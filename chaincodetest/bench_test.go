package chaincodetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

func BenchmarkSubmit(b *testing.B) {
	for name, options := range map[string][]chaincodetest.Option{
		"twice": nil, "once": {chaincodetest.WithoutDeterminism()},
	} {
		b.Run(name, func(b *testing.B) {
			_, alice := newNet(b, options...)
			alice.Submit("basic", "Create", "a1", 5).OK()
			for b.Loop() {
				alice.Submit("basic", "Transfer", "a1", "bob").OK()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			net, _ := newNet(b, options...)
			b.RunParallel(func(p *testing.PB) {
				alice := net.As("alice", "name", "alice")
				for i := 0; p.Next(); i++ {
					alice.Submit("basic", "Owned", fmt.Sprint(i)).OK()
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
