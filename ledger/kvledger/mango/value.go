package mango

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// MaxDepth is how many levels of objects and arrays a query or a document may have.
const MaxDepth = 256

// tooDeep says whether JSON has more than MaxDepth levels. It counts brackets, and leaves errors to the decoder.
func tooDeep(data []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// decode makes nil, bool, json.Number, string, []any and map[string]any of the JSON value that data begins with. It
// returns what follows the value.
func decode(data []byte, into any) (rest []byte, err error) {
	if tooDeep(data) {
		return nil, ErrTooDeep
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(into)
	return data[d.InputOffset():], err
}

// rank orders the types: null < false < true < number < string < array < object.
func rank(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 2
		}
		return 1
	case json.Number:
		return 3
	case string:
		return 4
	case []any:
		return 5
	default:
		return 6
	}
}

// compare orders two decoded JSON values as CouchDB's couch_ejson_compare does, but for the collation of strings.
func compare(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case json.Number:
		return parseNumber(a).compare(parseNumber(b.(json.Number)))
	case string:
		return strings.Compare(a, b.(string))
	case []any:
		return slices.CompareFunc(a, b.([]any), compare)
	case map[string]any:
		return compareObjects(a, b.(map[string]any))
	}
	return 0
}

// compareObjects compares the members one by one in the order of their names, first the name and then the value.
func compareObjects(a, b map[string]any) int {
	return slices.CompareFunc(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)), func(nameA, nameB string) int {
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return compare(a[nameA], b[nameB])
	})
}

// identical is Erlang's =:=, which is equality except that an integer is never identical to a float.
func identical(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && parseNumber(a).isFloat == parseNumber(n).isFloat && compare(a, n) == 0
	case []any:
		values, ok := b.([]any)
		return ok && slices.EqualFunc(a, values, identical)
	case map[string]any:
		members, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, members, identical)
	}
	return compare(a, b) == 0
}

// number is a JSON number's exact value, as Erlang has it: an integer of any size, or a float64.
type number struct {
	isFloat bool
	float   float64
	small   int64
	large   *big.Int // the integer, where small is too small for it
}

func parseNumber(n json.Number) number {
	text := n.String()
	if strings.ContainsAny(text, ".eE") {
		// The only error that a number of valid JSON can cause is that it's out of range: it is infinite then.
		float, _ := strconv.ParseFloat(text, 64)
		return number{isFloat: true, float: float}
	}
	if small, err := strconv.ParseInt(text, 10, 64); err == nil {
		return number{small: small}
	}
	large, _ := new(big.Int).SetString(text, 10)
	return number{large: large}
}

func (n number) integer() *big.Int {
	if n.large != nil {
		return n.large
	}
	return big.NewInt(n.small)
}

func (n number) compare(m number) int {
	switch {
	case n.isFloat && m.isFloat:
		return cmp.Compare(n.float, m.float)
	case n.isFloat:
		return -m.compare(n)
	case m.isFloat:
		// The precision of a big.Float that is set to an integer is enough for all its digits.
		return new(big.Float).SetInt(n.integer()).Cmp(big.NewFloat(m.float))
	case n.large == nil && m.large == nil:
		return cmp.Compare(n.small, m.small)
	}
	return n.integer().Cmp(m.integer())
}

// remainder says whether n divided by divisor, truncated as Erlang's rem and Go's % do it, leaves want. All are integers.
func (n number) remainder(divisor, want number) bool {
	if n.large == nil && divisor.large == nil && want.large == nil {
		return n.small%divisor.small == want.small
	}
	return new(big.Int).Rem(n.integer(), divisor.integer()).Cmp(want.integer()) == 0
}
