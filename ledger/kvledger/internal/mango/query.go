package mango

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Query is a parsed query. It must not be modified, and is safe for concurrent use.
type Query struct {
	// Selector says which documents are wanted.
	Selector Selector
	// Sort is the order that they are wanted in; empty for any.
	Sort []SortField
	// Descending turns that order around, for all fields and keys alike. It's false without a Sort.
	Descending bool
	// Skip is how many of the matching documents, the first ones, are not wanted. As in CouchDB, it applies again to
	// every page that a bookmark begins.
	Skip int
	// Bookmark is where the query itself says to go on; "" and "nil" are the beginning. Fabric's peer gives the
	// bookmark of a paginated call, if there is one, precedence over it.
	Bookmark string
	// UseIndex is the index that the query asks for, the zero value if it doesn't.
	UseIndex IndexName

	nothing  bool // the selector is an $and or $or of nothing, which CouchDB doesn't run (mango_cursor's maybe_noop_range)
	fields   []SortField
	selected bool // there are fields, if only an empty list
}

// SortField is a field that documents are sorted by, or that an index is of.
type SortField struct {
	// Field is the field's name as it was written, with its dots and backslashes.
	Field string
	// Path is Field in parts.
	Path []string
}

// IndexName names an index.
type IndexName struct {
	// Ddoc is the index's design document, without the prefix "_design/".
	Ddoc string
	// Name is the index's name, or "" for any of the design document.
	Name string
}

// String returns the name as use_index may have it.
func (n IndexName) String() string {
	if n.Name == "" {
		return n.Ddoc
	}
	return n.Ddoc + "/" + n.Name
}

// names says whether it is an index's name, or that of its design document.
func (n IndexName) names(x *Index) bool {
	return n.Ddoc != "" && n.Ddoc == x.Ddoc && (n.Name == "" || n.Name == x.Name)
}

// Parse parses a query. It returns an [*Error] for one that CouchDB would refuse, ErrFields, ErrTooDeep, ErrLongNumber,
// ErrLargeSelector, and encoding/json's error for what is not even JSON.
func Parse(query []byte) (*Query, error) {
	var members map[string]any
	if _, err := decode(query, &members); err != nil {
		return nil, errors.WithMessage(err, "decode query")
	}
	if members == nil {
		return nil, errors.New("decode query: not a JSON object: null")
	}
	// The peer looks at the fields before CouchDB sees anything.
	if _, ok := members["fields"].([]any); !ok && has(members, "fields") {
		return nil, ErrFields
	}
	if !has(members, "selector") {
		return nil, refuse("missing_required_key", "Missing required key: selector")
	}
	q := &Query{}
	// Each of these handles a member if it's there. The order is CouchDB's (mango_opts).
	for _, m := range []struct {
		name  string
		parse func(any) error
	}{
		{"selector", q.parseSelector},
		{"use_index", q.parseUseIndex},
		{"bookmark", q.parseBookmark},
		{"skip", q.parseSkip},
		{"sort", q.parseSort},
		{"fields", q.parseFields},
	} {
		if value, ok := members[m.name]; ok {
			if err := m.parse(value); err != nil {
				return nil, err
			}
		}
	}
	if err := checkNames(members); err != nil {
		return nil, err
	}
	return q, nil
}

func has(members map[string]any, name string) bool {
	_, ok := members[name]
	return ok
}

// checkNames refuses members that CouchDB doesn't know.
func checkNames(members map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch name {
		case "selector", "use_index", "bookmark", "skip", "sort", "fields":
		case "limit", "partition", "r", "conflicts", "stale", "stable", "update", "execution_stats", "allow_fallback":
		default:
			return refuse("invalid_key", "Invalid key "+cut(name)+" for this request.")
		}
	}
	return nil
}

func (q *Query) parseSelector(value any) (err error) {
	q.Selector, err = parseSelector(value)
	switch s := q.Selector.(type) {
	case And:
		q.nothing = s != nil && len(s) == 0
	case Or:
		q.nothing = len(s) == 0
	}
	return err
}

// parseUseIndex accepts "ddoc", "ddoc/name", ["ddoc"] and ["ddoc", "name"], each ddoc with "_design/" or without.
func (q *Query) parseUseIndex(value any) error {
	var parts []string
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		parts = strings.SplitN(strings.TrimPrefix(v, "_design/"), "/", 2)
	case []any:
		for _, part := range v {
			text, ok := part.(string)
			if !ok {
				return refuse("invalid_index_name", "Invalid index name: "+show(value))
			}
			parts = append(parts, text)
		}
		if len(parts) == 0 {
			return nil
		}
	}
	if len(parts) != 1 && len(parts) != 2 {
		return refuse("invalid_index_name", "Invalid index name: "+show(value))
	}
	q.UseIndex.Ddoc = strings.TrimPrefix(parts[0], "_design/")
	if len(parts) == 2 {
		q.UseIndex.Name = parts[1]
	}
	return nil
}

func (q *Query) parseBookmark(value any) error {
	text, ok := value.(string)
	if !ok && value != nil {
		return invalidBookmark(value)
	}
	q.Bookmark = text
	return nil
}

func (q *Query) parseSkip(value any) error {
	n, ok := integer(value)
	if !ok || n.compare(number{}) < 0 {
		return refuse("invalid_non_neg_integer", show(value)+" is not an integer greater than or equal to zero")
	}
	q.Skip = math.MaxInt
	if n.large == nil {
		q.Skip = int(min(n.small, math.MaxInt))
	}
	return nil
}

func (q *Query) parseSort(value any) error {
	list, ok := value.([]any)
	if !ok {
		return refuse("invalid_sort_json", "Sort must be an array of sort specs, not: "+show(value))
	}
	for i, spec := range list {
		field, descending, ok := sortSpec(spec)
		if !ok {
			return refuse("invalid_sort_field", "Invalid sort field: "+show(spec))
		}
		if i > 0 && descending != q.Descending {
			return refuse("unsupported_mixed_sort",
				"Sorts currently only support a single direction for all fields.")
		}
		path, err := parsePath(field)
		if err != nil {
			return err
		}
		q.Descending = descending
		q.Sort = append(q.Sort, SortField{Field: field, Path: path})
	}
	return nil
}

// sortSpec reads "field" and {"field": "asc"} and {"field": "desc"}.
func sortSpec(spec any) (field string, descending, ok bool) {
	switch spec := spec.(type) {
	case string:
		return spec, false, spec != ""
	case map[string]any:
		for name, direction := range spec {
			return name, direction == "desc", len(spec) == 1 && (direction == "asc" || direction == "desc")
		}
	}
	return "", false, false
}

func (q *Query) parseFields(value any) error {
	q.selected = true
	list, _ := value.([]any)
	for _, v := range list {
		field, ok := v.(string)
		if !ok {
			return refuse("invalid_field", "Invalid JSON for field spec: "+show(v))
		}
		path, err := parsePath(field)
		if err != nil {
			return err
		}
		q.fields = append(q.fields, SortField{Field: field, Path: path})
	}
	return nil
}

// Match says whether the query wants a document. Skip and bookmark are for the caller to apply.
func (q *Query) Match(d *Document) bool {
	matched, _ := q.MatchContext(context.Background(), d)
	return matched
}

// MatchContext is Match until ctx ends, whose error it returns then: a large selector takes long on a large document.
func (q *Query) MatchContext(ctx context.Context, d *Document) (bool, error) {
	if q.nothing {
		return false, ctx.Err()
	}
	for _, f := range q.Sort {
		if _, p := lookup(d.fields, f.Path); p != present {
			return false, ctx.Err()
		}
	}
	matched := q.Selector.matches(ctx, d.fields)
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return matched, nil
}

// Project returns what the query wants of a document: all of it, as it is stored, or the fields that it names, as
// compact JSON with sorted names, as Fabric's peer returns them. Fields that the document lacks are left out, and so is
// _id. An element of an array, "a.0", becomes a member, {"a": {"0": ...}}. The caller must not modify the result.
func (q *Query) Project(d *Document) ([]byte, error) {
	if !q.selected {
		return d.value, nil
	}
	result := projection{}
	for _, f := range q.fields {
		if value, p := lookup(d.fields, f.Path); p == present && f.Path[0] != idField {
			result.set(f.Path, value)
		}
	}
	projected, err := json.Marshal(result)
	return projected, errors.Wrap(err, "encode fields")
}

// projection is an object that is made for a result. Other objects in it are the document's own.
type projection map[string]any

func (p projection) set(path []string, value any) {
	name := path[0]
	if len(path) == 1 {
		p[name] = value
		return
	}
	if _, ok := p[name]; !ok {
		p[name] = projection{}
	}
	// Otherwise the object is there as a whole already.
	if inner, ok := p[name].(projection); ok {
		inner.set(path[1:], value)
	}
}
