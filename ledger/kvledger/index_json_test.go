package kvledger_test

import (
	"encoding/json"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// An index that was written as JSON is the same when it is read.
func TestIndexJSON(t *testing.T) {
	x, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["owner",{"size":"asc"}],"partial_filter_selector":{"n":1}},"ddoc":"d","name":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []kvledger.Index{x, x.In("secrets")} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got kvledger.Index
		if err := json.Unmarshal(b, &got); err != nil || !got.Equal(want) {
			t.Errorf("%s is %+v, %v", b, got.Name(), err)
		}
	}
	if _, err := json.Marshal(kvledger.Index{}); err == nil {
		t.Error("no index is marshalled")
	}
	for _, b := range []string{`{}`, `1`, `{"index":{}}`} {
		if err := json.Unmarshal([]byte(b), new(kvledger.Index)); err == nil {
			t.Errorf("%s is an index", b)
		}
	}
}
