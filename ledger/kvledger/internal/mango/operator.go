package mango

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// compile checks the argument of a condition, and makes its test, which is for values that are present. p is where the
// condition is.
func (c *Condition) compile(p parser) error {
	switch c.Op {
	case OpLt, OpLte, OpEq, OpNe, OpGte, OpGt:
		c.test = comparison(c.Op, c.Arg)
		return nil
	case OpIn, OpNin, OpAll:
		return c.compileList(p.work)
	case OpElemMatch, OpAllMatch, OpKeyMapMatch:
		return c.compileElements(p)
	case OpType, OpRegex, OpBeginsWith:
		return c.compileString(p)
	case OpExists:
		want, ok := c.Arg.(bool)
		c.test = func(*work, any) bool { return want }
		return c.argument(ok)
	case OpMod:
		return c.compileMod()
	case OpSize:
		size, ok := integer(c.Arg)
		c.test = func(_ *work, value any) bool {
			list, isList := value.([]any)
			return isList && size.compare(number{small: int64(len(list))}) == 0
		}
		return c.argument(ok && size.compare(number{}) >= 0)
	}
	return refuse("invalid_operator", "Invalid operator: "+cut(c.Op))
}

// argument returns the error for an argument that is not ok.
func (c *Condition) argument(ok bool) error {
	if ok {
		return nil
	}
	return badArg(c.Op, c.Arg)
}

func comparison(op string, arg any) func(*work, any) bool {
	switch op {
	case OpLt:
		return func(w *work, value any) bool { return compare(w, value, arg) < 0 }
	case OpLte:
		return func(w *work, value any) bool { return compare(w, value, arg) <= 0 }
	case OpEq:
		return func(w *work, value any) bool { return compare(w, value, arg) == 0 }
	case OpNe:
		return func(w *work, value any) bool { return compare(w, value, arg) != 0 }
	case OpGte:
		return func(w *work, value any) bool { return compare(w, value, arg) >= 0 }
	default:
		return func(w *work, value any) bool { return compare(w, value, arg) > 0 }
	}
}

// MaxList is how many values $in, $nin and $all may have.
const MaxList = 100_000

func (c *Condition) compileList(w *work) error {
	list, ok := c.Arg.([]any)
	if len(list) > MaxList {
		return errors.Wrapf(ErrLargeSelector, "%s has %d values: %d are the most", c.Op, len(list), MaxList)
	}
	if c.Op == OpAll {
		c.test = all(w, list)
		return c.argument(ok)
	}
	sorted := slices.Clone(list)
	sort(w, sorted, func(a, b any) int { return compare(w, a, b) })
	c.test = func(w *work, value any) bool { return isIn(w, sorted, value) == (c.Op == OpIn) }
	return c.argument(ok)
}

// isIn says whether a sorted list has a value, or one of a value's elements.
func isIn(w *work, sorted []any, value any) bool {
	in := func(value any) bool {
		if !w.spend(1) {
			return true // ends the search
		}
		_, found := slices.BinarySearchFunc(sorted, value, func(a, b any) int { return compare(w, a, b) })
		return found
	}
	if values, isList := value.([]any); isList {
		return slices.ContainsFunc(values, in)
	}
	return in(value)
}

// all is the test of $all: a value is a list with all of the arguments, or equal to the only one, a list.
func all(w *work, args []any) func(w *work, value any) bool {
	var whole []any
	if len(args) == 1 {
		whole, _ = args[0].([]any)
	}
	sorted := slices.Clone(args)
	sort(w, sorted, func(a, b any) int { return compareExact(w, a, b) })
	sorted = slices.CompactFunc(sorted, func(a, b any) bool { return compareExact(w, a, b) == 0 })
	return func(w *work, value any) bool {
		values, ok := value.([]any)
		if !ok || len(args) == 0 {
			return false
		}
		if whole != nil && compare(w, whole, values) == 0 {
			return true
		}
		missing, found := len(sorted), make([]bool, len(sorted))
		for _, v := range values {
			if !w.spend(1) {
				return false
			}
			i, ok := slices.BinarySearchFunc(sorted, v, func(a, b any) int { return compareExact(w, a, b) })
			if ok && !found[i] {
				found[i] = true
				missing--
			}
		}
		return missing == 0
	}
}

func (c *Condition) compileElements(p parser) error {
	if _, ok := c.Arg.(map[string]any); !ok {
		return badArg(c.Op, c.Arg)
	}
	elements, err := parser{elements: true, budget: p.budget}.parse(c.Arg)
	if err != nil {
		return err
	}
	c.Elements = elements
	return nil
}

// matchElements is the test of $elemMatch, $allMatch and $keyMapMatch. When the work has ended, each element is what ends the
// search.
func (c *Condition) matchElements(w *work, value any) bool {
	matches := func(v any) bool { return c.Elements.matches(w, v) || !w.spend(1) }
	list, _ := value.([]any)
	switch c.Op {
	case OpElemMatch:
		return slices.ContainsFunc(list, matches)
	case OpAllMatch:
		return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { return !c.Elements.matches(w, v) || !w.spend(1) })
	}
	object, _ := value.(map[string]any)
	for name := range object {
		if matches(name) {
			return true
		}
	}
	return false
}

func (c *Condition) compileString(p parser) error {
	arg, ok := c.Arg.(string)
	switch c.Op {
	case OpType:
		c.test = func(_ *work, value any) bool { return typeName(value) == arg }
	case OpBeginsWith:
		if !ok {
			// CouchDB has no rule for an argument that is no string, and so doesn't know the operator.
			return refuse("invalid_operator", "Invalid operator: "+cut(c.Op))
		}
		c.test = func(_ *work, value any) bool {
			text, isString := value.(string)
			return isString && strings.HasPrefix(text, arg)
		}
	default:
		pattern, valid, err := p.patterns.compile(arg)
		if err != nil {
			return err
		}
		if !valid {
			return badArg(c.Op, c.Arg)
		}
		c.test = func(w *work, value any) bool {
			text, isString := value.(string)
			return isString && pattern.match(w, text)
		}
	}
	return c.argument(ok)
}

func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

func (c *Condition) compileMod() error {
	list, _ := c.Arg.([]any)
	if len(list) != 2 {
		return badArg(c.Op, c.Arg)
	}
	divisor, ok1 := integer(list[0])
	want, ok2 := integer(list[1])
	c.test = func(_ *work, value any) bool {
		n, ok := integer(value)
		return ok && n.remainder(divisor, want)
	}
	return c.argument(ok1 && ok2 && divisor.compare(number{}) != 0)
}

// integer returns the number that value is, if it is written as an integer: 1.0 and 1e3 are not.
func integer(value any) (number, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return number{}, false
	}
	parsed := parseNumber(n)
	return parsed, !parsed.isFloat
}
