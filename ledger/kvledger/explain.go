package kvledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// Explanation says how a query is run. Its JSON is like that of CouchDB's _explain. There is no limit in it, because a
// query's limit has no effect.
type Explanation struct {
	// Index is the index that is read.
	Index IndexExplanation `json:"index"`
	// Range is what is known of the index's first fields. It decides which part of the index is read. If it is empty, all of
	// it is read.
	Range []FieldRange `json:"range"`
	// Direction is fwd or rev.
	Direction string `json:"direction"`
	// Selector is what the documents that were read are matched with. It is the query's selector, with its negations moved
	// down.
	Selector any `json:"selector"`
	// Fields are the fields that the query asks for, or nil for whole documents.
	Fields []string `json:"fields"`
	// Skip is how many results are left out.
	Skip int `json:"skip"`
	// Unused are the other indexes, and why they are not used.
	Unused []UnusedIndex `json:"index_candidates"`
	// Warnings may tell you why the query is slow.
	Warnings []string `json:"warnings"`
}

// IndexExplanation is the index that is used. The index of all documents is named _all_docs.
type IndexExplanation struct {
	// Ddoc is the design document without "_design/", empty for all documents.
	Ddoc string `json:"ddoc,omitempty"`
	// Name is the index's name.
	Name string `json:"name"`
	// Type is json, or special for the index of all documents.
	Type string `json:"type"`
	// Fields are what the index is ordered by.
	Fields []string `json:"fields"`
	// Order is asc or desc, as the index is defined. It can be read either way.
	Order string `json:"order"`
	// Filter is the index's partial_filter_selector, if it has one.
	Filter any `json:"partial_filter_selector,omitempty"`
}

// FieldRange is what is known of a field's value.
type FieldRange struct {
	// Field is the field's name.
	Field string `json:"field"`
	// Lo and Hi are the bounds of the value. Nil is no bound.
	Lo *Bound `json:"lo,omitempty"`
	Hi *Bound `json:"hi,omitempty"`
	// BeginsWith is what the value begins with, if it must be a string.
	BeginsWith *string `json:"beginsWith,omitempty"`
}

// Bound is one end of a range.
type Bound struct {
	// Value is decoded JSON. It must not be modified.
	Value any `json:"value"`
	// Included says that the value itself is in the range.
	Included bool `json:"included"`
}

// UnusedIndex is an index that the query does not use.
type UnusedIndex struct {
	// Index says which one it is.
	Index IndexName `json:"index"`
	// Reason says why it is not used.
	Reason string `json:"reason"`
}

// IndexName names an index.
type IndexName struct {
	// Ddoc is the index's design document, without the prefix "_design/".
	Ddoc string `json:"ddoc"`
	// Name is the index's name. It is unique in the design document.
	Name string `json:"name"`
}

// Explain says how a query would be run now, and which index it would use. If collection is "", the query is of the
// namespace's public state, and otherwise of that collection. The error is the one that the query would return.
func (l *Ledger) Explain(ctx context.Context, namespace, collection, query string) (*Explanation, error) {
	q, err := parseQuery(ctx, query)
	if err != nil {
		return nil, err
	}
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	d, err := l.definitionAt(ctx, snapshot, namespace)
	if err != nil {
		return nil, err
	}
	plan, err := q.PlanContext(ctx, d.builtIndexes(collection))
	if err != nil {
		return nil, queryError(err)
	}
	return explanationOf(plan.Explain()), nil
}

// explanationOf turns an explanation of package mango into the types that this package keeps stable.
func explanationOf(e *mango.Explanation) *Explanation {
	public := &Explanation{
		Index: IndexExplanation(e.Index), Range: make([]FieldRange, len(e.Range)), Direction: e.Direction, Selector: e.Selector,
		Fields: e.Fields, Skip: e.Skip, Unused: make([]UnusedIndex, len(e.Unused)), Warnings: e.Warnings,
	}
	for i, known := range e.Range {
		public.Range[i] = FieldRange{known.Field, (*Bound)(known.Lo), (*Bound)(known.Hi), known.BeginsWith}
	}
	for i, unused := range e.Unused {
		public.Unused[i] = UnusedIndex{IndexName(unused.Index), unused.Reason}
	}
	return public
}

// String returns a few lines for people: the index and the direction, then what is known of its fields, the other indexes,
// and warnings.
func (e *Explanation) String() string {
	name := IndexName{Ddoc: e.Index.Name}
	if e.Index.Ddoc != "" {
		name = IndexName{Ddoc: e.Index.Ddoc, Name: e.Index.Name}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s index %q on %s, %s", e.Index.Type, name, strings.Join(e.Index.Fields, ", "), e.Direction)
	for _, known := range e.Range {
		fmt.Fprintf(&text, "\nrange: %s", known)
	}
	for _, unused := range e.Unused {
		fmt.Fprintf(&text, "\nnot %q: %s", unused.Index, unused.Reason)
	}
	for _, warning := range e.Warnings {
		fmt.Fprintf(&text, "\nwarning: %s", warning)
	}
	return text.String()
}

// String returns the name in the form that a query's use_index takes.
func (n IndexName) String() string {
	if n.Name == "" {
		return n.Ddoc
	}
	return n.Ddoc + "/" + n.Name
}

// String returns the range in a form such as "size > 1 <= 5".
func (r FieldRange) String() string {
	text := r.Field + r.Lo.text(">") + r.Hi.text("<")
	if r.BeginsWith != nil {
		text += " begins " + show(*r.BeginsWith)
	}
	return text
}

// text returns a text such as " > 1", or nothing if there is no bound.
func (b *Bound) text(operator string) string {
	switch {
	case b == nil:
		return ""
	case b.Included:
		operator += "="
	}
	return " " + operator + " " + show(b.Value)
}

// show returns a decoded JSON value for people to read. A hostile query can't make it long.
func show(value any) string {
	const most = 200
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	if len(text) <= most {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:most]), "") + "..."
}
