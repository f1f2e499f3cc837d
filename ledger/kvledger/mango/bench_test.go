package mango_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
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
