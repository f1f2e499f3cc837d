package mango_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// object returns a document with a list of so many items.
func object(item string, n int) []byte {
	return []byte(`{"a":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`)
}

// allocated is how many bytes f allocates in all.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc) //nolint:gosec // far from the limit
}

// What docs/protocol.md says that decoding allocates: bytes for each value, and for each byte of the text.
const valueBytes, textBytes = 400, 7

// F153: what a document of 64 MiB, a query of 8 MiB and a bookmark take is bounded, however small the values in it are.
func TestManyValues(t *testing.T) {
	const querySize = mango.MaxQuery - 100
	for item, documentSize := range map[string]int{
		`{}`: 64 << 20, `[]`: 4 << 20, `0.5`: 8 << 20, `{"b":[0.5]}`: 64 << 20, `""`: 4 << 20, `{"b":{"b":{}}}`: 16 << 20, `[[[[]]]]`: 8 << 20,
	} {
		var err error
		value := object(item, documentSize/(len(item)+1))
		n := allocated(func() { _, err = mango.NewDocument("k", value) })
		if !errors.Is(err, mango.ErrManyValues) || n > mango.MaxDocumentValues*valueBytes {
			t.Errorf("a document of %s allocates %d MiB, %v", item, n>>20, err)
		}
		t.Logf("a document of %s allocates %d MiB, until it is refused", item, n>>20)
		query := []byte(`{"selector":{"a":{"$eq":` + string(object(item, querySize/(len(item)+1))) + `}}}`)
		n = allocated(func() { _, err = mango.Parse(query) })
		if !errors.Is(err, mango.ErrManyValues) || n > mango.MaxQueryValues*valueBytes {
			t.Errorf("a query with %s allocates %d MiB, %v", item, n>>20, err)
		}
	}
}

// A document that is just not too much for a query takes as much as docs/protocol.md says, whatever it consists of.
func TestMemoryOfDocument(t *testing.T) {
	for item, values := range map[string]int{
		`{}`: 1, `0`: 1, `0.5`: 1, `{"b":[0.5]}`: 3, `{"b":{"b":{"b":0}}}`: 4, `{"b":0}`: 2, `[[[0]]]`: 4, `"\u0001"`: 1, `{"` + strings.Repeat("b", 40) + `":0}`: 2,
	} {
		value := object(item, 200_000/values)
		var d *mango.Document
		var err error
		n := allocated(func() { d, err = mango.NewDocument("k", value) })
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a document of %s allocates %d bytes for each value", item, n/200_000)
		if n > 200_000*valueBytes+textBytes*len(value) {
			t.Errorf("a document of %s allocates %d bytes for each value", item, n/200_000)
		}
		runtime.KeepAlive(d)
	}
	text := []byte(`{"a":"` + strings.Repeat("x", 8<<20) + `","b":"` + strings.Repeat(`\n`, 4<<20) + `"}`)
	if n := allocated(func() { _, _ = mango.NewDocument("k", text) }); n > textBytes*len(text) {
		t.Errorf("a document of long strings allocates %.1f times its size", float64(n)/float64(len(text)))
	}
	// The limit itself.
	fits := object("0", mango.MaxDocumentValues-1)
	if _, err := mango.NewDocument("k", fits); err != nil {
		t.Error(err)
	}
	if _, err := mango.NewDocument("k", object("0", mango.MaxDocumentValues)); !errors.Is(err, mango.ErrManyValues) {
		t.Errorf("one more: %v", err)
	}
}

// A bookmark is neither made nor read if it is too long.
func TestLargeBookmark(t *testing.T) {
	for size, fits := range map[int]bool{5 << 20: true, 7 << 20: false} {
		p := sortPlan(t, `["n"]`)
		bookmark, err := p.BookmarkAfter(p.Position(document(t, "k", `{"n":"`+strings.Repeat("x", size)+`"}`)))
		if errors.Is(err, mango.ErrLargeBookmark) == fits || (bookmark != "") != fits {
			t.Errorf("a value of %d bytes: a bookmark of %d, %v", size, len(bookmark), err)
		}
		if fits && p.Resume(bookmark) != nil {
			t.Errorf("a bookmark of %d bytes is refused", len(bookmark))
		}
	}
	p := sortPlan(t, `["n"]`)
	for name, at := range map[string]mango.Position{
		"a string":    {Values: []any{strings.Repeat("x", 64<<20)}, Key: "k"},
		"many values": {Values: []any{slices.Repeat([]any{true}, 16<<20)}, Key: "k"},
		"a key":       {Values: []any{true}, Key: strings.Repeat("k", 64<<20)},
	} {
		var err error
		if n := allocated(func() { _, err = p.BookmarkAfter(at) }); !errors.Is(err, mango.ErrLargeBookmark) || n > 128<<20 {
			t.Errorf("%s that is too long: %d bytes are allocated, %v", name, n, err)
		}
	}
	long := strings.Repeat("A", mango.MaxBookmark+1)
	var err error
	if n := allocated(func() { err = p.Resume(long) }); !errors.Is(err, mango.ErrLargeBookmark) || n > 1<<20 {
		t.Errorf("it allocates %d bytes, %v", n, err)
	}
}
