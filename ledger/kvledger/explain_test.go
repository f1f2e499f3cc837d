package kvledger_test

import (
	"encoding/json"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// TestExplain holds explanations to JSON, member by member.
func TestExplain(t *testing.T) {
	l := openMemory(t)
	var d kvledger.Definition
	for _, text := range []string{
		`{"index": {"fields": [{"owner": "desc"}, {"size": "desc"}]}, "ddoc": "d", "name": "down"}`,
		`{"index": {"fields": ["owner"], "partial_filter_selector": {"size": {"$gt": 1}}}, "ddoc": "p", "name": "big"}`,
	} {
		x, err := kvledger.ParseIndex([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		d.Indexes = append(d.Indexes, x)
	}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
	const partial = `[{"index": {"ddoc": "p", "name": "big"}, "reason": "it has a partial_filter_selector, and is not named by use_index"}]`
	for _, test := range []struct{ query, want, text string }{
		{
			query: `{"selector": {}}`,
			want: `{"index": {"name": "_all_docs", "type": "special", "fields": ["_id"], "order": "asc"}, "range": [], "direction": "fwd",
				"selector": {}, "fields": null, "skip": 0, "index_candidates": [{"index": {"ddoc": "d", "name": "down"},
				"reason": "the selector doesn't require the field \"owner\""}, {"index": {"ddoc": "p", "name": "big"},
				"reason": "it has a partial_filter_selector, and is not named by use_index"}],
				"warnings": ["No matching index found, create an index to optimize query time."]}`,
			text: `special index "_all_docs" on _id, fwd
not "d/down": the selector doesn't require the field "owner"
not "p/big": it has a partial_filter_selector, and is not named by use_index
warning: No matching index found, create an index to optimize query time.`,
		},
		{
			query: `{"selector": {"owner": "tom", "size": {"$not": {"$lt": 5}}}, "sort": [{"size": "desc"}], "fields": [], "skip": 2, "limit": 7}`,
			want: `{"index": {"ddoc": "d", "name": "down", "type": "json", "fields": ["owner", "size"], "order": "desc"}, "direction": "rev",
				"range": [{"field": "owner", "lo": {"value": "tom", "included": true}, "hi": {"value": "tom", "included": true}},
				{"field": "size", "lo": {"value": 5, "included": true}}],
				"selector": {"$and": [{"owner": {"$eq": "tom"}}, {"size": {"$gte": 5}}]}, "fields": [], "skip": 2,
				"index_candidates": ` + partial + `, "warnings": []}`,
			text: `json index "d/down" on owner, size, rev
range: owner >= "tom" <= "tom"
range: size >= 5
not "p/big": it has a partial_filter_selector, and is not named by use_index`,
		},
		{
			query: `{"selector": {"owner": {"$beginsWith": "", "$lt": "tom"}}, "use_index": ["p", "big"], "fields": ["a.b", "c"]}`,
			want: `{"index": {"ddoc": "p", "name": "big", "type": "json", "fields": ["owner"], "order": "asc",
				"partial_filter_selector": {"size": {"$gt": 1}}}, "direction": "fwd",
				"range": [{"field": "owner", "hi": {"value": "tom", "included": false}, "beginsWith": ""}],
				"selector": {"$and": [{"owner": {"$beginsWith": ""}}, {"owner": {"$lt": "tom"}}]}, "fields": ["a.b", "c"], "skip": 0,
				"index_candidates": [{"index": {"ddoc": "d", "name": "down"}, "reason": "the selector doesn't require the field \"size\""}], "warnings": []}`,
			text: `json index "p/big" on owner, fwd
range: owner < "tom" begins ""
not "d/down": the selector doesn't require the field "size"`,
		},
	} {
		e, err := l.Explain(t.Context(), ns, "", test.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.String(); got != test.text {
			t.Errorf("%s:\ngot  %s\nwant %s", test.query, got, test.text)
		}
		if got := asJSON(t, e); !sameJSON(t, got, test.want) {
			t.Errorf("%s:\ngot  %s\nwant %s", test.query, got, test.want)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return asJSON(t, values[0]) == asJSON(t, values[1])
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
