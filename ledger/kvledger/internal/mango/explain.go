package mango

// Explanation says how a query is run. There is no limit in it: that of a query has no effect. Package kvledger gives it JSON
// in the manner of CouchDB's _explain, and a text for people.
type Explanation struct {
	// Index is what is read.
	Index IndexExplanation
	// Range is what is known of the index's first fields, and so what part of it is read. Empty is all of it.
	Range []FieldRange
	// Direction is fwd or rev.
	Direction string
	// Selector is what documents that were read are matched with: the query's selector, with its negations moved down.
	Selector any
	// Fields are the query's, nil for whole documents.
	Fields []string
	// Skip is how many results are left out.
	Skip int
	// Unused are the other indexes, and why they are not used.
	Unused []UnusedIndex
	// Warnings are for people who wonder why the query is slow.
	Warnings []string
}

// IndexExplanation is the index that is used: that of all documents is named _all_docs.
type IndexExplanation struct {
	// Ddoc is the design document without "_design/", empty for all documents.
	Ddoc string
	Name string
	// Type is json, or special for all documents.
	Type string
	// Fields are what the index is ordered by.
	Fields []string
	// Order is asc or desc, as the index is defined; it is read either way.
	Order string
	// Filter is its partial_filter_selector, if there is one.
	Filter any
}

// FieldRange is what is known of a field's value.
type FieldRange struct {
	Field string
	// Lo and Hi are its bounds. Nil is no bound.
	Lo *Bound
	Hi *Bound
	// BeginsWith is what the value begins with, which is a string then.
	BeginsWith *string
}

// Bound is one end of a range.
type Bound struct {
	// Value is decoded JSON, and not to be modified.
	Value any
	// Included says that the value itself is in the range.
	Included bool
}

// UnusedIndex is an index that is not used.
type UnusedIndex struct {
	Index  IndexName
	Reason string
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
