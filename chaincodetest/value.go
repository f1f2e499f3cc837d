package chaincodetest

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Fields is what a JSON object must have at least. It is for expectations that leave other fields open:
//
//	tx.Writes("a1", chaincodetest.Fields{"owner": "bob"})
type Fields map[string]any

// toBytes converts an argument, or a value that is compared with one.
func toBytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, errors.New("it is nil: say \"\" for an empty one, or json.RawMessage(\"null\")")
	case string:
		return []byte(v), nil
	case []byte:
		return bytes.Clone(v), nil
	case json.RawMessage:
		return bytes.Clone(v), nil
	case encoding.TextMarshaler:
		b, err := v.MarshalText()
		return b, errors.Wrapf(err, "convert a %T to text", v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice:
		if _, marshals := v.(json.Marshaler); !marshals && r.Type().Elem().Kind() == reflect.Uint8 {
			return bytes.Clone(r.Bytes()), nil
		}
	case reflect.String:
		return []byte(r.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(nil, r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(nil, r.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(nil, r.Uint(), 10), nil
	case reflect.Float32:
		return strconv.AppendFloat(nil, r.Float(), 'f', -1, 32), nil
	case reflect.Float64:
		return strconv.AppendFloat(nil, r.Float(), 'f', -1, 64), nil
	}
	b, err := json.Marshal(v)
	return b, errors.Wrapf(err, "convert a %T to JSON", v)
}

// mismatch returns in what two values differ, a line each, or nothing if they are the same. Equal JSON is the same, whatever the
// order of its fields.
func mismatch(want any, got []byte) ([]string, error) {
	if f, ok := want.(Fields); ok {
		b, err := json.Marshal(map[string]any(f))
		if err != nil {
			return nil, errors.Wrap(err, "convert Fields to JSON")
		}
		w, _ := decodeJSON(b)
		g, ok := decodeJSON(got)
		if !ok {
			return []string{"want a JSON object with " + string(b), "got  " + show(got)}, nil
		}
		return differences("", w, g, true), nil
	}
	b, err := toBytes(want)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(b, got) {
		return nil, nil
	}
	w, isJSON := decodeJSON(b)
	g, alsoJSON := decodeJSON(got)
	if isJSON && alsoJSON && reflect.DeepEqual(w, g) {
		return nil, nil
	}
	lines := []string{"want " + show(b), "got  " + show(got)}
	if isJSON && alsoJSON && composite(w) && composite(g) {
		lines = append(lines, differences("", w, g, false)...)
	}
	return lines, nil
}

// composite says whether a JSON value has parts that may differ.
func composite(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// decodeJSON decodes a JSON value. Numbers stay as they are written.
func decodeJSON(b []byte) (any, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, true
}

// differences lists where two JSON values differ. If some is set, an object may have fields that aren't wanted.
func differences(path string, want, got any, some bool) []string {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return objectDifferences(path, w, g, some)
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			var lines []string
			for i := range w {
				lines = append(lines, differences(fmt.Sprintf("%s[%d]", path, i), w[i], g[i], some)...)
			}
			return lines
		}
	}
	if reflect.DeepEqual(want, got) {
		return nil
	}
	if path == "" {
		path = "it"
	}
	return []string{fmt.Sprintf("%s: want %s, got %s", path, asJSON(want), asJSON(got))}
}

func objectDifferences(path string, want, got map[string]any, some bool) []string {
	var lines []string
	for _, name := range sortedKeys(want, got) {
		w, wanted := want[name]
		g, there := got[name]
		at := path + "." + name
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf("%s: want %s, got nothing", at, asJSON(w)))
		case !wanted && !some:
			lines = append(lines, fmt.Sprintf("%s: want nothing, got %s", at, asJSON(g)))
		case wanted:
			lines = append(lines, differences(at, w, g, some)...)
		}
	}
	return lines
}

// sortedKeys returns the keys of two maps.
func sortedKeys[V any](a, b map[string]V) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func asJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return cut(strings.TrimSuffix(b.String(), "\n"))
}

// shownBytes is how much of a value is shown.
const shownBytes = 400

// show writes a value for people: JSON and plain text as they are, other bytes in hexadecimal.
func show(b []byte) string {
	if len(b) == 0 {
		return "(empty)"
	}
	if _, ok := decodeJSON(b); ok && !bytes.ContainsAny(b, "\n\r\t") {
		return cut(string(b))
	}
	if utf8.Valid(b) {
		s := string(b)
		if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
			return cut(s)
		}
		if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' }) < 0 {
			return cut(strconv.Quote(s))
		}
	}
	if len(b) > shownBytes/4 {
		return fmt.Sprintf("0x%s… (%d bytes)", hex.EncodeToString(b[:shownBytes/4]), len(b))
	}
	return "0x" + hex.EncodeToString(b)
}

func cut(s string) string {
	if len(s) <= shownBytes {
		return s
	}
	end := shownBytes
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:end], len(s))
}

// CompositeKey returns the key that CreateCompositeKey makes in chaincode.
func CompositeKey(objectType string, attributes ...string) string {
	key := "\x00" + objectType + "\x00"
	for _, a := range attributes {
		key += a + "\x00"
	}
	return key
}

// showKey writes a key for people. A composite key is written as the call that makes it.
func showKey(key string) string {
	if parts, ok := strings.CutPrefix(key, "\x00"); ok && strings.HasSuffix(parts, "\x00") {
		list := strings.Split(strings.TrimSuffix(parts, "\x00"), "\x00")
		for i, p := range list {
			list[i] = showKey(p)
		}
		return "CompositeKey(" + strings.Join(list, ", ") + ")"
	}
	if key == "" || strings.IndexFunc(key, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == utf8.RuneError }) >= 0 {
		return cut(strconv.Quote(key))
	}
	return cut(key)
}
