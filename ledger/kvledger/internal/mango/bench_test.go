package mango_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

const benchQuery = `{"selector": {"docType": "marble", "owner": {"$in": ["tom", "jerry"]},
	"size": {"$gte": 5, "$lt": 50}}}`

const benchDocument = `{"docType": "marble", "name": "marble1", "owner": "jerry", "size": 35, "color": "blue",
	"history": [{"owner": "tom", "price": 12.5}, {"owner": "jerry", "price": 13}]}`

func BenchmarkMatch(b *testing.B) {
	q, d := parse(b, benchQuery), document(b, "marble1", benchDocument)
	b.ReportAllocs()
	for b.Loop() {
		if !q.Match(d) {
			b.Fatal("no match")
		}
	}
}

// BenchmarkColumns is what a document costs when it's committed, for each index that it is in.
func BenchmarkColumns(b *testing.B) {
	x := indexOn(b, `["docType", "owner", "size"]`)
	for name, value := range map[string]string{
		"short": benchDocument,
		"long":  `{"docType": "` + strings.Repeat("x", 1<<20) + `", "owner": [1, 2, 3], "size": {"x": 1, "y": 2}}`,
	} {
		b.Run(name, func(b *testing.B) {
			d := document(b, "marble1", value)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := x.Columns(d); !ok {
					b.Fatal("not in the index")
				}
			}
		})
	}
}

// BenchmarkPlan is what a query costs before anything is read.
func BenchmarkPlan(b *testing.B) {
	q := parse(b, benchQuery)
	indexes := []*mango.Index{indexOn(b, `["owner"]`), indexOn(b, `["docType", "size"]`), indexOn(b, `["docType", "owner", "size"]`)}
	b.ReportAllocs()
	for b.Loop() {
		if p, err := q.Plan(indexes); err != nil || p.Index != indexes[1] {
			b.Fatal(p, err)
		}
	}
}

// BenchmarkScan is what a document costs that no index rules out.
func BenchmarkScan(b *testing.B) {
	q, value := parse(b, benchQuery), []byte(benchDocument)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := mango.NewDocument("marble1", value)
		if err != nil || !q.Match(d) {
			b.Fatal("no match")
		}
	}
}
