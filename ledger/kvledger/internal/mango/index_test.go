package mango_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

type indexVector struct {
	Why, File  string
	Ddoc, Name string
	Fields     []string
	Descending bool
	Filter     any
	Error      string
}

// TestParseIndex parses each vector's file. What is right means the same when it is written and parsed again.
func TestParseIndex(t *testing.T) {
	for _, v := range vectors[indexVector](t, "indexes.json", 40) {
		t.Run(v.Why, func(t *testing.T) {
			x, err := mango.ParseIndex([]byte(v.File))
			if v.Error != "" {
				if x != nil || err == nil || err.Error() != v.Error {
					t.Errorf("got  %v\nwant %s", err, v.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			var again mango.Index
			if err := json.Unmarshal(text, &again); err != nil || !again.Equal(x) {
				t.Errorf("%s: %v", text, err)
			}
			for _, x := range []*mango.Index{x, &again} {
				got := indexVector{Why: v.Why, File: v.File, Ddoc: x.Ddoc, Name: x.Name, Descending: x.Descending, Filter: filterOf(t, x)}
				for _, f := range x.Fields {
					got.Fields = append(got.Fields, f.Field)
				}
				if !reflect.DeepEqual(got, v) {
					t.Errorf("got  %s\nwant %s", show(t, got), show(t, v))
				}
			}
		})
	}
}

// filterOf is an index's partial_filter_selector, with numbers as vectors have them.
func filterOf(t *testing.T, x *mango.Index) any {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Index struct {
			Filter any `json:"partial_filter_selector"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Index.Filter
}

// TestEqualIndexes compares each two definitions: those in one list are equal, and no others.
func TestEqualIndexes(t *testing.T) {
	lists := [][]string{
		{
			`{"index": {"fields": ["a", "b"]}, "ddoc": "d", "name": "n", "type": "json"}`,
			` {"name":"n","index":{"partial_filter_selector":{},"fields":[{"a":"asc"},"b"]},"ddoc":"_design/d"} `,
		},
		{`{"index": {"fields": ["b", "a"]}, "ddoc": "d", "name": "n"}`},
		{`{"index": {"fields": ["a"]}, "ddoc": "d", "name": "n"}`},
		{`{"index": {"fields": [{"a": "desc"}, {"b": "desc"}]}, "ddoc": "d", "name": "n"}`},
		{`{"index": {"fields": ["a", "b"]}, "ddoc": "e", "name": "n"}`},
		{`{"index": {"fields": ["a", "b"]}, "ddoc": "d", "name": "o"}`},
		{
			`{"index": {"fields": ["a", "b"], "partial_filter_selector": {"c": 1, "d": 2}}, "ddoc": "d", "name": "n"}`,
			`{"index": {"fields": ["a", "b"], "partial_filter_selector": {"d": 2, "c": 1}}, "ddoc": "d", "name": "n"}`,
		},
		{`{"index": {"fields": ["a", "b"], "partial_filter_selector": {"c": 1, "d": 3}}, "ddoc": "d", "name": "n"}`},
		{`{"index": {"fields": ["a", "b"]}}`, `{"index": {"fields": [{"a": "asc"}, {"b": "asc"}]}, "type": "json"}`},
		{`{"index": {"fields": ["a", "c"]}}`},
	}
	names := map[mango.IndexName]bool{}
	for i, list := range lists {
		for _, file := range list {
			for j, others := range lists {
				for _, other := range others {
					if got := index(t, file).Equal(index(t, other)); got != (i == j) {
						t.Errorf("that %s and %s are equal is %v", file, other, got)
					}
				}
			}
		}
		x := index(t, list[0])
		names[mango.IndexName{Ddoc: x.Ddoc, Name: x.Name}] = true
	}
	if len(names) != 5 {
		t.Errorf("there are %d names, want 5", len(names))
	}
}
