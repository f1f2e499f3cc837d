package mango

import (
	"fmt"
	"strings"
)

// Explanation says how a query is run. Its JSON is in the manner of CouchDB's _explain. There is no limit in it: that of a
// query has no effect.
type Explanation struct {
	// Index is what is read.
	Index IndexExplanation `json:"index"`
	// Range is what is known of the index's first fields, and so what part of it is read. Empty is all of it.
	Range []FieldRange `json:"range"`
	// Direction is fwd or rev.
	Direction string `json:"direction"`
	// Selector is what documents that were read are matched with: the query's selector, with its negations moved down.
	Selector any `json:"selector"`
	// Fields are the query's, nil for whole documents.
	Fields []string `json:"fields"`
	// Skip is how many results are left out.
	Skip int `json:"skip"`
	// Unused are the other indexes, and why they are not used.
	Unused []UnusedIndex `json:"index_candidates"`
	// Warnings are for those who wonder why the query is slow.
	Warnings []string `json:"warnings"`
}

// IndexExplanation is the index that is used: that of all documents is named _all_docs.
type IndexExplanation struct {
	// Ddoc is the design document without "_design/", empty for all documents.
	Ddoc string `json:"ddoc,omitempty"`
	Name string `json:"name"`
	// Type is json, or special for all documents.
	Type string `json:"type"`
	// Fields are what the index is ordered by.
	Fields []string `json:"fields"`
	// Order is asc or desc, as the index is defined; it is read either way.
	Order string `json:"order"`
	// Filter is its partial_filter_selector, if there is one.
	Filter any `json:"partial_filter_selector,omitempty"`
}

// FieldRange is what is known of a field's value.
type FieldRange struct {
	Field string `json:"field"`
	// Lo and Hi are its bounds. Nil is no bound.
	Lo *Bound `json:"lo,omitempty"`
	Hi *Bound `json:"hi,omitempty"`
	// BeginsWith is what the value begins with, which is a string then.
	BeginsWith *string `json:"beginsWith,omitempty"`
}

// Bound is one end of a range.
type Bound struct {
	// Value is decoded JSON, and not to be modified.
	Value any `json:"value"`
	// Included says that the value itself is in the range.
	Included bool `json:"included"`
}

// UnusedIndex is an index that is not used.
type UnusedIndex struct {
	Index  IndexName `json:"index"`
	Reason string    `json:"reason"`
}

// Explain says what the plan is. Bookmarks make no difference.
func (p *Plan) Explain() *Explanation {
	e := &Explanation{
		Index:    IndexExplanation{Name: "_all_docs", Type: "special", Fields: []string{idField}, Order: "asc"},
		Range:    []FieldRange{},
		Selector: selectorJSON(p.query.Selector), Skip: p.query.Skip, Direction: "fwd",
		Unused: append([]UnusedIndex{}, p.unused...), Warnings: append([]string{}, p.warnings...),
	}
	if x := p.Index; x != nil {
		e.Index = IndexExplanation{Ddoc: x.Ddoc, Name: x.Name, Type: "json", Fields: fieldNames(x.Fields), Order: "asc", Filter: x.filter}
		if x.Descending {
			e.Index.Order = "desc"
		}
	}
	if all, ok := p.query.Selector.(And); ok && all == nil {
		e.Selector = map[string]any{}
	}
	if p.query.selected {
		e.Fields = fieldNames(p.query.fields)
	}
	if p.Reverse {
		e.Direction = "rev"
	}
	for _, r := range p.ranges {
		known := FieldRange{Field: r.field, Lo: r.lo.explain(), Hi: r.hi.explain()}
		if r.prefix {
			known.BeginsWith = &r.begins
		}
		e.Range = append(e.Range, known)
	}
	return e
}

func fieldNames(fields []SortField) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Field
	}
	return names
}

func (b *bound) explain() *Bound {
	if b == nil {
		return nil
	}
	return &Bound{b.value, b.included}
}

// selectorJSON is a selector as a query may have it.
func selectorJSON(s Selector) any {
	switch s := s.(type) {
	case And:
		return map[string]any{"$and": selectorsJSON(s)}
	case Or:
		return map[string]any{"$or": selectorsJSON(s)}
	case *Condition:
		condition := map[string]any{s.Op: s.Arg}
		if s.Negated {
			condition = map[string]any{"$not": condition}
		}
		if s.Field == "" {
			return condition
		}
		return map[string]any{s.Field: condition}
	}
	return nil // a Not is below a Condition, whose argument says it
}

func selectorsJSON(parts []Selector) []any {
	values := make([]any, len(parts))
	for i, part := range parts {
		values[i] = selectorJSON(part)
	}
	return values
}

// String is a few lines for people: the index and the direction, then what is known of its fields, the other indexes, and
// warnings.
func (e *Explanation) String() string {
	name := IndexName{Ddoc: e.Index.Name}
	if e.Index.Ddoc != "" {
		name = IndexName{Ddoc: e.Index.Ddoc, Name: e.Index.Name}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s index %q on %s, %s", e.Index.Type, name, strings.Join(e.Index.Fields, ", "), e.Direction)
	for _, r := range e.Range {
		fmt.Fprintf(&b, "\nrange: %s", r)
	}
	for _, u := range e.Unused {
		fmt.Fprintf(&b, "\nnot %q: %s", u.Index, u.Reason)
	}
	for _, w := range e.Warnings {
		fmt.Fprintf(&b, "\nwarning: %s", w)
	}
	return b.String()
}

// String is such as "size > 1 <= 5".
func (r FieldRange) String() string {
	text := r.Field + r.Lo.text(">") + r.Hi.text("<")
	if r.BeginsWith != nil {
		text += " begins " + show(*r.BeginsWith)
	}
	return text
}

// text is such as " > 1", or nothing without a bound.
func (b *Bound) text(op string) string {
	switch {
	case b == nil:
		return ""
	case b.Included:
		op += "="
	}
	return " " + op + " " + show(b.Value)
}
