package chaincodetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// usage reports what each of a benchmark's operations has cost: its time, the CPU's, and how many a second there were. On a machine that
// others use, only the CPU's says something: cores/(its time) are as many a second as the machine can make.
type usage struct {
	b     *testing.B
	began time.Time
	cpu   time.Duration
}

func begin(b *testing.B) usage { return usage{b, time.Now(), cpuTime()} }

func (u usage) report(what string) {
	n := float64(u.b.N)
	took, cpu := time.Since(u.began), cpuTime()-u.cpu
	u.b.ReportMetric(took.Seconds()*1e3/n, "ms/"+what)
	u.b.ReportMetric(cpu.Seconds()*1e3/n, "cpu-ms/"+what)
	u.b.ReportMetric(n/took.Seconds(), what+"s/s")
	u.b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstTransaction is a network from its beginning to its first transaction, and its end.
func BenchmarkFirstTransaction(b *testing.B) {
	for name, options := range map[string][]chaincodetest.Option{"all": nil, "neither": {chaincodetest.WithoutSignatures(), chaincodetest.WithoutDeterminism()}} {
		b.Run(name, func(b *testing.B) {
			u := begin(b)
			for b.Loop() {
				t := &recorder{TB: b}
				_, alice := newNet(t, options...)
				alice.Submit("basic", "Create", "a1", 5).OK()
				t.end()
			}
			u.report("first")
		})
	}
}

// BenchmarkSubmit submits transactions of a get, a put and an event, from one goroutine, and from as many as there are cores. What is
// checked beside the ledger's validation stands in the names.
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
		b.Run(c.name+"/one", func(b *testing.B) {
			_, alice := newNet(b, c.options...)
			alice.Submit("basic", "Create", "a1", 5).OK()
			alice.Submit("basic", "Transfer", "a1", "bob").OK() // the first one runs more often
			u := begin(b)
			for b.Loop() {
				alice.Submit("basic", "Transfer", "a1", "bob").OK()
			}
			u.report("submit")
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			net, alice := newNet(b, c.options...)
			alice.Submit("basic", "Create", "a1", 5).OK()
			alice.Submit("basic", "Transfer", "a1", "bob").OK()
			var clients atomic.Int64
			b.ResetTimer()
			u := begin(b)
			b.RunParallel(func(p *testing.PB) {
				key := fmt.Sprint("k", clients.Add(1))
				alice := net.As("alice")
				alice.Submit("basic", "Create", key, 5).OK()
				for p.Next() {
					alice.Submit("basic", "Transfer", key, "bob").OK()
				}
			})
			u.report("submit")
		})
	}
}

// BenchmarkRevert is a snapshot of 100,000 keys and the way back to it.
func BenchmarkRevert(b *testing.B) {
	for name, options := range map[string][]chaincodetest.Option{"network": nil, "unsigned": {chaincodetest.WithoutSignatures()}} {
		b.Run(name, func(b *testing.B) {
			net, alice := newNet(b, options...)
			net.Load(manyKeys(b))
			u := begin(b)
			for b.Loop() {
				net.Revert(net.Snapshot())
			}
			u.report("revert")
			alice.Submit("basic", "Create", "a1", 5).OK()
		})
	}
}

// manyKeys writes a file with 100,000 keys.
func manyKeys(b *testing.B) string {
	b.Helper()
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
	return file
}
