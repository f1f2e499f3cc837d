package mango

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// largeJSON is from how many bytes on JSON is large: what takes long is done in pieces of this size.
const largeJSON = 64 << 10

// decode makes nil, bool, json.Number, string, []any and map[string]any of the JSON value that data begins with. It
// returns what follows the value. into is for any value, or only for an object or null. There may be so many values.
//
// Package json can't be stopped, and takes a second for a value of 100 MiB. So values are taken apart here, down to
// single strings and pieces of them. Package json still says what those mean.
func decode[T any | map[string]any](w *work, data []byte, into *T, maxValues int) (rest []byte, err error) {
	if err := checkLimits(w, data, MaxDepth); err != nil {
		return nil, err
	}
	value, rest, err := decodeDeep(w, data, maxValues)
	if value == nil || err != nil {
		return rest, err
	}
	decoded, ok := value.(T)
	if !ok {
		return rest, &malformed{want: "an object"}
	}
	*into = decoded
	return rest, nil
}

// decodeDeep is decode for any depth.
func decodeDeep(w *work, data []byte, maxValues int) (value any, rest []byte, err error) {
	d := decoder{work: w, data: data, most: maxValues}
	return d.decode()
}

// decode decodes the value that the data begins with.
func (d *decoder) decode() (value any, rest []byte, err error) {
	value = d.value()
	if err := d.work.ended(); err != nil {
		return nil, nil, err
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	return value, d.data[d.at:], nil
}

// valid says whether data is a JSON value, whatever its depth and however many values are in it. It keeps nothing of it.
func valid(w *work, data []byte) bool {
	if len(data) < largeJSON {
		return json.Valid(data)
	}
	d := decoder{work: w, data: data, most: math.MaxInt, discards: true}
	_, rest, err := d.decode()
	return err == nil && len(bytes.TrimLeft(rest, " \t\r\n")) == 0
}

// malformed is the error for what is not the JSON that is wanted. Most values of a ledger may not be JSON at all, so it must
// cost little.
type malformed struct {
	want   string
	at, of int
}

func (m *malformed) Error() string {
	return fmt.Sprintf("want %s at byte %d of %d", m.want, m.at, m.of)
}

// jsonError returns what package json says of data, if decode has found it malformed. Fabric's peer uses that package, and so
// chaincode gets the same text. Of what is large it returns what decode has said.
func jsonError[T any | map[string]any](data []byte, err error) error {
	var found *malformed
	if len(data) >= largeJSON || !errors.As(err, &found) {
		return err
	}
	var ignored T
	if said := json.NewDecoder(bytes.NewReader(data)).Decode(&ignored); said != nil {
		return said
	}
	return err
}

// deepest is how many levels package json knows.
const deepest = 10_000

// decoder takes JSON apart.
type decoder struct {
	work  *work
	data  []byte
	at    int // where the next byte is read
	depth int
	err   error

	values   int  // that objects and lists have so far, together
	most     int  // how many they may have
	discards bool // nothing is kept of what is decoded
}

// refuse notes what is wrong.
func (d *decoder) refuse(want string) any {
	if d.err == nil {
		d.err = &malformed{want: want, at: d.at, of: len(d.data)}
	}
	return nil
}

// itemWork is what a value costs beside its bytes: it is allocated, and the next collection of garbage looks at it.
const itemWork = 8

// ok says whether to go on.
func (d *decoder) ok() bool { return d.err == nil && d.work.spend(itemWork) }

// next skips spaces and returns the byte after them, which stays where it is. It is 0 at the end.
func (d *decoder) next() byte {
	for ; d.at < len(d.data); d.at++ {
		switch c := d.data[d.at]; c {
		case ' ', '\t', '\r', '\n':
			if !d.work.spend(1) {
				return 0
			}
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) value() any {
	switch c := d.next(); c {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return d.text()
	default:
		return d.word()
	}
}

func (d *decoder) object() any {
	var members map[string]any
	if !d.discards {
		members = map[string]any{}
	}
	d.items('}', func() {
		if d.next() != '"' {
			d.refuse("a member's name")
			return
		}
		name := d.text()
		if d.next() != ':' {
			d.refuse("a colon")
			return
		}
		d.at++
		if value := d.value(); !d.discards {
			members[name] = value
		}
	})
	return members
}

func (d *decoder) list() any {
	var values []any
	if !d.discards {
		values = []any{}
	}
	d.items(']', func() {
		if value := d.value(); !d.discards {
			values = append(values, value)
		}
	})
	return values
}

// items calls one for each of the items that stand between a bracket and its end, with commas between them.
func (d *decoder) items(end byte, one func()) {
	if d.depth++; d.depth > deepest {
		d.refuse("fewer levels")
		return
	}
	defer func() { d.depth-- }()
	d.at++
	if d.next() == end {
		d.at++
		return
	}
	for d.ok() {
		if d.values++; d.values > d.most {
			d.err = errors.Wrapf(ErrManyValues, "there are more than %d", d.most)
			return
		}
		one()
		switch d.next() {
		case ',':
			d.at++
		case end:
			d.at++
			return
		default:
			d.refuse("a comma or an end")
		}
	}
}

// word decodes a number, true, false or null.
func (d *decoder) word() any {
	const longest = 4 * MaxDigits // of a number: digits before and after the point, and those of the exponent
	from := d.at
	for d.at < len(d.data) && d.at-from <= longest && strings.IndexByte(" \t\r\n,:[]{}\"", d.data[d.at]) < 0 {
		d.at++
	}
	word := d.data[from:d.at]
	d.work.spend(len(word))
	switch string(word) {
	case "null":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if !json.Valid(word) {
		d.at = from
		return d.refuse("a value")
	}
	if d.discards {
		return nil
	}
	return json.Number(word)
}

// text decodes a string.
func (d *decoder) text() string {
	d.at++
	var done strings.Builder
	from := d.at
	for d.at < len(d.data) {
		switch c := d.data[d.at]; {
		case c == '"':
			piece := d.piece(d.data[from:d.at])
			d.at++
			if done.Len() == 0 {
				return piece
			}
			done.WriteString(piece)
			return done.String()
		case d.at-from >= largeJSON && d.between():
			if !d.work.spend(d.at-from) || d.err != nil {
				return ""
			}
			if done.Len() == 0 {
				done.Grow(d.restOfText(from))
			}
			done.WriteString(d.piece(d.data[from:d.at]))
			from = d.at
		}
		d.at += escapeSize(d.data[d.at:])
	}
	d.at = len(d.data)
	d.refuse("the end of a string")
	return ""
}

// restOfText returns how many bytes a string has from a position on, or fewer if there is a quote in it. A string that grows with
// its pieces would be copied again and again.
func (d *decoder) restOfText(from int) int {
	if n := bytes.IndexByte(d.data[from:], '"'); n >= 0 {
		return n
	}
	return len(d.data) - from
}

// between says whether a string may be cut here: not within a character, which has at most four bytes, nor between the two
// escapes that some are written as.
func (d *decoder) between() bool {
	b, i := d.data, d.at
	if surrogate(b[i:], "dD", "cdefCDEF") && surrogate(b[i-6:], "dD", "89abAB") {
		return false
	}
	return utf8.RuneStart(b[i]) || !utf8.RuneStart(b[i-1]) && !utf8.RuneStart(b[i-2]) && !utf8.RuneStart(b[i-3])
}

// surrogate says whether there is an escape whose first two digits are among those.
func surrogate(b []byte, first, second string) bool {
	return len(b) >= 6 && b[0] == '\\' && b[1] == 'u' && strings.IndexByte(first, b[2]) >= 0 && strings.IndexByte(second, b[3]) >= 0
}

// escapeSize is how many bytes of a string belong together: those of an escape.
func escapeSize(b []byte) int {
	switch {
	case b[0] != '\\':
		return 1
	case len(b) < 2 || b[1] != 'u':
		return 2
	}
	return 6
}

// piece decodes a part of a string.
func (d *decoder) piece(b []byte) string {
	d.work.spend(len(b) / 8)
	plain := utf8.Valid(b)
	for i := 0; plain && i < len(b); i++ {
		plain = b[i] >= ' ' && b[i] != '\\'
	}
	if plain && d.discards {
		return ""
	}
	if plain {
		return string(b)
	}
	quoted := make([]byte, 0, len(b)+2)
	quoted = append(append(append(quoted, '"'), b...), '"')
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		d.refuse("a string without control characters and with known escapes")
	}
	return text
}
