package mango

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"

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
	kept     int  // bytes, about
	fields   []SortField
	selected bool // there are fields, if only an empty list

	works sync.Pool // of *work, since a match must not cost an allocation
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

// MaxQuery is how many bytes a query may have.
const MaxQuery = 8 << 20

// Parse parses a query. It returns an [*Error] for one that CouchDB would refuse, ErrFields, ErrTooDeep, ErrLongNumber,
// ErrManyValues, ErrLargeQuery, ErrLargeSelector, ErrLargePattern, and encoding/json's error for what is not even JSON.
func Parse(query []byte) (*Query, error) { return parseQuery(nil, query) }

// ParseContext is Parse until ctx ends, whose error it returns then.
func ParseContext(ctx context.Context, query []byte) (*Query, error) {
	return parseQuery(newWork(ctx), query)
}

func parseQuery(w *work, query []byte) (*Query, error) {
	if len(query) > MaxQuery {
		return nil, errors.Wrapf(ErrLargeQuery, "it has %d bytes: %d are the most", len(query), MaxQuery)
	}
	var members map[string]any
	if _, err := decode(w, query, &members, MaxQueryValues); err != nil {
		return nil, errors.WithMessage(jsonError[map[string]any](query, err), "decode query")
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
		parse func(*work, any) error
	}{
		{"selector", q.parseSelector},
		{"use_index", q.parseUseIndex},
		{"bookmark", q.parseBookmark},
		{"skip", q.parseSkip},
		{"sort", q.parseSort},
		{"fields", q.parseFields},
	} {
		if value, ok := members[m.name]; ok {
			if err := m.parse(w, value); err != nil {
				return nil, err
			}
		}
	}
	if err := checkNames(w, members); err != nil {
		return nil, err
	}
	q.kept = sizeOfSelector(q.Selector) + len(q.Bookmark)
	for _, name := range []string{"sort", "fields"} {
		q.kept += 4 * sizeInMemory(members[name]) // with the paths
	}
	return q, nil
}

func has(members map[string]any, name string) bool {
	_, ok := members[name]
	return ok
}

// checkNames refuses members that CouchDB doesn't know.
func checkNames(w *work, members map[string]any) error {
	for _, name := range sortedNames(w, members) {
		switch name {
		case "selector", "use_index", "bookmark", "skip", "sort", "fields":
		case "limit", "partition", "r", "conflicts", "stale", "stable", "update", "execution_stats", "allow_fallback":
		default:
			return refuse("invalid_key", "Invalid key "+cut(name)+" for this request.")
		}
	}
	return nil
}

func (q *Query) parseSelector(w *work, value any) (err error) {
	q.Selector, err = parseSelector(w, value)
	switch s := q.Selector.(type) {
	case And:
		q.nothing = s != nil && len(s) == 0
	case Or:
		q.nothing = len(s) == 0
	}
	return err
}

// parseUseIndex accepts "ddoc", "ddoc/name", ["ddoc"] and ["ddoc", "name"], each ddoc with "_design/" or without.
func (q *Query) parseUseIndex(_ *work, value any) error {
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

func (q *Query) parseBookmark(_ *work, value any) error {
	text, ok := value.(string)
	if !ok && value != nil {
		return invalidBookmark(value)
	}
	q.Bookmark = text
	return nil
}

func (q *Query) parseSkip(_ *work, value any) error {
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

func (q *Query) parseSort(w *work, value any) error {
	list, ok := value.([]any)
	if !ok {
		return refuse("invalid_sort_json", "Sort must be an array of sort specs, not: "+show(value))
	}
	for i, spec := range list {
		if !w.spend(1) {
			return w.ended()
		}
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

func (q *Query) parseFields(w *work, value any) error {
	q.selected = true
	list, _ := value.([]any)
	for _, v := range list {
		if !w.spend(1) {
			return w.ended()
		}
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

// MatchContext is Match until ctx ends, whose error it returns then: a large selector takes long on a large document. It also
// returns ErrLongMatch.
func (q *Query) MatchContext(ctx context.Context, d *Document) (bool, error) {
	w, _ := q.works.Get().(*work)
	if w == nil {
		w = &work{}
	}
	*w = work{ctx: ctx, left: workStep}
	matched := q.match(w, d)
	err := w.ended()
	if w.ctx = nil; err == nil {
		err = ctx.Err()
	}
	q.works.Put(w)
	return matched && err == nil, err
}

func (q *Query) match(w *work, d *Document) bool {
	if q.nothing {
		return false
	}
	for _, f := range q.Sort {
		if _, p := lookup(d.fields, f.Path); p != present || !w.spend(len(f.Path)) {
			return false
		}
	}
	return q.Selector.matches(w, d.fields)
}

// Projects says whether the query wants only some fields of a document.
func (q *Query) Projects() bool { return q.selected }

// Project returns what the query wants of a document: all of it, as it is stored, or the fields that it names, as
// compact JSON with sorted names, as Fabric's peer returns them. Fields that the document lacks are left out, and so is
// _id. An element of an array, "a.0", becomes a member, {"a": {"0": ...}}. The caller must not modify the result.
func (q *Query) Project(d *Document) ([]byte, error) { return q.project(nil, d) }

// ProjectContext is Project until ctx ends, whose error it returns then.
func (q *Query) ProjectContext(ctx context.Context, d *Document) ([]byte, error) {
	if !q.selected {
		return d.value, nil
	}
	return q.project(newWork(ctx), d)
}

func (q *Query) project(w *work, d *Document) ([]byte, error) {
	if !q.selected {
		return d.value, nil
	}
	result := projection{}
	for _, f := range q.fields {
		if !w.spend(len(f.Path)) {
			return nil, w.ended()
		}
		if value, p := lookup(d.fields, f.Path); p == present && f.Path[0] != idField {
			result.set(f.Path, value)
		}
	}
	if len(d.value) < largeJSON {
		projected, err := json.Marshal(result)
		return projected, errors.Wrap(err, "encode fields")
	}
	var projected output
	if err := encode(w, &projected, result); err != nil {
		return nil, errors.WithMessage(err, "encode fields")
	}
	return projected.Bytes(), nil
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
