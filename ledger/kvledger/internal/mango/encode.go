package mango

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// output is JSON that is being made.
type output struct {
	bytes.Buffer
	most int // how many bytes it may have, or about; 0 is any number
}

// errFull is why no more is encoded.
var errFull = errors.New("it has too many bytes")

// room returns an error if the output has too many bytes.
func (o *output) room() error {
	if o.most > 0 && o.Len() > o.most {
		return errFull
	}
	return nil
}

// encode makes JSON of a decoded value, as package json does: compact, with sorted names. That can't be stopped, and so is only
// for what is small: single strings, and pieces of them. Pieces of a string mean the same alone, since they are whole characters.
func encode(w *work, into *output, value any) error {
	if !w.spend(1) {
		return w.ended()
	}
	if err := into.room(); err != nil {
		return err
	}
	switch v := value.(type) {
	case projection:
		return encodeObject(w, into, v)
	case map[string]any:
		return encodeObject(w, into, v)
	case []any:
		into.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				into.WriteByte(',')
			}
			if err := encode(w, into, element); err != nil {
				return err
			}
		}
		into.WriteByte(']')
		return nil
	case string:
		return encodeText(w, into, v)
	}
	return encodeSmall(into, value)
}

func encodeObject(w *work, into *output, object map[string]any) error {
	into.WriteByte('{')
	for i, name := range sortedNames(w, object) {
		if i > 0 {
			into.WriteByte(',')
		}
		if err := encodeText(w, into, name); err != nil {
			return err
		}
		into.WriteByte(':')
		if err := encode(w, into, object[name]); err != nil {
			return err
		}
	}
	into.WriteByte('}')
	return w.ended()
}

func encodeText(w *work, into *output, text string) error {
	into.WriteByte('"')
	for len(text) > 0 {
		end := min(len(text), largeJSON)
		for end < len(text) && end > largeJSON-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		if !w.spend(end) {
			return w.ended()
		}
		if err := into.room(); err != nil {
			return err
		}
		from := into.Len()
		if err := encodeSmall(into, text[:end]); err != nil {
			return err
		}
		// Without its quotes.
		copy(into.Bytes()[from:], into.Bytes()[from+1:])
		into.Truncate(into.Len() - 2)
		text = text[end:]
	}
	into.WriteByte('"')
	return nil
}

func encodeSmall(into *output, value any) error {
	b, err := json.Marshal(value)
	into.Write(b)
	return errors.Wrap(err, "encode JSON")
}
