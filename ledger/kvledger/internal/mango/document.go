package mango

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// idField is the member of a document that holds its key. Fabric's peer adds it before it gives a document to CouchDB,
// and takes it out again; chaincode may not have a member of that name.
const idField = "_id"

// Document is a JSON object and the key that it is stored under. It is safe for concurrent use.
type Document struct {
	key    string
	value  []byte
	fields map[string]any
}

// NewDocument decodes a value. Its errors are ErrNotObject, for anything but a JSON object, ErrTooDeep, ErrLongNumber and
// ErrManyValues; each means that no query returns the value, and that the next may be tried. The document keeps value, which must not be modified
// any more. A member _id of the value is hidden by the key.
func NewDocument(key string, value []byte) (*Document, error) {
	return newDocument(nil, key, value)
}

// NewDocumentContext is NewDocument until ctx ends, whose error it returns then. That is the only other error.
func NewDocumentContext(ctx context.Context, key string, value []byte) (*Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(value) < workStep {
		return newDocument(nil, key, value)
	}
	return newDocument(newWork(ctx), key, value)
}

func newDocument(w *work, key string, value []byte) (*Document, error) {
	var fields map[string]any
	rest, err := decode(w, value, &fields, MaxDocumentValues)
	if err := w.ended(); err != nil {
		return nil, err
	}
	if (errors.Is(err, ErrTooDeep) || errors.Is(err, ErrLongNumber)) && valid(w, value) || errors.Is(err, ErrManyValues) {
		return nil, err
	}
	if err := w.ended(); err != nil {
		return nil, err
	}
	if err != nil || fields == nil || len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return nil, ErrNotObject
	}
	fields[idField] = key
	return &Document{key: key, value: value, fields: fields}, nil
}

// Key returns the key that the document is stored under.
func (d *Document) Key() string { return d.key }

// Value returns the document as it is stored. The caller must not modify it.
func (d *Document) Value() []byte { return d.value }

// parsePath splits a field's name at its dots. A backslash before a dot makes it part of the name.
func parsePath(field string) ([]string, error) {
	var path []string
	start := 0
	for i := range len(field) + 1 {
		if i < len(field) && (field[i] != '.' || i > 0 && field[i-1] == '\\') {
			continue
		}
		if i == start {
			return nil, refuse("invalid_field_name", "Invalid field name: "+cut(field))
		}
		path = append(path, strings.ReplaceAll(field[start:i], `\`, ""))
		start = i + 1
	}
	return path, nil
}

// presence is whether there is something where a path leads.
type presence int

const (
	present presence = iota
	// missing: the path ends at an object that has no such member.
	missing
	// badPath: it leads into a string, a number and so on, or past the end of an array.
	badPath
)

// lookup follows a path from a decoded JSON value. No path at all leads to the value itself.
func lookup(value any, path []string) (any, presence) {
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			member, ok := v[name]
			if !ok {
				return nil, missing
			}
			value = member
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil, badPath
			}
			value = v[i]
		default:
			return nil, badPath
		}
	}
	return value, present
}
