package mango_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// wantColumns checks that columns are ordered as their values are, unless they are cut: then they may be the same. Other
// than that none are the beginning of the others.
func wantColumns(t testing.TB, order int, a, b []byte) {
	t.Helper()
	got := bytes.Compare(a, b)
	if isCut := len(a) == mango.MaxColumns && len(b) == mango.MaxColumns; got != cmp.Compare(order, 0) && (got != 0 || !isCut) {
		t.Errorf("columns %x, %x are ordered %d, the values %d", a, b, got, order)
	}
	if got != 0 && (bytes.HasPrefix(a, b) || bytes.HasPrefix(b, a)) {
		t.Errorf("of %x and %x one is the beginning of the other", a, b)
	}
	if len(a) > mango.MaxColumns {
		t.Errorf("columns have %d bytes", len(a))
	}
}

// wantColumnsOf checks the columns of each two documents, in an index and the order of a plan that sorts by it.
func wantColumnsOf(t *testing.T, fields string, docs []*mango.Document) {
	t.Helper()
	p := sortPlan(t, fields)
	columns := make([][]byte, len(docs))
	at := make([]mango.Position, len(docs))
	for i, d := range docs {
		at[i] = p.Position(d)
		var ok bool
		if columns[i], ok = p.Index.Columns(d); !ok {
			t.Fatalf("%s is not in the index", d.Value())
		}
	}
	for i := range docs {
		for j := range docs {
			at[i].Key, at[j].Key = "", ""
			wantColumns(t, p.Compare(at[i], at[j]), columns[i], columns[j])
			if t.Failed() {
				t.Fatalf("%.100s and %.100s", docs[i].Value(), docs[j].Value())
			}
		}
	}
}

// numbers are in order, but for those that are equal.
var numbers = []string{
	`-1e999`, `-` + strings.Repeat("9", mango.MaxDigits), `-1.7976931348623157e308`, `-9223372036854775809`, `-9223372036854775808`,
	`-9223372036854775807`, `-9007199254740993`, `-9007199254740992.0`, `-9007199254740992`, `-257`, `-256`, `-255.5`, `-2`, `-1.5`, `-1`,
	`-0.5`, `-1e-9`, `-5e-324`, `-1e-999`, `-0.0`, `0`, `1e-999`, `5e-324`, `2.2250738585072014e-308`, `1e-9`, `0.1`, `0.30000000000000004`,
	`0.5`, `1`, `1.0`, `10e-1`, `1.5`, `2`, `3`, `255`, `256`, `256.5`, `65536`, `9007199254740992`, `9007199254740992.0`, `9007199254740993`,
	`9223372036854775807`, `9223372036854775808`, `9223372036854775808.0`, `18446744073709551616`, `1e30`, `1000000000000000019884624838656`,
	`1000000000000000019884624838657`, `1.7976931348623157e308`, strings.Repeat("9", mango.MaxDigits-1), strings.Repeat("9", mango.MaxDigits), `1e999`,
}

// TestColumnsOfNumbers compares columns with the exact values, which package math/big knows.
func TestColumnsOfNumbers(t *testing.T) {
	var docs []*mango.Document
	var values []*big.Float
	for _, text := range numbers {
		docs = append(docs, document(t, "k", `{"x": `+text+`}`))
		values = append(values, exact(text))
	}
	wantColumnsOf(t, `["x"]`, docs)
	x := indexOn(t, `["x"]`)
	for i, d := range docs[1:] {
		a, _ := x.Columns(docs[i])
		b, _ := x.Columns(d)
		if want := values[i].Cmp(values[i+1]); bytes.Compare(a, b) != want || want > 0 {
			t.Errorf("%.30s, %.30s: %x, %x, want %d", numbers[i], numbers[i+1], a, b, want)
		}
	}
}

// exact is the value of a JSON number: an integer, or the nearest float64.
func exact(text string) *big.Float {
	if strings.ContainsAny(text, ".eE") {
		float, _ := strconv.ParseFloat(text, 64) // infinite if it's out of range
		return big.NewFloat(float)
	}
	integer, _ := new(big.Int).SetString(text, 10)
	return new(big.Float).SetInt(integer)
}

func TestColumnsOfValues(t *testing.T) {
	values := []string{`null`, `false`, `true`, `""`, `"\u0000"`, `"\u0000\u0000"`, `"\u0000\u0001"`, `"\u0000ÿ"`, `"a"`, `"a\u0000"`, `"a\u0000b"`,
		`"a\u0001"`, `"ab"`, `"b"`, `"é"`, `"\uffff"`, `"😀"`, `[]`, `[null]`, `[null, null]`, `[false]`, `[0]`, `[0, 0]`, `[1]`, `[1.0]`, `[""]`, `["", 0]`,
		`["a"]`, `[[]]`, `[[], 1]`, `[[1]]`, `[{}]`, `{}`, `{"": null}`, `{"a": null}`, `{"a": 1}`, `{"a": 1.0}`, `{"a": 1, "b": 1}`, `{"a": {}}`,
		`{"a": {"b": 1}, "c": 1}`, `{"a": 2}`, `{"a\u0000": 1}`, `{"b": 1}`, `{"b": 1, "a": 1}`, `{"aa": 1}`}
	values = append(values, numbers...)
	for n := mango.MaxColumns - 4; n < mango.MaxColumns+3; n++ {
		long := strings.Repeat("x", n)
		values = append(values, `"`+long+`"`, `"`+long+`y"`, `"`+long+`\u0000"`, `["`+long+`", 1]`, `{"`+long+`": 1}`)
	}
	for n := mango.MaxColumns/7 - 3; n < mango.MaxColumns/7+3; n++ { // an integer of one digit has 7 bytes
		ones := strings.Repeat("1, ", n)
		values = append(values, "["+ones+"1]", "["+ones+"2]", "["+ones+"1, 2]", "["+ones+"{}]")
		var members string
		for i := range n * 7 / 13 { // and a name of three bytes has 6
			members += fmt.Sprintf(`"n%02d": 1, `, i)
		}
		values = append(values, "{"+members+`"z": 1}`, "{"+members+`"z": 2}`, "{"+members+`"z": 1, "zz": 1}`)
	}
	var docs []*mango.Document
	for _, value := range values {
		if !json.Valid([]byte(value)) {
			t.Fatal(value)
		}
		docs = append(docs, document(t, "k", `{"x": `+value+`, "y": 1}`))
	}
	wantColumnsOf(t, `["x"]`, docs)
	wantColumnsOf(t, `["y", "x"]`, docs)
	wantColumnsOf(t, `["x", "y"]`, docs)
}

// value is a random JSON value.
func value(random *rand.Rand, levels int) string {
	kinds := 7
	if levels == 0 {
		kinds = 5
	}
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	switch random.IntN(kinds) {
	case 0:
		return pick(`null`, `false`, `true`)
	case 1:
		return fmt.Sprint(random.IntN(5) - 2)
	case 2:
		return pick(numbers...)
	case 3:
		return pick(`""`, `"a"`, `"ab"`, `"b"`, `"\u0000"`, `"a\u0000"`, `"é"`)
	case 4:
		// Around the length at which columns are cut.
		return `"` + strings.Repeat("l", mango.MaxColumns-8+random.IntN(8)) + pick(``, `a`, `b`, `long and different`, `\u0000`) + `"`
	case 5:
		var list []string
		for range random.IntN(4) {
			list = append(list, value(random, levels-1))
		}
		return "[" + strings.Join(list, ",") + "]"
	default:
		var members []string
		for range random.IntN(4) {
			members = append(members, pick(`""`, `"a"`, `"b"`, `"ab"`)+":"+value(random, levels-1))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
}

func TestColumnsOfRandomValues(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 5))
	var docs []*mango.Document
	for range 400 {
		docs = append(docs, document(t, "k", `{"x": `+value(random, 3)+`, "y": `+value(random, 1)+`}`))
	}
	wantColumnsOf(t, `["x", "y"]`, docs)
	wantColumnsOf(t, `["x"]`, docs)
}

// TestEntries checks that entries, columns and key one behind the other, are ordered by columns and then by key.
func TestEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	p := sortPlan(t, `["x"]`)
	keys := []string{"\x00", "\x00\x00", "\x01", "a", "ab", "\x05a", "\xff\xff", strings.Repeat("k", 2000)}
	var entries []entry
	for range 300 {
		d := document(t, keys[random.IntN(len(keys))], `{"x": `+value(random, 2)+`}`)
		columns, _ := p.Index.Columns(d)
		entries = append(entries, entry{columns, d})
	}
	for _, a := range entries {
		for _, b := range entries {
			want := cmp.Or(bytes.Compare(a.columns, b.columns), strings.Compare(a.doc.Key(), b.doc.Key()))
			if got := bytes.Compare(a.key(), b.key()); got != want {
				t.Fatalf("%x and %x are ordered %d, want %d", a.key(), b.key(), got, want)
			}
		}
	}
}

// TestNotInIndex has documents without a field, in an index without them and with a partial_filter_selector.
func TestNotInIndex(t *testing.T) {
	for file, want := range map[string]string{
		`{"index": {"fields": ["a", "b.0"]}}`:                                                "1 2 3",
		`{"index": {"fields": ["a"], "partial_filter_selector": {"b": {"$gt": 1}}}}`:         "1 2 3 5",
		`{"index": {"fields": ["a"], "partial_filter_selector": {"b": {"$type": "array"}}}}`: "1 2",
		`{"index": {"fields": ["_id"]}}`:                                                     "1 2 3 4 5 6 7",
	} {
		x := index(t, file)
		var got []string
		for i, value := range []string{`{"a": 1, "b": [1]}`, `{"a": null, "b": [null, 1]}`, `{"a": 1, "b": {"0": 1}}`, `{"a": 1}`, `{"a": 1, "b": 2}`, `{"b": [1]}`, `{}`} {
			if _, ok := x.Columns(document(t, "k", value)); ok {
				got = append(got, fmt.Sprint(i+1))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %v, want %s", file, got, want)
		}
	}
}

// TestCutColumns checks that what is cut is told from what isn't.
func TestCutColumns(t *testing.T) {
	x := indexOn(t, `["x"]`)
	for n := range 2 * mango.MaxColumns {
		columns, _ := x.Columns(document(t, "k", `{"x": "`+strings.Repeat("x", n)+`"}`))
		if want := min(n+3, mango.MaxColumns); len(columns) != want {
			t.Fatalf("columns of %d bytes for a string of %d, want %d", len(columns), n, want)
		}
	}
}
