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

// TestRows reads each number of rows through every kind of iterator: all of them arrive, in order and once, in no more
// messages than it takes.
func TestRows(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		p := newPeer(t, w)
		for _, n := range counts {
			p.write(fmt.Sprint("rows", n), rows(rowsOf(n), n))
		}
		for i := range slices.Max(counts) {
			p.write(fmt.Sprint("version", i), history(i))
		}
		for _, n := range counts {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				readRange(t, p, n)
				readPages(t, p, n)
				readHistory(t, p, n)
			})
		}
	})
}

// rowsOf is the prefix of the keys of n rows.
func rowsOf(n int) string { return fmt.Sprintf("n%d-", n) }

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

func wantRows(n int) []string {
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("%s=%d", rowKey(rowsOf(n), i), i+1))
	}
	return want
}

func readRange(t *testing.T, p *testPeer, n int) {
	p.trace.take()
	got := p.text("GetStateByRange " + rowsOf(n) + " " + rowsOf(n) + "~")
	wantLines(t, got, wantRows(n))
	wantMessages(t, p.trace.take(), "GET_STATE_BY_RANGE", (n-1)/100)
}

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

// readPages reads the rows 100 at a time, a transaction for each page, and all at once.
func readPages(t *testing.T, p *testPeer, n int) {
	for _, size := range []int{100, n} {
		var got []string
		bookmark, pages := "", 0
		for pages == 0 || bookmark != "" {
			p.trace.take()
			text := p.success(call{args: []string{
				"GetStateByRangeWithPagination", rowsOf(n), rowsOf(n) + "~", fmt.Sprint(size), bookmark,
			}})
			wantMessages(t, p.trace.take(), "GET_STATE_BY_RANGE", 0)
			lines := strings.Split(text, "\n")
			last := len(lines) - 1
			var fetched int
			if _, err := fmt.Sscanf(lines[last], "%d %q", &fetched, &bookmark); err != nil || fetched != last {
				t.Fatalf("a page of %d records ends in %q: %v", last, lines[last], err)
			}
			got = append(got, lines[:last]...)
			pages++
		}
		wantLines(t, strings.Join(got, "\n"), wantRows(n))
		if want := (n + size - 1) / size; pages != want {
			t.Errorf("%d rows, %d a page: %d pages, want %d", n, size, pages, want)
		}
	}
}

func wantLines(t *testing.T, text string, want []string) {
	t.Helper()
	if got := strings.Split(text, "\n"); !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d:\n%.1000s\nwant\n%.1000s", len(got), len(want), text, strings.Join(want, "\n"))
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
