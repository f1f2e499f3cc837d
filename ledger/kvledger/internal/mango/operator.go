package mango

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// compile checks the argument of a condition, and makes its test, which is for values that are present. p is where the
// condition is.
func (c *Condition) compile(p parser) error {
	switch c.Op {
	case OpLt, OpLte, OpEq, OpNe, OpGte, OpGt:
		c.test = comparison(c.Op, c.Arg)
		return nil
	case OpIn, OpNin, OpAll:
		return c.compileList()
	case OpElemMatch, OpAllMatch, OpKeyMapMatch:
		return c.compileElements(p)
	case OpType, OpRegex, OpBeginsWith:
		return c.compileString()
	case OpExists:
		want, ok := c.Arg.(bool)
		c.test = func(any) bool { return want }
		return c.argument(ok)
	case OpMod:
		return c.compileMod()
	case OpSize:
		size, ok := integer(c.Arg)
		c.test = func(value any) bool {
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

func comparison(op string, arg any) func(any) bool {
	switch op {
	case OpLt:
		return func(value any) bool { return compare(value, arg) < 0 }
	case OpLte:
		return func(value any) bool { return compare(value, arg) <= 0 }
	case OpEq:
		return func(value any) bool { return compare(value, arg) == 0 }
	case OpNe:
		return func(value any) bool { return compare(value, arg) != 0 }
	case OpGte:
		return func(value any) bool { return compare(value, arg) >= 0 }
	default:
		return func(value any) bool { return compare(value, arg) > 0 }
	}
}

func (c *Condition) compileList() error {
	list, ok := c.Arg.([]any)
	if c.Op == OpAll {
		c.test = all(list)
		return c.argument(ok)
	}
	sorted := slices.SortedFunc(slices.Values(list), compare)
	in := func(value any) bool {
		_, found := slices.BinarySearchFunc(sorted, value, compare)
		return found
	}
	isIn := func(value any) bool {
		if values, isList := value.([]any); isList {
			return slices.ContainsFunc(values, in)
		}
		return in(value)
	}
	c.test = func(value any) bool { return isIn(value) == (c.Op == OpIn) }
	return c.argument(ok)
}

// all is the test of $all: a value is a list with all of the arguments, or equal to the only one, a list.
func all(args []any) func(value any) bool {
	var whole []any
	if len(args) == 1 {
		whole, _ = args[0].([]any)
	}
	sorted := slices.SortedFunc(slices.Values(args), compareExact)
	sorted = slices.CompactFunc(sorted, func(a, b any) bool { return compareExact(a, b) == 0 })
	return func(value any) bool {
		values, ok := value.([]any)
		if !ok || len(args) == 0 {
			return false
		}
		if whole != nil && compare(whole, values) == 0 {
			return true
		}
		missing, found := len(sorted), make([]bool, len(sorted))
		for _, v := range values {
			if i, ok := slices.BinarySearchFunc(sorted, v, compareExact); ok && !found[i] {
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
	elements, err := parser{elements: true, room: p.room}.parse(c.Arg)
	if err != nil {
		return err
	}
	c.Elements = elements
	return nil
}

// matchElements is the test of $elemMatch, $allMatch and $keyMapMatch.
func (c *Condition) matchElements(ctx context.Context, value any) bool {
	list, _ := value.([]any)
	switch c.Op {
	case OpElemMatch:
		return slices.ContainsFunc(list, func(v any) bool { return c.Elements.matches(ctx, v) })
	case OpAllMatch:
		return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { return !c.Elements.matches(ctx, v) })
	}
	object, _ := value.(map[string]any)
	for name := range object {
		if c.Elements.matches(ctx, name) {
			return true
		}
	}
	return false
}

func (c *Condition) compileString() error {
	arg, ok := c.Arg.(string)
	switch c.Op {
	case OpType:
		c.test = func(value any) bool { return typeName(value) == arg }
	case OpBeginsWith:
		if !ok {
			// CouchDB has no rule for an argument that is no string, and so doesn't know the operator.
			return refuse("invalid_operator", "Invalid operator: "+cut(c.Op))
		}
		c.test = func(value any) bool {
			text, isString := value.(string)
			return isString && strings.HasPrefix(text, arg)
		}
	default:
		pattern, err := regexp.Compile(arg)
		if err != nil {
			return badArg(c.Op, c.Arg)
		}
		c.test = func(value any) bool {
			text, isString := value.(string)
			return isString && pattern.MatchString(text)
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
	c.test = func(value any) bool {
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
