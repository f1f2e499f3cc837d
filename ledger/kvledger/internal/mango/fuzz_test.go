package mango_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// FuzzQuery parses a query, and puts two documents through all that a ledger does with them.
func FuzzQuery(f *testing.F) {
	f.Add(`{"selector": {"a": {"$gt": 1}, "b\\.c.0": {"$elemMatch": {"$not": {"d": 1}}}}, "sort": [{"a": "desc"}]}`,
		`{"a": 2}`, `{}`)
	f.Add(`{"selector": {"$nor": [{"_id": "k"}, {"a": {"$all": [[1.0]]}}]}, "fields": ["a.b", "a"]}`,
		`{"a": {"b": 1}}`, `{"a": [1]}`)
	f.Add(`{"selector": {"a": {"$keyMapMatch": {"$regex": "x+"}}}, "skip": 1, "use_index": "a/b"}`, `{"a": {"x": 1}}`, `[1]`)
	f.Add(`{"selector": {"a": {"$mod": [2, 1], "$in": [[1], 2, {}], "$size": 2}}, "bookmark": "nil"}`,
		`{"a": -3}`, `{"a": 1e999}`)
	f.Fuzz(func(t *testing.T, query, doc1, doc2 string) {
		q, err := mango.Parse([]byte(query))
		if err != nil {
			if q != nil || len(err.Error()) > 10*len(query)+1000 {
				t.Fatalf("%v, %v", q, err)
			}
			return
		}
		again := parse(t, query)
		for key, value := range map[string]string{"k1": doc1, "k2": doc2} {
			d, err := mango.NewDocument(key, []byte(value))
			if err != nil {
				if !errors.Is(err, mango.ErrNotObject) && !errors.Is(err, mango.ErrTooDeep) && !errors.Is(err, mango.ErrLongNumber) {
					t.Fatal(err)
				}
				continue
			}
			if first := q.Match(d); first != q.Match(d) || first != again.Match(d) {
				t.Fatal("matching is not deterministic")
			}
			if projected, err := q.Project(d); err != nil || !json.Valid(projected) {
				t.Fatalf("%s: %v", projected, err)
			}
		}
	})
}

// FuzzPlan finds with an index what is found without, and goes on behind each result.
func FuzzPlan(f *testing.F) {
	f.Add(`{"selector": {"a": {"$gt": 1, "$lte": [2]}, "b": "x"}, "sort": [{"a": "desc"}]}`, `["b", "a"]`, `{"a": 2, "b": "x"}`, `{"a": [1], "b": "x"}`)
	f.Add(`{"selector": {"$or": [{"a": 1}, {"a": {"$regex": "x"}}]}}`, `["a"]`, `{"a": 1.0}`, `{"b": 1}`)
	f.Add(`{"selector": {"a.b": {"$beginsWith": "x\u0000"}, "_id": {"$lt": {}}}}`, `["a.b", "_id"]`, `{"a": {"b": "x\u0000y"}}`, `{"a": ["x"]}`)
	f.Add(`{"selector": {"a": {"$gte": -9007199254740993}, "$and": [{"a": {"$lt": 1e30}}]}}`, `[{"a": "desc"}]`, `{"a": -9007199254740992.0}`, `{"a": 1e-9}`)
	f.Fuzz(func(t *testing.T, query, fields, doc1, doc2 string) {
		q, err := mango.Parse([]byte(query))
		if err != nil {
			return
		}
		x, err := mango.ParseIndex([]byte(`{"index": {"fields": ` + fields + `}}`))
		if err != nil {
			return
		}
		var docs, want []*mango.Document
		for key, value := range map[string]string{"k1": doc1, "k2": doc2} {
			if d, err := mango.NewDocument(key, []byte(value)); err == nil {
				docs = append(docs, d)
				if q.Match(d) {
					want = append(want, d)
				}
			}
		}
		q.Skip = 0
		p, err := q.Plan([]*mango.Index{x})
		if err != nil {
			if !errors.Is(err, mango.ErrNoSortIndex) || len(q.Sort) == 0 {
				t.Fatal(err)
			}
			return
		}
		if _, err := json.Marshal(p.Explain()); err != nil {
			t.Fatal(err)
		}
		found := results(q, p, docs)
		if len(found) != len(want) {
			t.Fatalf("found %d of %d with %+v", len(found), len(want), p.Explain())
		}
		for i, d := range found {
			bookmark, err := p.BookmarkAfter(p.Position(d))
			if err != nil {
				t.Fatal(err)
			}
			rest := planOf(t, q, x)
			if err := rest.Resume(bookmark); err != nil {
				t.Fatal(err)
			}
			if got := results(q, rest, docs); len(got) != len(found)-i-1 {
				t.Fatalf("%d results after %d of %d", len(got), i+1, len(found))
			}
		}
	})
}

// FuzzIndex parses definitions of indexes. What is right means the same when it is written and parsed again.
func FuzzIndex(f *testing.F) {
	f.Add(`{"index": {"fields": ["owner", {"size": "asc"}]}, "ddoc": "_design/d", "name": "n", "type": "json"}`)
	f.Add(`{"index": {"fields": [{"a\\.b.0": "desc"}], "partial_filter_selector": {"a": {"$gt": 1e400}, "b": "<"}}}`)
	f.Fuzz(func(t *testing.T, file string) {
		x, err := mango.ParseIndex([]byte(file))
		if err != nil {
			if x != nil || len(err.Error()) > 10*len(file)+1000 {
				t.Fatalf("%v, %v", x, err)
			}
			return
		}
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		again := index(t, string(text))
		if !again.Equal(x) || again.Ddoc != x.Ddoc || again.Name != x.Name || again.Descending != x.Descending || !slices.EqualFunc(again.Fields, x.Fields,
			func(a, b mango.SortField) bool { return a.Field == b.Field && slices.Equal(a.Path, b.Path) }) {
			t.Fatalf("%+v became %+v", x, again)
		}
	})
}

// FuzzCondition checks that a condition on a field and its negation share the documents that have the field between
// them, in each way in which a negation can be written, and leave the others alone.
func FuzzCondition(f *testing.F) {
	for _, c := range []string{`{"$gt": 1}`, `{"$in": [1, [2]]}`, `{"$all": [[1]]}`, `{"$regex": "a"}`, `{"$mod": [3, 1]}`,
		`{"$elemMatch": {"$or": [1, {"b": 2}]}}`, `{"$allMatch": {"$not": {"b": 1}}}`, `{"$and": [1, {"$lt": 2}]}`, `[1]`, `{}`,
		`{"$type": "string", "$size": 1, "$beginsWith": "x"}`, `{"$keyMapMatch": {"$nor": ["b"]}}`,
		`{"$nor": [1, {"$ne": 2}]}`} {
		f.Add(c, `[1, {"b": 2}]`)
	}
	f.Fuzz(func(t *testing.T, condition, value string) {
		if !json.Valid([]byte(condition)) || !json.Valid([]byte(value)) {
			return
		}
		q, err := mango.Parse([]byte(`{"selector": {"x": ` + condition + `}}`))
		if err != nil {
			return
		}
		d, err := mango.NewDocument("k", []byte(`{"x": `+value+`}`))
		if err != nil || !splits(q.Selector) {
			return
		}
		absent := document(t, "k", `{"y": 1}`)
		for _, negation := range []string{
			`{"x": {"$nor": [` + condition + `]}}`,
			`{"$not": {"x": ` + condition + `}}`,
			`{"$nor": [{"x": ` + condition + `}]}`,
			`{"$not": {"$not": {"$not": {"x": ` + condition + `}}}}`,
		} {
			not, err := mango.Parse([]byte(`{"selector": ` + negation + `}`))
			if errors.Is(err, mango.ErrTooDeep) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if q.Match(d) == not.Match(d) {
				t.Errorf("%s and %s of %s are both %v", condition, negation, value, q.Match(d))
			}
			if q.Match(absent) || not.Match(absent) {
				t.Errorf("%s and %s of a missing field are %v and %v", condition, negation, q.Match(absent), not.Match(absent))
			}
		}
	})
}

// splits says whether all conditions of a selector are on the field x, and none is an $exists: then it's false of a
// document without x, and its negation is true of those with x that it's false of. An $and or $or of nothing is always
// true, under negations too.
func splits(s mango.Selector) bool {
	var parts []mango.Selector
	switch s := s.(type) {
	case *mango.Condition:
		return len(s.Path) == 1 && s.Path[0] == "x" && s.Op != mango.OpExists
	case mango.And:
		parts = s
	case mango.Or:
		parts = s
	}
	for _, part := range parts {
		if !splits(part) {
			return false
		}
	}
	return len(parts) > 0
}

// FuzzOrder checks that any three values are ordered, and that the operators and the columns of an index see it.
func FuzzOrder(f *testing.F) {
	f.Add(`1`, `1.0`, `"1"`)
	f.Add(`9007199254740993`, `9007199254740992.0`, `1e400`)
	f.Add(`{"a": 1, "b": 2}`, `{"a": 1}`, `[[], {}]`)
	f.Add(`-0.0`, `0`, `-1e-400`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		p := sortPlan(t, `["x"]`)
		var at []mango.Position
		var columns [][]byte
		for _, value := range []string{a, b, c} {
			d, err := mango.NewDocument("k", []byte(`{"x": `+value+`}`))
			if err != nil || !json.Valid([]byte(value)) {
				return
			}
			at = append(at, p.Position(d))
			x, _ := p.Index.Columns(d)
			columns = append(columns, x)
		}
		order := func(i, j int) int { return p.Compare(at[i], at[j]) }
		wantColumns(t, order(0, 1), columns[0], columns[1])
		if order(0, 0) != 0 || order(0, 1) != -order(1, 0) {
			t.Errorf("%s, %s: %d, %d", a, b, order(0, 1), order(1, 0))
		}
		if order(0, 1) <= 0 && order(1, 2) <= 0 && order(0, 2) > 0 {
			t.Errorf("%s <= %s <= %s, but %d", a, b, c, order(0, 2))
		}
		for op, want := range map[string]bool{
			"$lt": order(0, 1) < 0, "$lte": order(0, 1) <= 0, "$eq": order(0, 1) == 0,
			"$ne": order(0, 1) != 0, "$gte": order(0, 1) >= 0, "$gt": order(0, 1) > 0,
		} {
			q, err := mango.Parse([]byte(`{"selector": {"x": {"` + op + `": ` + b + `}}}`))
			if errors.Is(err, mango.ErrTooDeep) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if got := q.Match(document(t, "k", `{"x": `+a+`}`)); got != want {
				t.Errorf("%s %s %s is %v", a, op, b, got)
			}
		}
	})
}
