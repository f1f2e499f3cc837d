package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// QueryError is what CouchDB would answer to a rich query that it can't serve. Use errors.As to find it. Other errors of a
// query say that it is no query at all, or that the ledger failed.
type QueryError struct {
	// Name is CouchDB's name for the error, such as bad_arg or no_usable_index.
	Name string
	// Status is the HTTP status that CouchDB answers with.
	Status int
	// Reason is CouchDB's sentence for people.
	Reason string

	text string
}

// Error returns the text that chaincode gets from Fabric's peer.
func (e *QueryError) Error() string { return e.text }

// queryError turns an error of package mango into this package's own.
func queryError(err error) error {
	var refused *mango.Error
	if !errors.As(err, &refused) {
		return err
	}
	return &QueryError{Name: refused.Name, Status: refused.Status, Reason: refused.Reason, text: err.Error()}
}

// parseQuery parses a rich query.
func parseQuery(ctx context.Context, query string) (*mango.Query, error) {
	q, err := mango.ParseContext(ctx, []byte(query))
	if err != nil {
		return nil, queryError(err)
	}
	return q, nil
}
