package mango_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// TestLargeQueries refuses queries that are too much, before they take the memory or the time, and says how much is allowed.
//
// F98
func TestLargeQueries(t *testing.T) {
	regex := func(pattern string) string { return `{"a":{"$regex":"` + pattern + `"}}` }
	for name, test := range map[string]struct {
		selector, text string
		err            error
	}{
		"a large pattern":        {regex("(abcdefghijklmnopqrstuvwxyz){1000}"), "20000 are the most", mango.ErrLargePattern},
		"3,000 large patterns":   {`{"$or":[` + times(3000, regex("a{1000}")) + `]}`, "20000 are the most", mango.ErrLargePattern},
		"too many small ones":    {`{"$or":[` + times(1001, regex("a")) + `]}`, "1000 patterns of 8192 bytes are the most", mango.ErrLargePattern},
		"a long pattern":         {regex(strings.Repeat("a", 8193)), "8193 bytes long", mango.ErrLargePattern},
		"many ranges":            {regex(strings.Repeat(`\\pLx`, 1000)), "20000 are the most", mango.ErrLargePattern},
		"in elements":            {`{"a":{"$elemMatch":{"$not":` + `{"$regex":"(abcdefghijklmnopqrstuvwxyz){900}"}` + `}}}`, "20000 are the most", mango.ErrLargePattern},
		"a long list":            {`{"a":{"$in":[` + times(100_001, "#") + `]}}`, "$in has 100001 values: 100000 are the most", mango.ErrLargeSelector},
		"40 MiB of a long list":  {`{"a":{"$in":["` + strings.Repeat("x", 40<<20) + `"]}}`, "8388608 are the most", mango.ErrLargeQuery},
		"a long list, negated":   {`{"$not":{"a":{"$nin":[` + times(100_001, "#") + `]}}}`, "100000 are the most", mango.ErrLargeSelector},
		"a long list to be all":  {`{"a":{"$all":[` + times(100_001, "#") + `]}}`, "100000 are the most", mango.ErrLargeSelector},
		"a pattern that is none": {regex("(a"), "Bad argument for operator $regex", nil},
	} {
		q, err := mango.Parse([]byte(`{"selector":` + test.selector + `}`))
		if err == nil || q != nil || test.err != nil && !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.text) || len(err.Error()) > 1000 {
			t.Errorf("%s: %.1000v", name, err)
		}
	}
	for name, selector := range map[string]string{
		"a list of the most":      `{"a":{"$in":[` + times(100_000, "#") + `]}}`,
		"patterns of the most":    `{"$or":[` + times(1000, regex("^a.b$")) + `]}`,
		"letters, quite a number": regex(`^\\p{L}{1,100}$`),
	} {
		if _, err := mango.Parse([]byte(`{"selector":` + selector + `}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongMatch is a program of a few bytes that would take two minutes for a value of 1 MiB, and does what it can with less.
func TestLongMatch(t *testing.T) {
	q := parse(t, `{"selector":{"a":{"$regex":"(a?){500}(a?){400}b"}}}`)
	if _, err := q.MatchContext(t.Context(), document(t, "k", `{"a":"`+strings.Repeat("a", 1<<20)+`"}`)); !errors.Is(err, mango.ErrLongMatch) ||
		!strings.Contains(err.Error(), "a string of 1048576 bytes") {
		t.Error(err)
	}
	if !q.Match(document(t, "k", `{"a":"`+strings.Repeat("a", 1<<10)+`b"}`)) {
		t.Error("no match")
	}
	d := document(t, "k", `{"a":"`+strings.Repeat("a", 1<<18)+`"}`)
	ctx := &counting{Context: t.Context(), most: 10}
	if _, err := q.MatchContext(ctx, d); !errors.Is(err, context.Canceled) || ctx.asked > 12 {
		t.Errorf("%v after %d looks", err, ctx.asked)
	}
	// An index leaves it out, and says so to who asks.
	x := index(t, `{"index":{"fields":["a"],"partial_filter_selector":{"a":{"$regex":"(a?){500}(a?){400}b"}}}}`)
	if _, ok, err := x.ColumnsContext(t.Context(), document(t, "k", `{"a":"`+strings.Repeat("a", 1<<20)+`"}`)); ok || !errors.Is(err, mango.ErrLongMatch) {
		t.Errorf("%v, %v", ok, err)
	}
}
