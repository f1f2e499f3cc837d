package chaincodesupport_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/shim"
)

// BenchmarkExecute is a transaction that does nothing, on chaincode in process.
func BenchmarkExecute(b *testing.B) {
	nothing := func(stub) *shim.Response { return shim.Success(nil) }
	for _, callers := range []int{1, 32} {
		b.Run(strconv.Itoa(callers)+" callers a CPU", func(b *testing.B) {
			cs := newSupport(b, chaincodesupport.Config{Runtimes: inProcess(b, map[string]function{"noop": nothing})})
			if err := cs.Launch(b.Context(), "noop"); err != nil {
				b.Fatal(err)
			}
			var txID atomic.Int64
			in := input("nothing")
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := cs.Execute(b.Context(), "noop", params(strconv.FormatInt(txID.Add(1), 10)), in); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
