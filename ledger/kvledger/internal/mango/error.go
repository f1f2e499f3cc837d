package mango

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/pkg/errors"
)

var (
	// ErrTooDeep is returned for a query or document that is nested more than MaxDepth levels deep.
	ErrTooDeep = errors.New("JSON is nested too deep")
	// ErrLongNumber is returned for a query or document with a number that has more than MaxDigits digits in a row.
	ErrLongNumber = errors.New("JSON has a number that is too long")
	// ErrManyValues is returned for a query or document that has more values than MaxQueryValues or MaxDocumentValues.
	ErrManyValues = errors.New("JSON has too many values")
	// ErrLargeBookmark is returned for a bookmark that is longer than MaxBookmark, or would be.
	ErrLargeBookmark = errors.New("bookmark is too large")
	// ErrLargeSelector is returned for a query whose selector has more conditions and longer names than MaxSelector.
	ErrLargeSelector = errors.New("selector is too large")
	// ErrLargeQuery is returned for a query that is longer than MaxQuery.
	ErrLargeQuery = errors.New("query is too large")
	// ErrLargePattern is returned for a query with regular expressions that are too many, too long or too large: see MaxPatternSize.
	ErrLargePattern = errors.New("regular expression is too large")
	// ErrLongMatch is returned when a regular expression and the string that it is for are more work than MaxMatchWork.
	ErrLongMatch = errors.New("regular expression is too much work")
	// ErrNotObject is returned for a value that is not a JSON object. No query ever matches it.
	ErrNotObject = errors.New("value is not a JSON object")
	// ErrFields is returned for a query whose fields are no array. The text is Fabric's peer's own (statecouchdb).
	ErrFields = errors.New("fields definition must be an array")
	// ErrNoSortIndex is what CouchDB answers to a query whose sort no index serves.
	ErrNoSortIndex error = &Error{
		Name:   "no_usable_index",
		Status: http.StatusBadRequest,
		Reason: "No index exists for this sort, try indexing by the sort fields.",
	}
)

// Error is what CouchDB answers to a query that it can't serve.
type Error struct {
	// Name is CouchDB's name for it, such as bad_arg or invalid_operator.
	Name string
	// Status is the HTTP status that CouchDB answers with.
	Status int
	// Reason is CouchDB's sentence for people.
	Reason string
}

// Error returns the text that chaincode gets from Fabric's peer (statecouchdb's handleRequest).
func (e *Error) Error() string {
	return fmt.Sprintf("error handling CouchDB request. Error:%s,  Status Code:%d,  Reason:%s", e.Name, e.Status, e.Reason)
}

// refuse returns the error for a query that is wrong.
func refuse(name, reason string) error {
	return &Error{Name: name, Status: http.StatusBadRequest, Reason: reason}
}

func badArg(op string, arg any) error {
	return refuse("bad_arg", "Bad argument for operator "+op+": "+show(arg))
}

// show is a value for people to read.
func show(value any) string {
	value = brief(value, maxShown)
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	return cut(string(text))
}

// cut keeps a hostile query from making a long error.
func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "..."
}

// maxShown is how many bytes of a value or a name are in an error.
const maxShown = 200

// brief keeps of a value what show may need of it, since it may be large. What is left out is after the cut.
func brief(value any, most int) any {
	switch v := value.(type) {
	case string:
		return v[:min(len(v), 2*maxShown)]
	case []any:
		some := make([]any, 0, min(len(v), most))
		for i := 0; i < len(v) && i < most; i++ {
			some = append(some, brief(v[i], most-i))
		}
		return some
	case map[string]any:
		if len(v) > maxShown {
			return fmt.Sprintf("an object of %d members", len(v))
		}
		some := map[string]any{}
		for name, member := range v {
			some[name[:min(len(name), 2*maxShown)]] = brief(member, most-1)
		}
		return some
	}
	return value
}
