package mango_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// TestLargeSelectors has selectors whose text is small, and whose conditions would not be.
func TestLargeSelectors(t *testing.T) {
	many := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return strings.Join(all, ",")
	}
	name := strings.Repeat("n", 10_000)
	for why, selector := range map[string]string{
		"members below a long name": `{"` + name + `":{` + many(500, `"#":1`) + `}}`,
		"members of nothing":        `{"` + name + `":{` + many(500, `"#":{"$and":[]}`) + `}}`,
		"operators on a long name":  `{"` + name + `":{"$and":[` + many(500, `{"$gt":#}`) + `]}}`,
		"operators on a deep path":  `{"` + strings.Repeat("a.", 5000) + `a":{"$or":[` + many(500, `{"$gt":#}`) + `]}}`,
		"under a negation":          `{"$not":{"` + name + `":{` + many(500, `"#":1`) + `}}}`,
		"of elements":               `{"a":{"$elemMatch":{"` + name + `":{` + many(500, `"#":1`) + `}}}}`,
		"of many elements":          `{"$or":[` + many(500, `{"a":{"$elemMatch":{"`+name+`":1}}}`) + `]}`,
		"very many conditions":      `{"$or":[` + many(100_000, `{"a":1}`) + `]}`,
	} {
		if q, err := mango.Parse([]byte(`{"selector":` + selector + `}`)); !errors.Is(err, mango.ErrLargeSelector) || q != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
	q := parse(t, `{"selector":{"owner":{"name":{"$or":[`+many(40_000, `{"$eq":"#"}`)+`]}}}}`)
	if !q.Match(document(t, "k", `{"owner":{"name":"39999"}}`)) || q.Match(document(t, "k", `{"owner":{"name":"40000"}}`)) {
		t.Error("a selector that is large enough")
	}
}

func TestLongNumbers(t *testing.T) {
	long := strings.Repeat("7", mango.MaxDigits)
	q := parse(t, `{"selector":{"a":`+long+`,"b":"7`+long+`"}}`)
	if !q.Match(document(t, "k", `{"a":`+long+`,"b":"7`+long+`"}`)) {
		t.Error("no match")
	}
	for _, number := range []string{long + "7", "-" + long + "7", "0." + long + "7", "1e-" + long + "7"} {
		if _, err := mango.Parse([]byte(`{"selector":{"a":` + number + `}}`)); !errors.Is(err, mango.ErrLongNumber) {
			t.Errorf("query with %s...: %v", number[:4], err)
		}
		if _, err := mango.NewDocument("k", []byte(`{"a":[1,`+number+`]}`)); !errors.Is(err, mango.ErrLongNumber) {
			t.Errorf("document with %s...: %v", number[:4], err)
		}
	}
	if _, err := mango.NewDocument("k", []byte("{"+long+"7")); !errors.Is(err, mango.ErrNotObject) {
		t.Error(err)
	}
}

// TestLongLists has lists of which comparing each value with each would be many times as much work as allowed. Work is
// counted in allocations: a comparison of two numbers of this size makes several.
func TestLongLists(t *testing.T) {
	const size = 2000
	list := func(from int) string {
		var all []string
		for i := range size {
			all = append(all, fmt.Sprintf("1%030d", from+i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	d := document(t, "k", `{"a":`+list(0)+`}`)
	for op, want := range map[string][2]bool{"$in": {true, false}, "$nin": {false, true}, "$all": {true, false}} {
		for i, from := range []int{0, size} {
			q := parse(t, `{"selector":{"a":{"`+op+`":`+list(from)+`}}}`)
			var got bool
			allocated := testing.AllocsPerRun(1, func() { got = q.Match(d) })
			if got != want[i] || allocated > size*size {
				t.Errorf("%s from %d: %v, %v allocations", op, from, got, allocated)
			}
		}
	}
}

// endsAfter is a context that is cancelled when it has been asked a number of times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left == 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

// TestMatchIsCancelled has a context end before, while and after a document is matched.
func TestMatchIsCancelled(t *testing.T) {
	conditions := strings.TrimSuffix(strings.Repeat(`{"a":{"$elemMatch":{"$gt":1}}},`, 20), ",")
	d := document(t, "k", `{"a":[`+strings.TrimSuffix(strings.Repeat("1,", 50), ",")+`]}`)
	const asked = 20*51 + 1 // each condition, each of its elements, and the end
	for selector, want := range map[string]bool{`{"$or":[` + conditions + `]}`: false, `{"$nor":[` + conditions + `]}`: true} {
		q := parse(t, `{"selector":`+selector+`}`)
		for _, left := range []int{0, 1, 2, 60, asked - 1} {
			if matched, err := q.MatchContext(&endsAfter{t.Context(), left}, d); matched || !errors.Is(err, context.Canceled) {
				t.Errorf("after %d: %v, %v", left, matched, err)
			}
		}
		if matched, err := q.MatchContext(&endsAfter{t.Context(), asked}, d); matched != want || err != nil {
			t.Errorf("in time: %v, %v", matched, err)
		}
	}
	q := parse(t, `{"selector":{},"sort":["b"]}`)
	if matched, err := q.MatchContext(&endsAfter{t.Context(), 0}, d); matched || !errors.Is(err, context.Canceled) {
		t.Errorf("without the field of the sort: %v, %v", matched, err)
	}
}
