package mango_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

type planVector struct {
	Why   string
	Query json.RawMessage
	// Indexes are definitions, or lists of fields, which then are the name of the design document: "a,b".
	Indexes []json.RawMessage
	// Use is the index that is to be used, "ddoc/name" or "_all_docs", or the name of an error.
	Use string
	// Range, Unused and Warnings are those of the explanation.
	Range    []string
	Unused   map[string]string
	Warnings []string
	// Read are the keys of the planDocuments that are read, in the order in which they are.
	Read string
}

// planDocuments are those that the plans of plans.json read, with the letters as keys.
var planDocuments = map[string]string{
	"a": `{"n": null, "m": 1}`, "b": `{"n": false, "m": 2}`, "c": `{"n": true, "m": 1}`, "d": `{"n": 1, "m": 2}`, "e": `{"n": 1.5, "m": 1}`,
	"f": `{"n": 2, "m": 2}`, "g": `{"n": "a", "m": 1}`, "h": `{"n": "ab", "m": 2}`, "i": `{"n": "b", "m": 1}`, "j": `{"n": [1], "m": 2}`,
	"k": `{"n": {"x": 1}, "m": 1}`, "l": `{"m": 2}`, "m": `{"n": 1}`,
}

func (v planVector) indexes(t *testing.T) []*mango.Index {
	var indexes []*mango.Index
	for _, text := range v.Indexes {
		var fields []string
		if json.Unmarshal(text, &fields) != nil {
			indexes = append(indexes, index(t, string(text)))
			continue
		}
		indexes = append(indexes, index(t, fmt.Sprintf(`{"index": {"fields": %s}, "ddoc": %q, "name": "i"}`, text, strings.Join(fields, ","))))
	}
	return indexes
}

func TestPlans(t *testing.T) {
	var docs []*mango.Document
	for key, value := range planDocuments {
		docs = append(docs, document(t, key, value))
	}
	for _, v := range vectors[planVector](t, "plans.json", 60) {
		t.Run(v.Why, func(t *testing.T) {
			q := parse(t, string(v.Query))
			p, err := q.Plan(v.indexes(t))
			var refused *mango.Error
			if errors.As(err, &refused) && p == nil {
				if refused.Name != v.Use {
					t.Errorf("%v, want %s", err, v.Use)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(p, docs)
			want := v
			want.Why, want.Query, want.Indexes = "", nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", show(t, got), show(t, want))
			}
		})
	}
}

// outcome is the part of a vector that a plan decides.
func outcome(p *mango.Plan, docs []*mango.Document) planVector {
	e := p.Explain()
	v := planVector{Use: strings.TrimPrefix(e.Index.Ddoc+"/"+e.Index.Name, "/")}
	for _, r := range e.Range {
		v.Range = append(v.Range, rangeText(r))
	}
	for _, u := range e.Unused {
		if v.Unused == nil {
			v.Unused = map[string]string{}
		}
		v.Unused[u.Index.String()] = u.Reason
	}
	if len(e.Warnings) > 0 {
		v.Warnings = e.Warnings
	}
	for _, entry := range read(p, docs) {
		v.Read += entry.doc.Key()
	}
	return v
}

// rangeText is such as "size > 1 <= 5".
func rangeText(r mango.FieldRange) string {
	text := r.Field + boundText(r.Lo, ">") + boundText(r.Hi, "<")
	if r.BeginsWith != nil {
		text += fmt.Sprintf(" begins %q", *r.BeginsWith)
	}
	return text
}

func boundText(b *mango.Bound, operator string) string {
	if b == nil {
		return ""
	}
	if b.Included {
		operator += "="
	}
	value, _ := json.Marshal(b.Value) // which was JSON
	return fmt.Sprintf(" %s %s", operator, value)
}

func show(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPlanTakesLongestBeginning has two beginnings, of which the longer one bounds what is read, whichever comes first.
func TestPlanTakesLongestBeginning(t *testing.T) {
	const long, short = `{"a":{"$beginsWith":"abc"}}`, `{"a":{"$beginsWith":"ab"}}`
	x := indexOn(t, `["a"]`)
	want := planOf(t, parse(t, `{"selector":`+long+`}`), x)
	for _, both := range []string{long + "," + short, short + "," + long} {
		got := planOf(t, parse(t, `{"selector":{"$and":[`+both+`]}}`), x)
		if string(got.Lo) != string(want.Lo) || string(got.Hi) != string(want.Hi) {
			t.Errorf("%s: [%x, %x), want [%x, %x)", both, got.Lo, got.Hi, want.Lo, want.Hi)
		}
	}
}
