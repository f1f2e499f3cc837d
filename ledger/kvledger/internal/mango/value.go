package mango

import (
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxDepth is how many levels of objects and arrays a query or a document may have.
	MaxDepth = 256
	// MaxDigits is how many digits in a row a number in a query or a document may have. To compare long
	// ones takes long, and a selector may do it often.
	MaxDigits = 1000
	// MaxQueryValues is how many values the objects and lists of a query may have together. Decoded, a value may take a
	// hundred times as many bytes as it has in the text.
	MaxQueryValues = 250_000
	// MaxDocumentValues is the same for a document.
	MaxDocumentValues = 1_000_000
)

// checkLimits returns ErrTooDeep for more levels than maxDepth, and ErrLongNumber. It counts brackets and digits, and leaves
// errors to the decoder.
func checkLimits(w *work, data []byte, maxDepth int) error {
	depth, digits, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		if i%largeJSON == largeJSON-1 && !w.spend(workStep) {
			return w.ended()
		}
		c := data[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case '0' <= c && c <= '9':
			if digits++; digits > MaxDigits {
				return ErrLongNumber
			}
			continue
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return ErrTooDeep
			}
		case c == '}' || c == ']':
			depth--
		}
		digits = 0
	}
	return nil
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
func compare(w *work, a, b any) int { return order(w, a, b, false) }

// compareExact is compare, but an integer is before a float that it is equal to. What it finds equal is what Erlang's =:=
// does.
func compareExact(w *work, a, b any) int { return order(w, a, b, true) }

func order(w *work, a, b any, exact bool) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case json.Number:
		m := b.(json.Number)
		w.spend(len(a) + len(m))
		return orderNumbers(parseNumber(a), parseNumber(m), exact)
	case string:
		w.spend(1 + len(a)/64)
		return strings.Compare(a, b.(string))
	case []any:
		return slices.CompareFunc(a, b.([]any), func(a, b any) int {
			if !w.spend(1) {
				return 1 // ends the comparison
			}
			return order(w, a, b, exact)
		})
	case map[string]any:
		return orderObjects(w, a, b.(map[string]any), exact)
	}
	return 0
}

func orderNumbers(n, m number, exact bool) int {
	if c := n.compare(m); c != 0 || !exact || n.isFloat == m.isFloat {
		return c
	}
	return cmp.Compare(rank(n.isFloat), rank(m.isFloat))
}

// orderObjects compares the members one by one in the order of their names, first the name and then the value.
func orderObjects(w *work, a, b map[string]any, exact bool) int {
	return slices.CompareFunc(sortedNames(w, a), sortedNames(w, b), func(nameA, nameB string) int {
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		if !w.spend(1) {
			return 1
		}
		return order(w, a[nameA], b[nameB], exact)
	})
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
