package mango_test

import (
	"fmt"
	"slices"

	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
)

// A query is parsed once, and then asked about every document that may be wanted.
func Example() {
	query, err := mango.Parse([]byte(`{
		"selector": {"owner": "tom", "size": {"$gte": 5}},
		"sort": [{"size": "desc"}],
		"fields": ["size", "color"]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	state := map[string]string{
		"marble1": `{"owner": "tom", "size": 5, "color": "blue"}`,
		"marble2": `{"owner": "jerry", "size": 50, "color": "red"}`,
		"marble3": `{"owner": "tom", "size": 35, "color": "green"}`,
		"counter": `42`,
	}
	var hits []*mango.Document
	for key, value := range state {
		doc, err := mango.NewDocument(key, []byte(value))
		if err == nil && query.Match(doc) {
			hits = append(hits, doc)
		}
	}
	slices.SortFunc(hits, query.Compare)
	for _, doc := range hits {
		value, err := query.Project(doc)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s\n", doc.Key(), value)
	}
	// Output:
	// marble3 {"color":"green","size":35}
	// marble1 {"color":"blue","size":5}
}

// A bookmark is where a page ended, whatever becomes of the document that it ended with.
func ExampleQuery_Resume() {
	query, err := mango.Parse([]byte(`{"selector": {}, "sort": ["size"]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	small, _ := mango.NewDocument("a", []byte(`{"size": 1}`))
	large, _ := mango.NewDocument("b", []byte(`{"size": 2}`))
	bookmark, err := query.BookmarkAfter(query.Position(small))
	if err != nil {
		fmt.Println(err)
		return
	}
	from, err := query.Resume(bookmark)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, doc := range []*mango.Document{small, large} {
		fmt.Println(doc.Key(), query.ComparePositions(query.Position(doc), *from) > 0)
	}
	_, err = query.Resume("tampered" + bookmark)
	fmt.Println(err != nil)
	// Output:
	// a false
	// b true
	// true
}
