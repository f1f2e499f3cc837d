package mango

import (
	"strings"

	"github.com/pkg/errors"
)

// parseSelector normalizes a decoded selector.
func parseSelector(w *work, value any) (Selector, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, refuse("invalid_selector_json", "Selector must be a JSON object, not: "+show(value))
	}
	if len(object) == 0 {
		return And(nil), nil
	}
	s, err := parser{budget: &budget{work: w, room: MaxSelector}}.parse(object)
	if w.ended() != nil {
		return nil, w.ended()
	}
	if err != nil {
		return nil, err
	}
	// CouchDB looks at the outermost operator only.
	if c, ok := s.(*Condition); ok && len(c.Path) == 0 {
		return nil, refuse("invalid_selector", "One or more conditions is missing a field name.")
	}
	return s, nil
}

// parser is where in a selector we are. Its methods make the nodes below.
type parser struct {
	// field is the path so far, "" at the top.
	field string
	// negated says that there is an odd number of negations above. Always false in elements.
	negated bool
	// elements says that an operator above applies this to elements or keys, where negations stay where they are.
	elements bool
	// budget is for all of the selector.
	*budget
}

// budget is what a selector may take.
type budget struct {
	work     *work
	room     int // what is left of MaxSelector
	patterns patterns
}

// MaxSelector is how many bytes of field names the conditions of a selector may have together: each counts with all the
// names that it is below, and 64 bytes more. Without it a selector could become much larger than its text, since a name
// that is written once may have any number of conditions below it.
const (
	MaxSelector   = 4 << 20
	conditionSize = 64
)

// spend takes n bytes of the room.
func (p parser) spend(n int) error {
	if p.room -= n; p.room < 0 {
		return errors.Wrapf(ErrLargeSelector, "the names of its conditions have more than %d bytes together", MaxSelector)
	}
	p.work.spend(n)
	return p.work.ended()
}

// parse makes a node of any value: what is not an object with members is what the field must be equal to.
func (p parser) parse(value any) (Selector, error) {
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		return p.condition(OpEq, value)
	}
	// In the order of names, which is the one in which Fabric's peer sends them, so that the same error comes first.
	names := sortedNames(p.work, object)
	if p.work.ended() != nil {
		return nil, p.work.ended()
	}
	if len(names) == 1 {
		return p.member(names[0], object[names[0]])
	}
	parts := make([]Selector, 0, len(names))
	for _, name := range names {
		part, err := p.member(name, object[name])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return p.combine(true, parts), nil
}

// combine is parts, joined by and or by or, which a negation above turns into each other.
func (p parser) combine(and bool, parts []Selector) Selector {
	if and != p.negated {
		return And(parts)
	}
	return Or(parts)
}

// member makes a node of {name: arg}.
func (p parser) member(name string, arg any) (Selector, error) {
	switch name {
	case "$and", "$or", "$nor":
		return p.logical(name, arg)
	case "$not":
		if _, ok := arg.(map[string]any); !ok {
			return nil, badArg(name, arg)
		}
		if p.elements {
			s, err := p.parse(arg)
			return Not{s}, err
		}
		p.negated = !p.negated
		return p.parse(arg)
	case "$where", "$geoWithin", "$geoIntersects", "$near", "$nearSphere", "$text":
		return nil, refuse("not_supported", "Unsupported operator: "+name)
	}
	if strings.HasPrefix(name, "$") {
		return p.condition(name, arg)
	}
	if p.field != "" {
		if err := p.spend(len(p.field)); err != nil {
			return nil, err
		}
		name = p.field + "." + name
	}
	p.field = name
	return p.parse(arg)
}

// logical makes a node of $and, $or and $nor.
func (p parser) logical(op string, arg any) (Selector, error) {
	list, ok := arg.([]any)
	if !ok {
		return nil, badArg(op, arg)
	}
	// {"$nor": [...]} is {"$not": {"$or": [...]}}.
	if op == "$nor" && !p.elements {
		p.negated = !p.negated
	}
	parts := make([]Selector, 0, len(list))
	for _, value := range list {
		if !p.work.spend(1) {
			return nil, p.work.ended()
		}
		part, err := p.parse(value)
		if err != nil {
			return nil, err
		}
		if op == "$nor" && p.elements {
			part = Not{part}
		}
		parts = append(parts, part)
	}
	return p.combine(op == "$and" || op == "$nor" && p.elements, parts), nil
}

// condition makes a node of an operator that applies to the field.
func (p parser) condition(op string, arg any) (Selector, error) {
	if err := p.spend(len(p.field) + conditionSize); err != nil {
		return nil, err
	}
	c := &Condition{Field: p.field, Op: op, Arg: arg}
	if p.field != "" {
		path, err := parsePath(p.field)
		if err != nil {
			return nil, err
		}
		c.Path = path
	}
	if err := c.compile(p); err != nil {
		return nil, err
	}
	if !p.negated {
		return c, nil
	}
	switch opposite := oppositeOf(op); {
	case op == OpExists:
		c.Arg = arg != true
	case opposite != "":
		c.Op = opposite
	default:
		c.Negated = true
		return c, nil
	}
	return c, c.compile(p)
}

// oppositeOf returns the operator that is true of a value where op is false, or "".
func oppositeOf(op string) string {
	switch op {
	case OpLt:
		return OpGte
	case OpLte:
		return OpGt
	case OpEq:
		return OpNe
	case OpNe:
		return OpEq
	case OpGte:
		return OpLt
	case OpGt:
		return OpLte
	case OpIn:
		return OpNin
	case OpNin:
		return OpIn
	}
	return ""
}
