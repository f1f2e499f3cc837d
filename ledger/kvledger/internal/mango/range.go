package mango

import (
	"bytes"
	"slices"
)

// columnRange is what a selector says of a field's value: that it is between two.
type columnRange struct {
	field  string
	lo, hi *bound // nil is no bound
	begins string // what the value, a string, begins with
	prefix bool   // begins counts
	fixed  bool   // an $eq says what the value is
}

type bound struct {
	value    any
	included bool
}

// one says whether there is one value only, or none.
func (r *columnRange) one(w *work) bool {
	return r != nil && r.lo != nil && r.hi != nil && r.lo.included && r.hi.included && compare(w, r.lo.value, r.hi.value) == 0
}

// rangesOf returns what must be true of the fields' values for the selector to match, by pathKey.
func rangesOf(w *work, s Selector) map[string]*columnRange {
	ranges := map[string]*columnRange{}
	addRanges(w, ranges, s)
	return ranges
}

func addRanges(w *work, ranges map[string]*columnRange, s Selector) {
	switch s := s.(type) {
	case And:
		for _, part := range s {
			addRanges(w, ranges, part)
		}
	case *Condition:
		if len(s.Path) == 0 || s.Negated || !w.spend(len(s.Field)+1) {
			return
		}
		switch s.Op {
		case OpEq, OpGt, OpGte, OpLt, OpLte, OpBeginsWith:
		default:
			return
		}
		key := pathKey(s.Path)
		if ranges[key] == nil {
			ranges[key] = &columnRange{field: s.Field}
		}
		ranges[key].restrict(w, s.Op, s.Arg)
	}
}

// restrict adds a condition.
func (r *columnRange) restrict(w *work, op string, arg any) {
	switch op {
	case OpBeginsWith:
		if text, ok := arg.(string); ok && (!r.prefix || len(text) > len(r.begins)) {
			r.begins, r.prefix = text, true // if one is not the beginning of the other, nothing matches in any case
		}
		return
	case OpEq:
		r.fixed = true
		r.raise(w, bound{arg, true})
		r.lower(w, bound{arg, true})
	case OpGt, OpGte:
		r.raise(w, bound{arg, op == OpGte})
	case OpLt, OpLte:
		r.lower(w, bound{arg, op == OpLte})
	}
}

func (r *columnRange) raise(w *work, b bound) {
	if r.lo != nil {
		if c := compare(w, b.value, r.lo.value); c < 0 || c == 0 && b.included {
			return
		}
	}
	r.lo = &b
}

func (r *columnRange) lower(w *work, b bound) {
	if r.hi != nil {
		if c := compare(w, b.value, r.hi.value); c > 0 || c == 0 && b.included {
			return
		}
	}
	r.hi = &b
}

// bounds returns the bounds of columns whose first ones are prefix, and the next one is in the range.
func (r *columnRange) bounds(w *work, prefix []byte) (lo, hi []byte) {
	lo, hi = prefix, after(prefix)
	at := func(v any) []byte { return appendColumn(w, slices.Clone(prefix), v) }
	if r.lo != nil {
		if lo = at(r.lo.value); !r.lo.included {
			lo = after(lo)
		}
	}
	if r.hi != nil {
		if hi = at(r.hi.value); r.hi.included {
			hi = after(hi)
		}
	}
	if r.prefix {
		begins := appendEscaped(append(slices.Clone(prefix), tagString), r.begins)
		if lo = slices.MaxFunc([][]byte{lo, begins}, bytes.Compare); hi == nil || bytes.Compare(after(begins), hi) < 0 {
			hi = after(begins)
		}
	}
	return lo, hi
}

// keys returns the bounds of keys that are in the range, as values of _id.
func (r *columnRange) keys() (lo, hi []byte) {
	if r.lo != nil {
		text, isString := r.lo.value.(string)
		switch {
		case !isString && rank(r.lo.value) > rank(""):
			return nil, []byte{} // nothing
		case isString && !r.lo.included:
			text += "\x00"
		}
		lo = []byte(text)
	}
	if r.hi != nil {
		text, isString := r.hi.value.(string)
		switch {
		case !isString && rank(r.hi.value) < rank(""):
			return nil, []byte{}
		case isString && r.hi.included:
			text += "\x00"
		}
		if isString {
			hi = []byte(text)
		}
	}
	if begins := []byte(r.begins); r.prefix {
		if bytes.Compare(begins, lo) > 0 {
			lo = begins
		}
		if end := after(begins); end != nil && (hi == nil || bytes.Compare(end, hi) < 0) {
			hi = end
		}
	}
	return lo, hi
}
