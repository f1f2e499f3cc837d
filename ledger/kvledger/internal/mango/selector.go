package mango

import "slices"

// Selector is a node of a normalized selector: [And], [Or], [Condition], and, within conditions only, [Not]. There are
// no other implementations. It is made for code that looks for an index that serves it: negations are in the conditions,
// and those are on full paths. A Selector must not be modified.
type Selector interface {
	// matches means nothing once the work has ended: it is in a hurry then.
	matches(w *work, value any) bool
}

var (
	_ Selector = And(nil)
	_ Selector = Or(nil)
	_ Selector = Not{}
	_ Selector = (*Condition)(nil)
)

// And is true if all of its parts are, and so if it has none: an empty selector is And(nil).
type And []Selector

func (a And) matches(w *work, value any) bool {
	return !slices.ContainsFunc(a, func(s Selector) bool { return !s.matches(w, value) })
}

// Or is true if one of its parts is, and also if it has none.
type Or []Selector

func (o Or) matches(w *work, value any) bool {
	return len(o) == 0 || slices.ContainsFunc(o, func(s Selector) bool { return s.matches(w, value) })
}

// Not is true if its selector is false. It only occurs below a Condition's Elements: see the package's comment.
type Not struct{ Selector Selector }

func (n Not) matches(w *work, value any) bool { return !n.Selector.matches(w, value) }

// Condition is one operator, applied to one field.
type Condition struct {
	// Field is the field's name as in the selector, with its dots and backslashes, such as "a.b" for {"a": {"b": 1}}.
	Field string
	// Path is Field in parts. It's empty for a condition on the value itself: an element or a key below Elements, or
	// the whole document, as in {"$and": [{"$gt": 1}]}.
	Path []string
	// Op is one of the operators below.
	Op string
	// Arg is its argument: nil, bool, json.Number, string, []any or map[string]any. It's a bool for $exists, a list
	// for $in, $nin, $all and $mod, a string for $type, $regex and $beginsWith.
	Arg any
	// Elements is what $elemMatch, $allMatch and $keyMapMatch look for, and nil for other operators.
	Elements Selector
	// Negated turns the operator around, where the field is present. It's false for the operators that have an
	// opposite, which takes their place.
	Negated bool

	test func(w *work, value any) bool
}

// The operators of conditions.
const (
	OpLt          = "$lt"
	OpLte         = "$lte"
	OpEq          = "$eq"
	OpNe          = "$ne"
	OpGte         = "$gte"
	OpGt          = "$gt"
	OpIn          = "$in"
	OpNin         = "$nin"
	OpExists      = "$exists"
	OpType        = "$type"
	OpMod         = "$mod"
	OpRegex       = "$regex"
	OpBeginsWith  = "$beginsWith"
	OpSize        = "$size"
	OpAll         = "$all"
	OpElemMatch   = "$elemMatch"
	OpAllMatch    = "$allMatch"
	OpKeyMapMatch = "$keyMapMatch"
)

// RequiresField says whether a document without the field can't satisfy the condition: all but {"$exists": false}.
func (c *Condition) RequiresField() bool { return c.Op != OpExists || c.Arg == true }

func (c *Condition) matches(w *work, value any) bool {
	if w != nil && !w.look() {
		return false
	}
	v, p := lookup(value, c.Path)
	switch {
	case p == missing:
		return !c.RequiresField()
	case p != present:
		return false
	case c.Elements != nil:
		return c.matchElements(w, v) != c.Negated
	}
	return c.test(w, v) != c.Negated
}
