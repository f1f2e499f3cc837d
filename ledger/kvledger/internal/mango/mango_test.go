package mango_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

type selectorVector struct {
	Why         string
	Selector    json.RawMessage
	Match, Miss []json.RawMessage
}

// TestSelectors matches each vector's documents, whose key is "key", with its selector.
func TestSelectors(t *testing.T) {
	for _, v := range vectors[selectorVector](t, "selectors.json", 150) {
		t.Run(v.Why, func(t *testing.T) {
			q := parse(t, `{"selector": `+string(v.Selector)+`}`)
			for i, doc := range slices.Concat(v.Match, v.Miss) {
				want := i < len(v.Match)
				if got := q.Match(document(t, "key", string(doc))); got != want {
					t.Errorf("%s of %s is %v", v.Selector, doc, got)
				}
			}
		})
	}
}

// TestOperatorsHaveVectors looks for each operator in the vectors, also under a negation.
func TestOperatorsHaveVectors(t *testing.T) {
	var text strings.Builder
	for _, v := range vectors[selectorVector](t, "selectors.json", 150) {
		text.Write(v.Selector)
	}
	for _, op := range strings.Fields(`$and $or $nor $not $eq $ne $lt $lte $gt $gte $in $nin $exists $type $all $size
		$elemMatch $allMatch $keyMapMatch $regex $mod $beginsWith`) {
		if !strings.Contains(text.String(), `"`+op+`"`) {
			t.Errorf("no vector has %s", op)
		}
	}
}

// TestErrors parses each vector's query. The error has a name and a reason, in the frame of Fabric's peer, or is a
// text without any.
func TestErrors(t *testing.T) {
	for _, v := range vectors[struct{ Query, Name, Reason, Text string }](t, "errors.json", 50) {
		q, err := mango.Parse([]byte(v.Query))
		if err == nil || q != nil {
			t.Errorf("%s: %v, %v", v.Query, q, err)
			continue
		}
		want := v.Text
		var e *mango.Error
		if v.Name != "" {
			want = "error handling CouchDB request. Error:" + v.Name + ",  Status Code:400,  Reason:" + v.Reason
			if !errors.As(err, &e) || e.Name != v.Name || e.Reason != v.Reason {
				t.Errorf("%s: %#v", v.Query, err)
			}
		}
		if err.Error() != want {
			t.Errorf("%s:\n%v, want\n%v", v.Query, err, want)
		}
	}
}

type queryVector struct {
	Why   string
	Query json.RawMessage
	Docs  map[string]json.RawMessage
	Want  []string // key, a space, and the value
}

// TestQueries runs each vector's query over its documents as a ledger would, with an index for the sort.
func TestQueries(t *testing.T) {
	for _, v := range vectors[queryVector](t, "queries.json", 20) {
		t.Run(v.Why, func(t *testing.T) {
			q := parse(t, string(v.Query))
			var indexes []*mango.Index
			if len(q.Sort) > 0 {
				var fields []string
				for _, f := range q.Sort {
					fields = append(fields, f.Field)
				}
				text, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				indexes = append(indexes, indexOn(t, string(text)))
			}
			var got []string
			for _, d := range results(q, planOf(t, q, indexes...), documentsOf(t, v.Docs)) {
				value, err := q.Project(d)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, d.Key()+" "+string(value))
			}
			if !slices.Equal(got, v.Want) {
				t.Errorf("got  %q\nwant %q", got, v.Want)
			}
		})
	}
}

func TestUseIndex(t *testing.T) {
	for useIndex, want := range map[string]mango.IndexName{
		`null`:                      {},
		`[]`:                        {},
		`"byOwner"`:                 {Ddoc: "byOwner"},
		`"_design/byOwner"`:         {Ddoc: "byOwner"},
		`"byOwner/owner"`:           {Ddoc: "byOwner", Name: "owner"},
		`"_design/byOwner/a/b"`:     {Ddoc: "byOwner", Name: "a/b"},
		`["byOwner"]`:               {Ddoc: "byOwner"},
		`["_design/d", "owner"]`:    {Ddoc: "d", Name: "owner"},
		`["byOwner", "own/er"]`:     {Ddoc: "byOwner", Name: "own/er"},
		`["_design/_design/d", ""]`: {Ddoc: "_design/d"},
	} {
		if q := parse(t, `{"selector": {}, "use_index": `+useIndex+`}`); q.UseIndex != want {
			t.Errorf("%s: %+v, want %+v", useIndex, q.UseIndex, want)
		}
	}
}

// TestLenience is about what JSON leaves to its reader: the peer's decoder decides.
func TestLenience(t *testing.T) {
	q := parse(t, ` {"selector": {"a": 1}, "bookmark": "x", "selector": {"b": 1}} {"selector": 5} and so on`)
	if !q.Match(document(t, "k", ` {"b": 2, "b": 1} `)) || q.Bookmark != "x" {
		t.Errorf("%+v", q)
	}
	for _, value := range []string{"", "null", "{", "{} {}", "{},", "\x00", `{"a": 01}`, `{"a": NaN}`, "{}\v"} {
		if d, err := mango.NewDocument("k", []byte(value)); !errors.Is(err, mango.ErrNotObject) || d != nil {
			t.Errorf("%q: %v, %v", value, d, err)
		}
	}
	// Not what CouchDB would keep, but it must not be anybody's harm.
	q = parse(t, `{"selector": {"a": {"$gt": 1e999}}}`)
	if q.Match(document(t, "k", `{"a": 1e999}`)) || !q.Match(document(t, "k", `{"a": ""}`)) {
		t.Error("infinite numbers")
	}
	if d := document(t, "k", `{"_id": "other"}`); !parse(t, `{"selector": {"_id": "k"}}`).Match(d) {
		t.Error("a member _id hides the key")
	}
}

func TestDepth(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) }
	// The query's own braces are one level.
	if q := parse(t, `{"selector":`+nested(mango.MaxDepth-1)+`}`); !q.Match(document(t, "k", nested(mango.MaxDepth-1))) {
		t.Error("no match")
	}
	if _, err := mango.Parse([]byte(`{"selector":` + nested(mango.MaxDepth) + `}`)); !errors.Is(err, mango.ErrTooDeep) {
		t.Error(err)
	}
	if _, err := mango.NewDocument("k", []byte(nested(mango.MaxDepth+1))); !errors.Is(err, mango.ErrTooDeep) {
		t.Error(err)
	}
	if _, err := mango.NewDocument("k", []byte(strings.Repeat("[", 1_000_000))); !errors.Is(err, mango.ErrNotObject) {
		t.Error(err)
	}
	brackets := strings.Repeat(`[{\"\\`, mango.MaxDepth)
	if d := document(t, "k", `{"`+brackets+`": "`+brackets+`"}`); len(d.Value()) == 0 {
		t.Error("brackets in strings count")
	}
}

func TestLongArgumentsAreCut(t *testing.T) {
	_, err := mango.Parse([]byte(`{"selector": {"$and": "` + strings.Repeat("é", 1000) + `"}}`))
	if err == nil || len(err.Error()) > 400 || !strings.HasSuffix(err.Error(), "é...") {
		t.Error(err)
	}
}

// TestTree looks at what a planner of indexes gets to see.
func TestTree(t *testing.T) {
	q := parse(t, `{"selector": {"$not": {"$or": [{"a": {"b": 1}}, {"c": {"$regex": "x"}}, {"d": {"$exists": true}},
		{"e": {"$elemMatch": {"$not": {"f": 2}}}}]}}}`)
	parts, ok := q.Selector.(mango.And)
	if !ok || len(parts) != 4 {
		t.Fatalf("%#v", q.Selector)
	}
	for i, want := range []struct {
		field, op         string
		arg               any
		negated, requires bool
	}{
		{"a.b", mango.OpNe, json.Number("1"), false, true},
		{"c", mango.OpRegex, "x", true, true},
		{"d", mango.OpExists, false, false, false},
		{"e", mango.OpElemMatch, nil, true, true},
	} {
		c := parts[i].(*mango.Condition)
		if c.Field != want.field || strings.Join(c.Path, ".") != want.field || c.Op != want.op ||
			c.Negated != want.negated || c.RequiresField() != want.requires {
			t.Errorf("%+v, want %+v", c, want)
		}
		if want.arg != nil && c.Arg != want.arg {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
	inner, ok := parts[3].(*mango.Condition).Elements.(mango.Not)
	if c, isCondition := inner.Selector.(*mango.Condition); !ok || !isCondition || c.Field != "f" || c.Op != mango.OpEq {
		t.Errorf("%#v", inner)
	}
	if all, ok := parse(t, `{"selector": {}}`).Selector.(mango.And); !ok || len(all) != 0 {
		t.Error("an empty selector is not And(nil)")
	}
}

func TestNoSortIndex(t *testing.T) {
	const want = "error handling CouchDB request. Error:no_usable_index,  Status Code:400,  " +
		"Reason:No index exists for this sort, try indexing by the sort fields."
	_, err := parse(t, `{"selector": {}, "sort": ["a"]}`).Plan([]*mango.Index{indexOn(t, `["b", "a"]`)})
	if !errors.Is(err, mango.ErrNoSortIndex) || err.Error() != want {
		t.Error(err)
	}
}
