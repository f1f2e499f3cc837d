package mango

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Index says what a secondary index is of: the documents that have all of its fields, ordered by those. It must not be
// modified, and is safe for concurrent use.
type Index struct {
	// Ddoc is its design document, without the prefix "_design/".
	Ddoc string
	// Name is its name, unique in the design document.
	Name string
	// Fields are what documents are ordered by. There is at least one.
	Fields []SortField
	// Descending says that the index is defined in that direction, which decides nothing: an index is read either way.
	Descending bool

	partial Selector        // of the documents that may be in the index; nil for all
	filter  any             // partial as JSON
	text    json.RawMessage // the one definition of all that are equal
}

// indexFile is an index's definition, as CouchDB and Fabric's chaincode packages have it.
type indexFile struct {
	Index indexFields `json:"index"`
	Ddoc  string      `json:"ddoc"`
	Name  string      `json:"name"`
	Type  string      `json:"type"`
}

type indexFields struct {
	Fields []any `json:"fields"`
	Filter any   `json:"partial_filter_selector,omitempty"`
}

// ParseIndex parses the definition of an index, such as
//
//	{"index": {"fields": ["owner", {"size": "asc"}]}, "ddoc": "indexOwnerDoc", "name": "indexOwner", "type": "json"}
//
// The index may have a partial_filter_selector, for which see [Query.Plan]. The type may be left out; there is no other than
// json. So may ddoc and name, which then are a hash of the rest, as in CouchDB, if another one. What Fabric (ccmetadata's
// validators.go) or CouchDB would refuse is an error, for people to read; so are no fields, and the same field twice.
func ParseIndex(file []byte) (*Index, error) {
	var value any
	rest, err := decode(nil, file, &value, MaxQueryValues)
	if err != nil {
		return nil, errors.Wrap(jsonError[any](file, err), "decode index")
	}
	if len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return nil, errors.New("decode index: something follows the JSON object")
	}
	definition, err := membersOf("an index", value, "index", "ddoc", "name", "type")
	if err != nil {
		return nil, err
	}
	index, err := membersOf(`"index"`, definition["index"], "fields", "partial_filter_selector")
	if err != nil {
		return nil, err
	}
	x := &Index{}
	if x.Ddoc, err = textOf(definition, "ddoc"); err != nil {
		return nil, err
	}
	if x.Name, err = textOf(definition, "name"); err != nil {
		return nil, err
	}
	if kind, ok := definition["type"]; ok && kind != "json" {
		return nil, errors.Errorf(`"type" is %s, want "json"`, show(kind))
	}
	if err := x.parseFields(index["fields"]); err != nil {
		return nil, err
	}
	if filter, ok := index["partial_filter_selector"]; ok {
		if err := x.parseFilter(filter); err != nil {
			return nil, err
		}
	}
	x.Ddoc = strings.TrimPrefix(x.Ddoc, "_design/")
	return x, x.complete()
}

// membersOf returns the members of an object that may have those of some names, and no others.
func membersOf(what string, value any, names ...string) (map[string]any, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errors.Errorf(`%s is missing or no object: want {"index": {"fields": ["owner"]}}`, what)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			return nil, errors.Errorf("%s has a member %q, want only %s", what, cut(name), strings.Join(names, ", "))
		}
	}
	return members, nil
}

// textOf returns the member of a name, which is a string, or "" without one.
func textOf(members map[string]any, name string) (string, error) {
	text, ok := members[name].(string)
	if !ok && has(members, name) {
		return "", errors.Errorf("%q is %s, want a string", name, show(members[name]))
	}
	return text, nil
}

func (x *Index) parseFields(value any) error {
	fields, ok := value.([]any)
	if !ok || len(fields) == 0 {
		return errors.Errorf(`"fields" is %s, want a list of fields that is not empty`, show(value))
	}
	seen := map[string]bool{}
	for i, spec := range fields {
		field, descending, ok := sortSpec(spec)
		if !ok {
			return errors.Errorf(`field %s: want "name", {"name": "asc"} or {"name": "desc"}`, show(spec))
		}
		if i > 0 && descending != x.Descending {
			return errors.Errorf("field %q has another direction than those before it, want the same for all", cut(field))
		}
		path, err := parsePath(field)
		if err != nil {
			return errors.Errorf("field %q: want a name, or several with a dot between them", cut(field))
		}
		if seen[pathKey(path)] {
			return errors.Errorf("field %q is there twice", cut(field))
		}
		seen[pathKey(path)] = true
		x.Descending = descending
		x.Fields = append(x.Fields, SortField{Field: field, Path: path})
	}
	return nil
}

// parseFilter parses a partial_filter_selector. An empty one is none.
func (x *Index) parseFilter(value any) error {
	s, err := parseSelector(nil, value)
	if err != nil {
		return errors.WithMessage(err, "partial_filter_selector")
	}
	if all, ok := s.(And); !ok || all != nil {
		x.partial, x.filter = s, value
	}
	return nil
}

// complete gives the index the text that stands for it, and the names that it lacks.
func (x *Index) complete() error {
	f := indexFile{Index: indexFields{Filter: x.filter}, Ddoc: x.Ddoc, Name: x.Name, Type: "json"}
	for _, field := range x.Fields {
		if x.Descending {
			f.Index.Fields = append(f.Index.Fields, map[string]string{field.Field: "desc"})
		} else {
			f.Index.Fields = append(f.Index.Fields, field.Field)
		}
	}
	hashed, err := json.Marshal(f.Index)
	if err != nil {
		return errors.Wrap(err, "encode index")
	}
	sum := sha256.Sum256(hashed)
	for _, name := range []*string{&f.Ddoc, &f.Name} {
		if *name == "" {
			*name = hex.EncodeToString(sum[:20])
		}
	}
	x.Ddoc, x.Name = f.Ddoc, f.Name
	x.text, err = json.Marshal(f)
	return errors.Wrap(err, "encode index")
}

var (
	_ json.Marshaler   = (*Index)(nil)
	_ json.Unmarshaler = (*Index)(nil)
)

// MarshalJSON returns a definition that ParseIndex makes an equal index of.
func (x *Index) MarshalJSON() ([]byte, error) { return x.text, nil }

// UnmarshalJSON is ParseIndex.
func (x *Index) UnmarshalJSON(b []byte) error {
	parsed, err := ParseIndex(b)
	if err != nil {
		return err
	}
	*x = *parsed
	return nil
}

// Equal says whether two indexes have the same name and are of the same.
func (x *Index) Equal(y *Index) bool { return bytes.Equal(x.text, y.text) }

func (x *Index) name() IndexName { return IndexName{Ddoc: x.Ddoc, Name: x.Name} }

// Columns returns what the index is ordered by for a document, at most MaxColumns bytes, or false if the document is not in
// the index. The bytes are ordered as package mango orders the values of the fields. If they are MaxColumns, then there may
// have been more of them, and documents with the same ones are in no order.
//
// An index has entries of columns and key, one after the other. Those are ordered by columns and then by key: of two that
// are not the same, neither columns are the beginning of the other's, since a value's bytes say where they end, and those
// that were cut are longer than the others.
func (x *Index) Columns(d *Document) (columns []byte, ok bool) {
	columns, ok, _ = x.columns(nil, d)
	return columns, ok
}

// ColumnsContext is Columns until ctx ends, whose error it returns then. It also returns the error of a
// partial_filter_selector whose regular expression is too much work for the document.
func (x *Index) ColumnsContext(ctx context.Context, d *Document) (columns []byte, ok bool, err error) {
	return x.columns(newWork(ctx), d)
}

func (x *Index) columns(w *work, d *Document) (columns []byte, ok bool, err error) {
	if x.partial != nil && !x.partial.matches(w, d.fields) {
		return nil, false, w.ended()
	}
	for _, f := range x.Fields {
		value, p := lookup(d.fields, f.Path)
		if p != present {
			return nil, false, w.ended()
		}
		columns = appendBeginning(w, columns, value, MaxColumns)
	}
	return cutColumns(columns), true, w.ended()
}

// pathKey is what paths are compared by.
func pathKey(path []string) string { return fmt.Sprintf("%q", path) }
