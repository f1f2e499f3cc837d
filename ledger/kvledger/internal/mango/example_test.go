package mango_test

import (
	"fmt"
	"slices"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// A query is parsed once, and then asked about every document that may be wanted.
func Example() {
	query, err := mango.Parse([]byte(`{
		"selector": {"owner": "tom", "size": {"$gte": 5}},
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
	for _, key := range []string{"counter", "marble1", "marble2", "marble3"} {
		doc, err := mango.NewDocument(key, []byte(state[key]))
		if err != nil || !query.Match(doc) {
			continue
		}
		value, err := query.Project(doc)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s\n", doc.Key(), value)
	}
	// Output:
	// marble1 {"color":"blue","size":5}
	// marble3 {"color":"green","size":35}
}

// A ledger keeps the entries of an index in order, and reads those between the bounds that the query's plan has.
func ExampleQuery_Plan() {
	index, err := mango.ParseIndex([]byte(`{"index": {"fields": ["owner", "size"]}, "ddoc": "indexOwner", "name": "bySize"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var entries []string
	for key, value := range map[string]string{
		"marble1": `{"owner": "tom", "size": 5}`,
		"marble2": `{"owner": "jerry", "size": 50}`,
		"marble3": `{"owner": "tom", "size": 35}`,
		"marble4": `{"owner": "tom"}`,
		"marble5": `{"owner": "tom", "size": 1}`,
	} {
		doc, err := mango.NewDocument(key, []byte(value))
		if err != nil {
			fmt.Println(err)
			return
		}
		if columns, ok := index.Columns(doc); ok {
			entries = append(entries, string(columns)+key)
		}
	}
	slices.Sort(entries)

	query, err := mango.Parse([]byte(`{"selector": {"owner": "tom", "size": {"$gt": 1}}, "sort": [{"size": "desc"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := query.Plan([]*mango.Index{index})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Explain().Index.Name, plan.Reverse)
	for _, entry := range entries {
		if entry >= string(plan.Lo) && entry < string(plan.Hi) {
			fmt.Println(entry[len(entry)-len("marble1"):])
		}
	}
	// Output:
	// bySize true
	// marble1
	// marble3
}

// A bookmark is where a page ended, whatever becomes of the document that it ended with.
func ExamplePlan_Resume() {
	query, err := mango.Parse([]byte(`{"selector": {}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := query.Plan(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	last, err := mango.NewDocument("marble1", []byte(`{"size": 5}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	bookmark, err := plan.BookmarkAfter(plan.Position(last))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Resume("tampered"+bookmark) != nil)
	fmt.Println(plan.Resume(bookmark))
	fmt.Printf("%q\n", plan.Lo)
	// Output:
	// true
	// <nil>
	// "marble1\x00"
}
