package interop_test

import (
	"fmt"
	"testing"
	"time"
)

// TestNodeByNext reads what TestRows reads, which a Node chaincode does with "for await", through the iterators' own
// methods.
func TestNodeByNext(t *testing.T) {
	eachNodeWay(t, func(t *testing.T, w way) {
		if w.listen == nil {
			t.Skip("the shim is the same for a server")
		}
		p := newPeer(t, w)
		p.writeRows()
		read := func(n int, question string, query, want []string) {
			t.Helper()
			p.trace.take()
			wantLines(t, p.success(call{args: append([]string{"ByNext"}, query...)}), want)
			wantMessages(t, p.trace.take(), question, (n-1)/100)
		}
		for _, n := range counts {
			for _, q := range queries {
				read(n, q.question, q.call(n), q.rows(n))
			}
			var changes []string
			for i := n - 1; i >= 0; i-- {
				changes = append(changes, fmt.Sprintf("version%d %s %d", i, began.Format(time.RFC3339), i))
			}
			read(n, "GET_HISTORY_FOR_KEY", []string{"GetHistoryForKey", historyOf(n)}, changes)
		}
	})
}
