package mango

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pkg/errors"
)

// Position is a place in the order of a query's results: that of a document, whether or not it still exists.
type Position struct {
	// Values are the document's values of the fields that the query sorts by, as many as there are. They are decoded
	// JSON, and not to be modified.
	Values []any
	// Key is its key, which decides between equal values.
	Key string
}

// Position returns where a document is in the order of the query's results.
func (q *Query) Position(d *Document) Position {
	p := Position{Key: d.key}
	for _, f := range q.Sort {
		value, _ := lookup(d.fields, f.Path)
		p.Values = append(p.Values, value)
	}
	return p
}

// Compare returns a negative number if a is before b in the order of the query's results, a positive one if it is after
// it, and 0 only if their keys are the same. Documents are ordered by the fields of the sort and then by key, or the
// other way round as a whole if the sort is descending. To sort many documents, take their positions once and use
// [Query.ComparePositions].
func (q *Query) Compare(a, b *Document) int {
	return q.ComparePositions(q.Position(a), q.Position(b))
}

// ComparePositions is Compare for positions. Both must be of this query.
func (q *Query) ComparePositions(a, b Position) int {
	order := cmp.Or(compare(a.Values, b.Values), strings.Compare(a.Key, b.Key))
	if q.Descending {
		return -order
	}
	return order
}

// checksumSize is how many bytes of a SHA-256 stand before a bookmark's content.
const checksumSize = 8

// bookmark is the content of a bookmark. Keys are bytes, so that JSON doesn't alter them.
type bookmark struct {
	Values []any  `json:"v"`
	Key    []byte `json:"k"`
}

// BookmarkAfter returns the text from which Resume makes the position again: a checksum and JSON, in base64url. It is
// not secret, nor does it keep anybody from making one of their own: whoever may query may read on from wherever they
// like. The checksum is there to tell a damaged bookmark, and that of another order, from a good one.
func (q *Query) BookmarkAfter(p Position) (string, error) {
	content, err := json.Marshal(bookmark{Values: p.Values, Key: []byte(p.Key)})
	if err != nil {
		return "", errors.Wrap(err, "encode bookmark")
	}
	return base64.RawURLEncoding.EncodeToString(append(q.checksum(content), content...)), nil
}

// Resume returns the position that a bookmark stands for. The next page are the documents that come after it, as
// ComparePositions has it: whatever was inserted or deleted meanwhile, none is left out or returned twice. It returns
// nil for the beginning, which is "", or "nil" as CouchDB says after an empty page. The error for a bookmark that isn't
// one, or is of a query with another sort, is an [*Error] named invalid_bookmark.
func (q *Query) Resume(text string) (*Position, error) {
	if text == "" || text == "nil" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < checksumSize || strings.ContainsAny(text, "\r\n") {
		return nil, invalidBookmark(text)
	}
	sum, content := data[:checksumSize], data[checksumSize:]
	var b bookmark
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if !bytes.Equal(sum, q.checksum(content)) || d.Decode(&b) != nil || len(b.Values) != len(q.Sort) {
		return nil, invalidBookmark(text)
	}
	return &Position{Values: b.Values, Key: string(b.Key)}, nil
}

// checksum is over a bookmark's content, and the order in which it means something.
func (q *Query) checksum(content []byte) []byte {
	covered := []byte("bookmark 1\n")
	for _, f := range q.Sort {
		covered = fmt.Appendf(covered, "%q\n", f.Field)
	}
	covered = fmt.Appendf(covered, "%t\n", q.Descending)
	sum := sha256.Sum256(append(covered, content...))
	return sum[:checksumSize]
}

// invalidBookmark returns the error that CouchDB has for it (mango_json_bookmark).
func invalidBookmark(value any) error {
	return refuse("invalid_bookmark", "Invalid bookmark value: "+show(value))
}
