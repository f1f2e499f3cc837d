package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// counts are the numbers of rows that every kind of iterator is read with: at and around full pages of 100.
var counts = []int{1, 99, 100, 101, 200, 201, 1000}

// query is a kind of query, by which n rows can be read.
type query struct {
	name     string
	question string                       // the type of the message that asks for it
	call     func(n int) []string         // reads all of them
	page     func(n, size int) pageCall   // reads some of them; nil for a kind that has no pages
	key      func(n, i int) string        // of the i-th row
	value    func(n, i int) string        // of the i-th row
	pages    func(n, size int) (most int) // that it takes to see the end
}

// pageCall returns the call for a page.
type pageCall func(bookmark string) []string

// TestRows reads each number of rows through every kind of iterator: all of them arrive, in order and once, in no more
// messages than it takes.
func TestRows(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		p.writeRows()
		for _, n := range counts {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				for _, q := range queries {
					t.Run(q.name, func(t *testing.T) { q.read(t, p, n) })
				}
				t.Run("GetHistoryForKey", func(t *testing.T) { readHistory(t, p, n) })
			})
		}
	})
}

// writeRows commits what is to be read: for each of the counts that many rows of each kind, in public and in private,
// and a key with that many values.
func (p *testPeer) writeRows() {
	for _, n := range counts {
		all := map[string]string{}
		for i := range n {
			all[simpleKey(n, i)] = number(n, i)
			all[compositeKey(n, i)] = number(n, i)
			all[documentKey(n, i)] = document(n, i)
		}
		p.write(fmt.Sprint("rows", n), all)
		p.writeCollection(fmt.Sprint("private", n), secret, all)
	}
	for i := range slices.Max(counts) {
		p.write(fmt.Sprint("version", i), history(i))
	}
}

const secret = "secret" // a collection

func rowsOf(n int) string          { return fmt.Sprintf("n%d-", n) }
func simpleKey(n, i int) string    { return rowKey(rowsOf(n), i) }
func compositeKey(n, i int) string { return fmt.Sprintf("\x00n%d\x00%04d\x00", n, i+1) }
func documentKey(n, i int) string  { return rowKey(fmt.Sprintf("d%d-", n), i) }
func number(_, i int) string       { return fmt.Sprint(i + 1) }
func document(n, i int) string     { return fmt.Sprintf(`{"i":%d,"of":%d}`, i+1, n) }
func selector(n int) string        { return fmt.Sprintf(`{"selector":{"of":%d}}`, n) }

// queries are all kinds, but the history of a key.
var queries = []query{
	{
		name: "GetStateByRange", question: "GET_STATE_BY_RANGE", key: simpleKey, value: number, pages: enough,
		call: func(n int) []string { return []string{"GetStateByRange", rowsOf(n), rowsOf(n) + "~"} },
		page: func(n, size int) pageCall {
			return func(bookmark string) []string {
				return []string{"GetStateByRangeWithPagination", rowsOf(n), rowsOf(n) + "~", fmt.Sprint(size), bookmark}
			}
		},
	},
	{
		name: "GetStateByPartialCompositeKey", question: "GET_STATE_BY_RANGE", key: compositeKey, value: number, pages: enough,
		call: func(n int) []string { return []string{"GetStateByPartialCompositeKey", fmt.Sprint("n", n)} },
		page: func(n, size int) pageCall {
			return func(bookmark string) []string {
				return []string{"GetStateByPartialCompositeKeyWithPagination", fmt.Sprint(size), bookmark, fmt.Sprint("n", n)}
			}
		},
	},
	{
		name: "GetQueryResult", question: "GET_QUERY_RESULT", key: documentKey, value: document, pages: oneMore,
		call: func(n int) []string { return []string{"GetQueryResult", selector(n)} },
		page: func(n, size int) pageCall {
			return func(bookmark string) []string {
				return []string{"GetQueryResultWithPagination", selector(n), fmt.Sprint(size), bookmark}
			}
		},
	},
	{
		name: "GetPrivateDataByRange", question: "GET_STATE_BY_RANGE", key: simpleKey, value: number,
		call: func(n int) []string { return []string{"GetPrivateDataByRange", secret, rowsOf(n), rowsOf(n) + "~"} },
	},
	{
		name: "GetPrivateDataByPartialCompositeKey", question: "GET_STATE_BY_RANGE", key: compositeKey, value: number,
		call: func(n int) []string {
			return []string{"GetPrivateDataByPartialCompositeKey", secret, fmt.Sprint("n", n)}
		},
	},
	{
		name: "GetPrivateDataQueryResult", question: "GET_QUERY_RESULT", key: documentKey, value: document,
		call: func(n int) []string { return []string{"GetPrivateDataQueryResult", secret, selector(n)} },
	},
}

// enough is the number of pages where the last one's bookmark is empty, and oneMore where a bookmark never is: that the
// rows have come to their end is seen by a page that isn't full.
func enough(n, size int) int  { return (n + size - 1) / size }
func oneMore(n, size int) int { return n/size + 1 }

// read reads all rows at once, and in pages of 100 and of as many as there are.
func (q query) read(t *testing.T, p *testPeer, n int) {
	p.trace.take()
	wantLines(t, p.success(call{args: q.call(n)}), q.rows(n))
	wantMessages(t, p.trace.take(), q.question, (n-1)/100)
	if q.page == nil {
		return
	}
	for _, size := range slices.Compact([]int{100, n}) {
		q.readPages(t, p, n, size)
	}
}

// readPages reads the rows in pages, a transaction for each.
func (q query) readPages(t *testing.T, p *testPeer, n, size int) {
	var got []string
	bookmark, fetched, pages := "", size, 0
	for pages == 0 || bookmark != "" && fetched == size {
		p.trace.take()
		text := p.success(call{args: q.page(n, size)(bookmark)})
		wantMessages(t, p.trace.take(), q.question, 0)
		lines := strings.Split(strings.TrimPrefix(text, "\n"), "\n")
		last := len(lines) - 1
		if _, err := fmt.Sscanf(lines[last], "%d %q", &fetched, &bookmark); err != nil || fetched != last {
			t.Fatalf("a page of %d records ends in %q: %v", last, lines[last], err)
		}
		got = append(got, lines[:last]...)
		pages++
	}
	wantLines(t, strings.Join(got, "\n"), q.rows(n))
	if want := q.pages(n, size); pages != want {
		t.Errorf("%d rows, %d a page: %d pages, want %d", n, size, pages, want)
	}
}

// rows are n rows, as chaincode says them.
func (q query) rows(n int) []string {
	var rows []string
	for i := range n {
		rows = append(rows, q.key(n, i)+"="+q.value(n, i))
	}
	return rows
}

// history returns the i-th values of the keys that are to have more than i of them.
func history(i int) map[string]string {
	m := map[string]string{}
	for _, n := range counts {
		if i < n {
			m[historyOf(n)] = fmt.Sprint(i)
		}
	}
	return m
}

// historyOf is the key that has n values.
func historyOf(n int) string { return fmt.Sprintf("history%d", n) }

func readHistory(t *testing.T, p *testPeer, n int) {
	p.trace.take()
	got := p.text("GetHistoryForKey " + historyOf(n))
	var want []string
	for i := n - 1; i >= 0; i-- {
		want = append(want, fmt.Sprintf("version%d %s %d", i, began.Format(time.RFC3339), i))
	}
	wantLines(t, got, want)
	wantMessages(t, p.trace.take(), "GET_HISTORY_FOR_KEY", (n-1)/100)
}

func wantLines(t *testing.T, text string, want []string) {
	t.Helper()
	if got := strings.Split(text, "\n"); !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d:\n%.1000q\nwant\n%.1000q", len(got), len(want), text, strings.Join(want, "\n"))
	}
}

// wantMessages checks what a query asks: the question, the number of further pages, and that it is closed.
func wantMessages(t *testing.T, lines []string, question string, further int) {
	t.Helper()
	var got []string
	for _, l := range matching(lines, `^a> (GET|QUERY)`) {
		got = append(got, strings.Fields(l)[1])
	}
	want := append([]string{question}, slices.Repeat([]string{"QUERY_STATE_NEXT"}, further)...)
	if want = append(want, "QUERY_STATE_CLOSE"); !slices.Equal(got, want) {
		t.Errorf("the chaincode asks %q, want %q", got, want)
	}
}
