package kvledger_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/copying"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// A query's iterator says how much it keeps, at least about as much as there is.
func TestKept(t *testing.T) {
	l := open(t, kvledger.NewProvider(copying.Store{Store: openStore(t)}), "ch")
	defineIndexes(t, l, `["n"]`)
	for i := range 8 {
		document := fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 512<<10))
		commitResults(t, l, results(t, l, put(fmt.Sprint("k", i), document)))
	}
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, query := range map[string]string{
		"read ahead":      `{"selector":{"n":{"$gte":0}}}`,
		"list":            `{"selector":{"n":{"$gte":0},"a":{"$not":{"$in":` + list(`123456`, 100_000) + `}}}}`,
		"list of objects": `{"selector":{"n":{"$gte":0},"a":{"$not":{"$eq":` + list(`{"a":{}}`, 100_000) + `}}}}`,
		"long text":       `{"selector":{"n":{"$gte":0},"a":{"$not":{"$eq":"` + strings.Repeat("x", 7<<20) + `"}}}}`,
		"conditions":      `{"selector":{"n":{"$gte":0},"$nor":` + list(`{"abc":{"$lt":"x"}}`, 50_000) + `}}`,
		"patterns":        `{"selector":{"n":{"$gte":0},"$nor":` + list(`{"a":{"$regex":"abc(d|e)"}}`, 1000) + `}}`,
	} {
		sim := newSimulator(t, l, "tx")
		before := heapInUse()
		it, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
		if err != nil {
			t.Fatal(name, err)
		}
		opened, keptOpened := heapInUse()-before, it.(interface{ Kept() int }).Kept()
		next, _ := it.Next(t.Context())
		read, keptRead := heapInUse()-before, it.(interface{ Kept() int }).Kept()
		t.Logf("%s: of %d bytes it says %d; of %d it says %d", name, opened, keptOpened, read, keptRead)
		for _, x := range [][2]int{{opened, keptOpened}, {read, keptRead}} {
			if x[0] > x[1]+2<<20 || x[1] > 2*x[0]+1<<20 {
				t.Errorf("%s: of %d bytes it says %d", name, x[0], x[1])
			}
		}
		it.Close()
		runtime.KeepAlive(next)
		sim.Done()
	}
}
