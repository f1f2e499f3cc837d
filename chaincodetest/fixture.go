package chaincodetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Set writes a key of a chaincode, without asking the chaincode, in a block of its own. value is converted as arguments are. It is
// for what a test begins with.
func (n *Net) Set(chaincode, key string, value any) {
	n.t.Helper()
	b, err := toBytes(value)
	if err == nil {
		err = n.content().set(map[string]map[string][]byte{chaincode: {key: b}})
	}
	if err != nil {
		n.fatal("Set(%q, %q): %v", chaincode, key, err)
	}
}

// Load writes the keys of a file, in one block: a JSON object of chaincodes, which are objects of keys and values. A value that
// is an object, an array or a number is written as JSON, and a string as it is. A string that begins with base64: is bytes. The name of
// a chaincode, a slash and the name of one of its collections stand for private data. Dump makes such a file.
//
//	{"basic": {"a1": {"id": "a1", "owner": "bob"}, "count": 1}, "basic/secrets": {"a1": 7}}
func (n *Net) Load(file string) {
	n.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		n.fatal("Load(%q): %v", file, err)
	}
	state, err := parseState(text)
	if err == nil {
		err = n.content().set(state)
	}
	if err != nil {
		n.fatal("Load(%q): %v", file, err)
	}
}

// base64Prefix marks a value that isn't text.
const base64Prefix = "base64:"

func parseState(text []byte) (map[string]map[string][]byte, error) {
	var file map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, errors.Wrap(err, "decode an object of chaincodes with their keys")
	}
	state := map[string]map[string][]byte{}
	for chaincode, keys := range file {
		state[chaincode] = map[string][]byte{}
		for key, value := range keys {
			b, err := parseValue(value)
			if err != nil {
				return nil, errors.Wrapf(err, "key %s of %s", showKey(key), chaincode)
			}
			state[chaincode][key] = b
		}
	}
	return state, nil
}

func parseValue(value json.RawMessage) ([]byte, error) {
	if value[0] != '"' { // the decoder gives no empty ones, and none with spaces around
		return compact(value)
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	if encoded, ok := strings.CutPrefix(s, base64Prefix); ok {
		return base64.StdEncoding.DecodeString(encoded)
	}
	return []byte(s), nil
}

func compact(value []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, value)
	return b.Bytes(), err
}

// set commits values as one transaction of nobody's.
func (c content) set(state map[string]map[string][]byte) error {
	n := c.n
	n.t.Helper()
	for _, name := range sortedKeys(state, nil) {
		chaincode, collection, _ := strings.Cut(name, "/")
		n.want(chaincode, collection)
	}
	who, err := n.backend.identity("chaincodetest", n.settings.organizations[0], nil)
	if err != nil {
		return err
	}
	fixture := call{channel: n.channel, who: who, nonce: newNonce(), at: n.clock.read()}
	n.turn.RLock()
	defer n.turn.RUnlock()
	return n.backend.set(context.Background(), fixture, state)
}

// Dump returns what the deployed chaincodes have, in the form that Load reads, indented and in the order of the keys. Of private data, it is
// what the peer has whose ledger is read: see Of.
func (n *Net) Dump() []byte {
	n.t.Helper()
	file := map[string]map[string]json.RawMessage{}
	for _, chaincode := range sortedKeys(n.deployed.all(), nil) {
		for _, collection := range append([]string{""}, n.collections(chaincode)...) {
			state, err := n.content().read(chaincode, collection, 0)
			if err != nil {
				n.fatal("Dump: %v", err)
			}
			if len(state) == 0 {
				continue
			}
			name := chaincode
			if collection != "" {
				name += "/" + collection
			}
			file[name] = map[string]json.RawMessage{}
			for key, value := range state {
				file[name][key] = formatValue(value)
			}
		}
	}
	text, err := marshalIndent(file)
	if err != nil {
		n.fatal("Dump: %v", err)
	}
	return text
}

// formatValue is the reverse of parseValue. What isn't exactly as parseValue would return it is a string: JSON with spaces, too.
func formatValue(value []byte) json.RawMessage {
	if dense, err := compact(value); err == nil && bytes.Equal(dense, value) && value[0] != '"' && utf8.Valid(value) {
		return value
	}
	s := string(value)
	if !utf8.Valid(value) || strings.HasPrefix(s, base64Prefix) {
		s = base64Prefix + base64.StdEncoding.EncodeToString(value)
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`) // a string can always be encoded
	}
	return quoted
}

func marshalIndent(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// updateVariable is what has golden files written instead of compared. A flag would collide with the flags of the test that uses
// this package.
const updateVariable = "CHAINCODETEST_UPDATE"

// DumpIs expects that Dump is what a file has. With CHAINCODETEST_UPDATE=1 in the environment it writes the file instead.
func (n *Net) DumpIs(file string) {
	n.t.Helper()
	golden(n, "DumpIs", file, n.Dump())
}

// golden compares with a file, or writes it.
func golden(n *Net, what, file string, got []byte) {
	n.t.Helper()
	if os.Getenv(updateVariable) != "" {
		err := os.MkdirAll(filepath.Dir(file), 0o750)
		if err == nil {
			err = os.WriteFile(file, got, 0o644) //nolint:gosec // it is for the repository
		}
		if err != nil {
			n.fatal("%s: %v", what, err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		n.fatal("%s: %v\n%s=1 go test writes it", what, err, updateVariable)
		return
	}
	w, isJSON := decodeJSON(want)
	g, _ := decodeJSON(got)
	if !isJSON {
		n.fatal("%s: %s isn't JSON", what, file)
	}
	if lines := differences("", w, g, false); len(lines) > 0 {
		name, key := firstDifference(w, g)
		chaincode, collection, _ := strings.Cut(name, "/")
		n.t.Fatalf("%s: %s is not what there is\n%s\n%s=1 go test writes it%s", what, file, indent(lines), updateVariable, n.recent.origin(n.channel, chaincode, collection, key))
	}
}

// firstDifference returns the name and the key in which two dumps differ, if they are dumps.
func firstDifference(a, b any) (name, key string) {
	x, _ := a.(map[string]any)
	y, _ := b.(map[string]any)
	for _, name := range sortedKeys(x, y) {
		v, _ := x[name].(map[string]any)
		w, _ := y[name].(map[string]any)
		for _, key := range sortedKeys(v, w) {
			if !reflect.DeepEqual(v[key], w[key]) {
				return name, key
			}
		}
	}
	return "", ""
}
