package mango_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vectors reads a file of testdata, of which there are at least a number of vectors.
func vectors[T any](t *testing.T, file string, least int) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all) < least {
		t.Fatalf("%s has %d vectors, want %d", file, len(all), least)
	}
	return all
}

func parse(t testing.TB, query string) *mango.Query {
	t.Helper()
	q, err := mango.Parse([]byte(query))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return q
}

func document(t testing.TB, key, value string) *mango.Document {
	t.Helper()
	d, err := mango.NewDocument(key, []byte(value))
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return d
}
