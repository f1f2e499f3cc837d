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
	// ErrLargeSelector is returned for a query whose selector has more conditions and longer names than MaxSelector.
	ErrLargeSelector = errors.New("selector is too large")
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
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	return cut(string(text))
}

// cut keeps a hostile query from making a long error.
func cut(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
