package mango

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Plan says where a query finds its results: in which index, and in what part of it.
//
// Results come in the index's order, by its fields and then by key; without an index by key. If Reverse, they come the
// other way round as a whole. What is read is only likely to match: that is still to be seen.
//
// A plan is for one run of the query: [Plan.Resume] changes it.
type Plan struct {
	// Index is the index, one of those that the plan was made for, or nil for all documents, by key.
	Index *Index
	// Lo and Hi are the bounds of what to read, [Lo, Hi), which may be nothing: of the index's entries, which are columns
	// and key, one after the other; of keys without an index. A nil Hi is no bound.
	Lo, Hi []byte
	// Reverse says that the last is to be read first.
	Reverse bool

	query *Query
	order []SortField // of results, before their keys
	from  *Position   // after which the page begins, or nil

	unused   []UnusedIndex
	warnings []string
	ranges   []columnRange // of the index's first columns, as far as Lo and Hi know
}

// Plan chooses where to look, as CouchDB does (mango_idx, mango_idx_view, mango_cursor_view). An index can be used if every
// document that the query may want is in it: if the selector, or the sort, requires all of its fields. A sort must be by
// its first fields, in either direction; fields before those don't count if the selector has them equal to something. Of
// several indexes it is the one that has a range, or a value, of the selector's for the most fields from the first one on;
// then the one with fewest fields; then the first by name. Without one, all documents are looked at.
//
// One that the query names by use_index is preferred, if it can be used; if not, the plan's explanation says so. An index
// with a partial_filter_selector is used only if it is named: then the results are those that are in it, as in CouchDB.
//
// It returns ErrNoSortIndex if there is a sort and no index for it. For the sort by _id that is all documents, if the
// selector has a range for _id.
func (q *Query) Plan(indexes []*Index) (*Plan, error) { return q.plan(nil, indexes) }

// PlanContext is Plan until ctx ends, whose error it returns then.
func (q *Query) PlanContext(ctx context.Context, indexes []*Index) (*Plan, error) {
	w := newWork(ctx)
	p, err := q.plan(w, indexes)
	if w.ended() != nil {
		return nil, w.ended()
	}
	return p, err
}

func (q *Query) plan(w *work, indexes []*Index) (*Plan, error) {
	p := &Plan{query: q}
	c := choice{query: q, ranges: rangesOf(w, q.Selector), work: w}
	var usable []*Index
	for _, x := range indexes {
		if why := c.unusable(x); why != "" {
			p.unused = append(p.unused, UnusedIndex{x.name(), why})
		} else {
			usable = append(usable, x)
		}
	}
	best := usable
	if named := slices.DeleteFunc(slices.Clone(usable), func(x *Index) bool { return !q.UseIndex.names(x) }); len(named) > 0 {
		best = named
	}
	keys := c.ranges[pathKey([]string{idField})]
	switch {
	case len(best) > 0:
		p.useIndex(w, slices.MinFunc(best, c.compare), c.ranges)
	case len(q.Sort) == 0, len(q.Sort) == 1 && isID(q.Sort[0].Path) && keys != nil:
		p.useKeys(keys)
	default:
		return nil, ErrNoSortIndex
	}
	for _, x := range usable {
		if x != p.Index {
			p.unused = append(p.unused, UnusedIndex{x.name(), c.drawback(x, p.Index)})
		}
	}
	if q.nothing {
		p.Lo, p.Hi = nil, []byte{}
	}
	p.warn()
	return p, nil
}

// warn notes what people may wonder about.
func (p *Plan) warn() {
	name := p.query.UseIndex
	if name.Ddoc != "" && (p.Index == nil || !name.names(p.Index)) {
		why := "there is no such index"
		for _, u := range p.unused {
			if u.Index.Ddoc == name.Ddoc && (u.Index.Name == name.Name || name.Name == "") {
				why = u.Reason
			}
		}
		p.warnings = append(p.warnings, fmt.Sprintf("use_index names %s, which is not used: %s", name, why))
	}
	if p.Index == nil && len(p.ranges) == 0 {
		// CouchDB's own words (mango_cursor).
		p.warnings = append(p.warnings, "No matching index found, create an index to optimize query time.")
	}
}

// choice is that of an index for a query.
//
// Whether an index may be used is a matter of what is in it, not of how quick it is: a document that lacks one of its fields
// is not in it, so the query must be one that doesn't want such documents. Which of several is best is CouchDB's rule of
// thumb. It is followed to the letter, since the order of results depends on it.
type choice struct {
	query  *Query
	ranges map[string]*columnRange // of the selector, by pathKey
	work   *work
}

// unusable returns why an index can't be used, or "".
func (c choice) unusable(x *Index) string {
	if x.partial != nil && !c.query.UseIndex.names(x) {
		return "it has a partial_filter_selector, and is not named by use_index"
	}
	for _, f := range x.Fields {
		// Documents without a field of the sort never match, and all have a key.
		c.work.spend(len(c.query.Sort))
		sorted := slices.ContainsFunc(c.query.Sort, f.is)
		if !sorted && !isID(f.Path) && !requires(c.work, c.query.Selector, f.Path) {
			return fmt.Sprintf("the selector doesn't require the field %q", f.Field)
		}
	}
	if !c.sorts(x) {
		return "its order is not that of the sort"
	}
	return ""
}

// sorts says whether the query's sort is by an index's first fields, other than those with one value only.
func (c choice) sorts(x *Index) bool {
	fields, sort := x.Fields, c.query.Sort
	for len(sort) > 0 && len(fields) > 0 && !fields[0].is(sort[0]) {
		if r := c.ranges[pathKey(fields[0].Path)]; r == nil || !r.fixed {
			return false
		}
		fields = fields[1:]
	}
	return len(sort) <= len(fields) && slices.EqualFunc(sort, fields[:len(sort)], SortField.is)
}

func (f SortField) is(g SortField) bool { return slices.Equal(f.Path, g.Path) }

func isID(path []string) bool { return len(path) == 1 && path[0] == idField }

// requires says whether a document must have a field for the selector to match.
func requires(w *work, s Selector, path []string) bool {
	if !w.spend(1) {
		return false
	}
	hasField := func(part Selector) bool { return requires(w, part, path) }
	switch s := s.(type) {
	case *Condition:
		return s.RequiresField() && slices.Equal(s.Path, path)
	case And:
		return slices.ContainsFunc(s, hasField)
	case Or: // one of nothing is true
		return len(s) > 0 && !slices.ContainsFunc(s, func(part Selector) bool { return !hasField(part) })
	}
	return false
}

// compare orders indexes that can be used, the best first.
func (c choice) compare(x, y *Index) int {
	return cmp.Or(
		cmp.Compare(c.ranged(y), c.ranged(x)), cmp.Compare(len(x.Fields), len(y.Fields)),
		strings.Compare(x.Ddoc, y.Ddoc), strings.Compare(x.Name, y.Name),
	)
}

// drawback says why an index is not the best.
func (c choice) drawback(x, best *Index) string {
	switch name := c.query.UseIndex; {
	case name.names(best) && !name.names(x):
		return "use_index names another one"
	case c.ranged(x) < c.ranged(best):
		return "the selector has ranges for more fields of another one"
	case len(x.Fields) > len(best.Fields):
		return "another one has fewer fields"
	}
	return "another one comes first by name"
}

// ranged returns for how many fields of an index, from the first one on, there are ranges.
func (c choice) ranged(x *Index) int {
	n := slices.IndexFunc(x.Fields, func(f SortField) bool { return c.ranges[pathKey(f.Path)] == nil })
	if n < 0 {
		return len(x.Fields)
	}
	return n
}

// useIndex makes the plan one with an index: its columns are bound as far as the selector has one value for them, and one
// field more.
func (p *Plan) useIndex(w *work, x *Index, ranges map[string]*columnRange) {
	p.Index, p.order, p.Reverse = x, x.Fields, p.query.Descending
	var prefix []byte
	for _, f := range x.Fields {
		r := ranges[pathKey(f.Path)]
		if r == nil {
			break
		}
		p.ranges = append(p.ranges, *r)
		p.Lo, p.Hi = r.bounds(w, prefix)
		if !r.one(w) {
			break
		}
		prefix = appendColumn(w, prefix, r.lo.value)
	}
	// Columns may be cut where these are, and then be the same, although they were not before.
	if len(p.Hi) > MaxColumns {
		p.Hi = after(cutColumns(p.Hi))
	}
	p.Lo = cutColumns(p.Lo)
}

// useKeys makes the plan one of all documents, or of those whose keys are in a range.
func (p *Plan) useKeys(r *columnRange) {
	p.Reverse = p.query.Descending
	if r != nil {
		p.ranges = []columnRange{*r}
		p.Lo, p.Hi = r.keys()
	}
}

// Position returns where a document is in the order of the plan's results.
func (p *Plan) Position(d *Document) Position {
	at := Position{Key: d.key}
	for _, f := range p.order {
		value, _ := lookup(d.fields, f.Path)
		at.Values = append(at.Values, value)
	}
	return at
}

// Compare returns a negative number if a is before b in the order of the plan's results, a positive one if it is after it,
// and 0 if they are the same.
func (p *Plan) Compare(a, b Position) int { return p.compare(nil, a, b) }

// CompareContext is Compare until ctx ends, whose error it returns then.
func (p *Plan) CompareContext(ctx context.Context, a, b Position) (int, error) {
	w := newWork(ctx)
	return p.compare(w, a, b), w.ended()
}

func (p *Plan) compare(w *work, a, b Position) int {
	order := cmp.Or(compare(w, a.Values, b.Values), strings.Compare(a.Key, b.Key))
	if p.Reverse {
		return -order
	}
	return order
}

// SortResults sorts results as the plan has their positions, until ctx ends, whose error it returns then.
func SortResults[T any](ctx context.Context, p *Plan, results []T, position func(T) Position) error {
	w := newWork(ctx)
	sort(w, results, func(a, b T) int { return p.compare(w, position(a), position(b)) })
	return w.ended()
}

// Follows says whether a position comes after the bookmark that the plan was given. What was read from Lo to Hi may not, if
// its columns are cut.
func (p *Plan) Follows(at Position) bool { return p.from == nil || p.Compare(at, *p.from) > 0 }

// FollowsContext is Follows until ctx ends, whose error it returns then.
func (p *Plan) FollowsContext(ctx context.Context, at Position) (bool, error) {
	if p.from == nil {
		return true, nil
	}
	order, err := p.CompareContext(ctx, at, *p.from)
	return order > 0, err
}

// begin moves the bounds to what comes after a position.
func (p *Plan) begin(w *work, at Position) {
	p.from = &at
	var place []byte
	for _, value := range at.Values {
		place = appendBeginning(w, place, value, MaxColumns)
	}
	whole := len(place) < MaxColumns || p.Index == nil
	place = cutColumns(place)
	if whole {
		place = append(place, at.Key...)
	}
	switch {
	case p.Reverse && whole:
		p.lowerHi(place)
	case p.Reverse:
		p.lowerHi(after(place))
	case whole:
		p.raiseLo(append(place, 0))
	default:
		p.raiseLo(place)
	}
}

func (p *Plan) raiseLo(lo []byte) {
	if bytes.Compare(lo, p.Lo) > 0 {
		p.Lo = lo
	}
}

func (p *Plan) lowerHi(hi []byte) {
	if p.Hi == nil || bytes.Compare(hi, p.Hi) < 0 {
		p.Hi = hi
	}
}
