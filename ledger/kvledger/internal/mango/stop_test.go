package mango_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/threadtime"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// longForm is the variable that makes tests run at the size at which it hurts.
const longForm = "CCPEER_LONG"

// hostile is a query and a document, as a chaincode would make them that wants its peer to be busy. Both grow with a size.
type hostile struct{ selector, value func(size int) string }

// question is one at some size.
type question struct{ query, value []byte }

func (h hostile) at(size int) question {
	return question{[]byte(`{"selector":` + h.selector(size) + `,"fields":["a","b"]}`), []byte(h.value(size))}
}

func times(n int, format string) string {
	var all strings.Builder
	for i := range n {
		if i > 0 {
			all.WriteByte(',')
		}
		all.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return all.String()
}

// hostileValues are what a value, and what an argument may be. Most of a size of 1,000 is some 10 kB.
func hostileValues() []func(size int) string {
	return []func(size int) string{
		func(n int) string { return `"` + strings.Repeat("a", 10*n) + `"` },
		func(n int) string { return `"` + strings.Repeat(`\u0061`, 2*n) + `"` },
		func(n int) string { return `[` + times(n, `"a#"`) + `]` },
		func(n int) string { return `[` + times(n, `{"a":#}`) + `]` },
		func(n int) string { return `{` + times(n, `"k#":#`) + `}` },
		func(n int) string { return `[` + times(n, `[[#]]`) + `]` },
		func(n int) string { return `[` + times(n/50, strings.Repeat("7", 300)+"#") + `]` },
		func(n int) string { return `[` + strings.Repeat(" ", 10*n) + `1.5e3]` },
	}
}

// hostileSelectors are operators with an argument.
func hostileSelectors() []func(size int, arg string) string {
	return []func(n int, arg string) string{
		func(_ int, arg string) string { return `{"a":{"$eq":` + arg + `}}` },
		func(_ int, arg string) string { return `{"a":{"$elemMatch":{"$gt":` + arg + `}}}` },
		func(_ int, arg string) string { return `{"a":{"$nin":[` + arg + `,1,` + arg + `]}}` },
		func(_ int, arg string) string { return `{"a":{"$all":[` + arg + `]}}` },
		func(n int, _ string) string { return `{"a":{"$in":[` + times(min(n, 100_000), `"b#"`) + `]}}` },
		func(n int, _ string) string {
			return `{"a":{"$in":[` + times(min(n/2, 50_000), `{"b":#,"c":[#]}`) + `]}}`
		},
		func(int, string) string { return `{"a":{"$regex":"(a?){50}(a?){40}b"}}` },
		func(int, string) string { return `{"a":{"$regex":"(a|aa|aaa)*[^a]$"}}` },
		func(int, string) string { return `{"a":{"$elemMatch":{"$regex":"(a?){100}b"}}}` },
		func(int, string) string { return `{"a":{"$keyMapMatch":{"$regex":"k(.*9){20}x"}}}` },
		func(n int, arg string) string {
			return `{"$and":[{"a":{"$gte":` + arg + `}},` + times(min(n/10, 20_000), `{"a":{"$gt":{"x":#}}}`) + `]}`
		},
		func(n int, _ string) string {
			return `{"$nor":[` + times(min(n/10, 20_000), `{"a":{"$elemMatch":{"b":#}}}`) + `]}`
		},
		func(n int, _ string) string { return `{"a":{` + times(min(n, 50_000), `"k#":{"$exists":true}`) + `}}` },
		func(int, string) string { return `{"a":{"$allMatch":{"$not":{"$and":[]}}}}` },
	}
}

// compose makes up a hostile query. A value may also be that of an argument, so that it is compared to its end.
func compose(random *rand.Rand) hostile {
	values, selectors := hostileValues(), hostileSelectors()
	value, arg := values[random.IntN(len(values))], values[random.IntN(len(values))]
	first, second := selectors[random.IntN(len(selectors))], selectors[random.IntN(len(selectors))]
	if random.IntN(2) == 0 {
		arg = value
	}
	return hostile{
		selector: func(n int) string {
			return `{"$or":[` + first(n, arg(n/5)) + `,` + second(n, arg(n/5)) + `]}`
		},
		value: func(n int) string { return `{"a":` + value(n) + `}` },
	}
}

// counting counts how often it is asked whether it has ended. It ends after some times.
type counting struct {
	context.Context
	asked, most int
}

func (c *counting) Err() error {
	if c.asked++; c.most > 0 && c.asked > c.most {
		return context.Canceled
	}
	return nil
}

// run does all that a ledger does with a query and a document. Index and bookmark take their own way through the values.
func (h question) run(ctx context.Context) error {
	q, err := mango.ParseContext(ctx, h.query)
	if err != nil {
		return err
	}
	x, err := mango.ParseIndex([]byte(`{"index":{"fields":["a"]}}`))
	if err != nil {
		return err
	}
	p, err := q.PlanContext(ctx, []*mango.Index{x})
	if err != nil {
		return err
	}
	d, err := mango.NewDocumentContext(ctx, "k", h.value)
	if err != nil {
		return err
	}
	if _, err := q.MatchContext(ctx, d); err != nil {
		return err
	}
	if _, _, err := x.ColumnsContext(ctx, d); err != nil {
		return err
	}
	at := p.Position(d)
	if _, err := p.CompareContext(ctx, at, at); err != nil {
		return err
	}
	bookmark, err := p.BookmarkAfterContext(ctx, at)
	if err != nil {
		return err
	}
	if err := p.ResumeContext(ctx, bookmark); err != nil {
		return err
	}
	_, err = q.ProjectContext(ctx, d)
	return err
}

// slowest searches for the slowest queries. What it measures is how often they look at the context, which is their work.
func slowest(t *testing.T, searched, kept, size int) []hostile {
	t.Helper()
	type found struct {
		hostile
		work int
	}
	random := rand.New(rand.NewPCG(13, 20))
	var all []found
	for range searched {
		h := compose(random)
		ctx := &counting{Context: t.Context(), most: 2000} // of two that need this much it doesn't matter which is slower
		if err := h.at(size).run(ctx); err == nil || errors.Is(err, context.Canceled) {
			all = append(all, found{h, ctx.asked})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.work, a.work) })
	if len(all) < kept || all[kept-1].work < 10 {
		t.Fatalf("of %d queries %d can be run", searched, len(all))
	}
	kinds := make([]hostile, kept)
	for i := range kinds {
		kinds[i] = all[i].hostile
	}
	return kinds
}

// TestSlowestQueriesStop ends the slowest queries of a search at many points: nothing comes of them, and they look at the context
// no more than a few times after it has ended.
//
// F97
func TestSlowestQueriesStop(t *testing.T) {
	for i, h := range slowest(t, 300, 20, 500) {
		for _, most := range []int{1, 5, 9} {
			ctx := &counting{Context: t.Context(), most: most}
			if err := h.at(500).run(ctx); !errors.Is(err, context.Canceled) || ctx.asked > most+5 {
				t.Errorf("query %d, %.100s, ended after %d looks: %v after %d", i, h.selector(5), most, err, ctx.asked)
			}
		}
	}
}

// TestSlowestQueriesStopInTime is the same at the size at which it hurts: each of the queries takes seconds, or minutes. It must be
// back within 100 ms. Those are of the thread's own time, which says the same of the code on a busy machine as on an idle one.
//
// F97
func TestSlowestQueriesStopInTime(t *testing.T) {
	const most = 100 * time.Millisecond
	searched, size, ends := 60, 50_000, []time.Duration{20 * time.Millisecond}
	if os.Getenv(longForm) != "" {
		searched, size, ends = 300, 500_000, append(ends, time.Second)
	}
	stopped := 0
	for i, h := range slowest(t, searched, 20, 2000) {
		for _, after := range ends {
			q := h.at(size)
			ctx := threadtime.New(t, after)
			err := q.run(ctx)
			longest := ctx.Longest()
			t.Logf("query %d, %.80s: %v, %v between two looks", i, h.selector(3), err, longest)
			if longest > most {
				t.Errorf("query %d, %.100s: %v, but %v between two looks at the context", i, h.selector(3), err, longest)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				stopped++
			}
		}
	}
	if stopped < 20*len(ends)*3/4 {
		t.Errorf("%d runs were long enough to be stopped", stopped)
	}
}
