package mango

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pkg/errors"
)

// Position is a place in the order of a query's results: that of a document, whether or not it still exists.
type Position struct {
	// Values are the document's values of the fields of the plan's index. They are decoded JSON, and not to be modified.
	Values []any
	// Key is its key, which decides between equal values.
	Key string
}

// checksumSize is how many bytes of a SHA-256 stand before a bookmark's content.
const checksumSize = 8

// bookmark is the content of a bookmark. Keys are bytes, so that JSON doesn't alter them.
type bookmark struct {
	Values []any  `json:"v"`
	Key    []byte `json:"k"`
}

// BookmarkAfter returns the text from which Resume finds the position again: a checksum and JSON, in base64url. It is
// not secret, nor does it keep anybody from making one of their own: whoever may query may read on from wherever they
// like. The checksum is there to tell a damaged bookmark, and that of another order, from a good one. A bookmark is as long
// as the values are.
func (p *Plan) BookmarkAfter(at Position) (string, error) {
	content, err := json.Marshal(bookmark{Values: at.Values, Key: []byte(at.Key)})
	if err != nil {
		return "", errors.Wrap(err, "encode bookmark")
	}
	return base64.RawURLEncoding.EncodeToString(append(p.checksum(content), content...)), nil
}

// Resume lets the plan begin after a bookmark: its bounds are moved, and Follows is true only of what comes after it.
// Whatever was inserted or deleted meanwhile, no result is left out or returned twice. It does nothing for the beginning,
// which is "", or "nil" as CouchDB says after an empty page. The error for a bookmark that isn't one, or is of a plan with
// another index or another direction, is an [*Error] named invalid_bookmark.
func (p *Plan) Resume(text string) error { return p.resume(nil, text) }

// ResumeContext is Resume until ctx ends, whose error it returns then.
func (p *Plan) ResumeContext(ctx context.Context, text string) error {
	w := newWork(ctx)
	err := p.resume(w, text)
	if w.ended() != nil {
		return w.ended()
	}
	return err
}

func (p *Plan) resume(w *work, text string) error {
	if text == "" || text == "nil" {
		return nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < checksumSize || strings.ContainsAny(text, "\r\n") {
		return invalidBookmark(text)
	}
	sum, content := data[:checksumSize], data[checksumSize:]
	// A document's values are two levels deeper than in the document, or one for those of its own members.
	if !bytes.Equal(sum, p.checksum(content)) || checkLimits(w, content, MaxDepth+1) != nil {
		return invalidBookmark(text)
	}
	b, err := decodeBookmark(w, content)
	if err != nil {
		return invalidBookmark(text)
	}
	if len(b.Values) != len(p.order) {
		return invalidBookmark(text)
	}
	for i, f := range p.order {
		if isID(f.Path) {
			b.Values[i] = string(b.Key)
		}
	}
	p.begin(w, Position{Values: b.Values, Key: string(b.Key)})
	return nil
}

func decodeBookmark(w *work, content []byte) (b bookmark, err error) {
	value, _, err := decodeDeep(w, content)
	if err != nil {
		return b, err
	}
	members, _ := value.(map[string]any)
	b.Values, _ = members["v"].([]any)
	key, _ := members["k"].(string)
	b.Key, err = base64.StdEncoding.DecodeString(key)
	return b, err
}

// checksum is over a bookmark's content, and the order in which it means something.
func (p *Plan) checksum(content []byte) []byte {
	covered := []byte("bookmark 2\n")
	if p.Index != nil {
		covered = append(covered, p.Index.text...)
	}
	covered = fmt.Appendf(covered, "\n%t\n", p.Reverse)
	sum := sha256.Sum256(append(covered, content...))
	return sum[:checksumSize]
}

// invalidBookmark returns the error that CouchDB has for it (mango_json_bookmark).
func invalidBookmark(value any) error {
	return refuse("invalid_bookmark", "Invalid bookmark value: "+show(value))
}
