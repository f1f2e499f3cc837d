package mango

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
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

// MaxBookmark is how many bytes a bookmark may have.
const MaxBookmark = 8 << 20

// checksumSize is how many bytes of a SHA-256 stand before a bookmark's content.
const checksumSize = 8

// BookmarkAfter returns the text from which Resume finds the position again: a checksum and JSON, in base64url. It is
// not secret, nor does it keep anybody from making one of their own: whoever may query may read on from wherever they
// like. The checksum is there to tell a damaged bookmark, and that of another order, from a good one. A bookmark is as long
// as the values are. ErrLargeBookmark is returned for one that would be longer than MaxBookmark.
func (p *Plan) BookmarkAfter(at Position) (string, error) { return p.bookmarkAfter(nil, at) }

// BookmarkAfterContext is BookmarkAfter until ctx ends, whose error it returns then.
func (p *Plan) BookmarkAfterContext(ctx context.Context, at Position) (string, error) {
	w := newWork(ctx)
	text, err := p.bookmarkAfter(w, at)
	if !w.look() {
		return "", w.ended()
	}
	return text, err
}

// bookmarkAfter writes {"v": values, "k": key}. Keys are bytes, and so in base64, so that JSON doesn't alter them.
func (p *Plan) bookmarkAfter(w *work, at Position) (string, error) {
	content := output{most: base64.RawURLEncoding.DecodedLen(MaxBookmark) - base64.StdEncoding.EncodedLen(len(at.Key))}
	if content.most <= 0 {
		return "", longBookmark()
	}
	content.Write(make([]byte, checksumSize))
	content.WriteString(`{"v":`)
	var values any // null if there are none: bookmarks stay the same from version to version
	if at.Values != nil {
		values = at.Values
	}
	err := encode(w, &content, values)
	if errors.Is(err, errFull) {
		return "", longBookmark()
	}
	if err != nil {
		return "", errors.Wrap(err, "encode bookmark")
	}
	content.WriteString(`,"k":"` + toBase64(w, base64.StdEncoding, []byte(at.Key)) + `"}`)
	text := content.Bytes()
	if base64.RawURLEncoding.EncodedLen(len(text)) > MaxBookmark {
		return "", longBookmark()
	}
	copy(text, p.checksum(w, text[checksumSize:]))
	return toBase64(w, base64.RawURLEncoding, text), nil
}

// Resume lets the plan begin after a bookmark: its bounds are moved, and Follows is true only of what comes after it.
// Whatever was inserted or deleted meanwhile, no result is left out or returned twice. It does nothing for the beginning,
// which is "", or "nil" as CouchDB says after an empty page. The error for a bookmark that isn't one, or is of a plan with
// another index or another direction, is an [*Error] named invalid_bookmark. One that is too long is ErrLargeBookmark.
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
	if len(text) > MaxBookmark {
		return largeBookmark(len(text))
	}
	data, ok := fromBase64(w, base64.RawURLEncoding, text)
	if !ok || len(data) < checksumSize {
		return invalidBookmark(text)
	}
	sum, content := data[:checksumSize], data[checksumSize:]
	// A document's values are two levels deeper than in the document, or one for those of its own members.
	if !bytes.Equal(sum, p.checksum(w, content)) || checkLimits(w, content, MaxDepth+1) != nil {
		return invalidBookmark(text)
	}
	at, ok := decodeBookmark(w, content)
	if !ok || len(at.Values) != len(p.order) {
		return invalidBookmark(text)
	}
	for i, f := range p.order {
		if isID(f.Path) {
			at.Values[i] = at.Key
		}
	}
	p.begin(w, at)
	return nil
}

// decodeBookmark returns the position that a bookmark's content says. What isn't there is left empty.
func decodeBookmark(w *work, content []byte) (at Position, ok bool) {
	value, _, err := decodeDeep(w, content, MaxDocumentValues)
	if err != nil {
		return at, false
	}
	members, _ := value.(map[string]any)
	at.Values, _ = members["v"].([]any)
	text, _ := members["k"].(string)
	key, ok := fromBase64(w, base64.StdEncoding, text)
	at.Key = string(key)
	return at, ok
}

// checksum is over a bookmark's content, and the order in which it means something.
func (p *Plan) checksum(w *work, content []byte) []byte {
	covered := []byte("bookmark 2\n")
	if p.Index != nil {
		covered = append(covered, p.Index.text...)
	}
	sum := sha256.New()
	sum.Write(fmt.Appendf(covered, "\n%t\n", p.Reverse))
	for piece := range slices.Chunk(content, base64Piece) {
		if !w.spend(len(piece) / 8) {
			break
		}
		sum.Write(piece)
	}
	return sum.Sum(nil)[:checksumSize]
}

// base64Piece is how many bytes are encoded or decoded at once. Of so many, both base64 and its bytes end where others begin.
const base64Piece = 48 << 10

// toBase64 returns data in base64. When the work has ended that means nothing.
func toBase64(w *work, as *base64.Encoding, data []byte) string {
	var text strings.Builder
	text.Grow(as.EncodedLen(len(data)))
	for piece := range slices.Chunk(data, base64Piece) {
		if !w.spend(len(piece) / 8) {
			break
		}
		text.WriteString(as.EncodeToString(piece))
	}
	return text.String()
}

// fromBase64 decodes base64 that has nothing between its characters.
func fromBase64(w *work, as *base64.Encoding, text string) (data []byte, ok bool) {
	data = make([]byte, 0, as.DecodedLen(len(text)))
	for len(text) > 0 {
		piece := text[:min(len(text), base64Piece)]
		if !w.spend(len(piece)/8) || strings.ContainsAny(piece, "\r\n") {
			return nil, false
		}
		before := len(data)
		decoded, err := as.Strict().AppendDecode(data, []byte(piece))
		if err != nil || len(piece) < len(text) && len(decoded)-before < as.DecodedLen(len(piece)) {
			return nil, false // also if there is padding where more follows
		}
		data, text = decoded, text[len(piece):]
	}
	return data, true
}

// longBookmark is the error for a bookmark that is not made to its end.
func longBookmark() error {
	return errors.Wrapf(ErrLargeBookmark, "with the values that the results are sorted by it would have more than %d bytes", MaxBookmark)
}

func largeBookmark(size int) error {
	return errors.Wrapf(ErrLargeBookmark, "it has %d bytes, with the values that the results are sorted by: %d are the most", size, MaxBookmark)
}

// invalidBookmark returns the error that CouchDB has for it (mango_json_bookmark).
func invalidBookmark(value any) error {
	return refuse("invalid_bookmark", "Invalid bookmark value: "+show(value))
}
