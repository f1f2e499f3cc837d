package etcd

import (
	"fmt"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// LimitError says that the servers refuse a batch, because it is larger than what they were started for.
type LimitError struct {
	// Flag is the etcd server's flag that sets the limit: --max-txn-ops or --max-request-bytes.
	Flag string
	// Need is the least value of the flag with which the batch passes, or a little more. It is a number of operations, or of
	// bytes.
	Need int
	// Writes is how many writes the batch has.
	Writes int

	cause error
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the etcd servers refuse a batch of %d writes: start them with %s=%d or more, or commit less at once",
		e.Writes, e.Flag, e.Need)
}

// Unwrap returns the servers' own error.
func (e *LimitError) Unwrap() error { return e.cause }

const (
	flagOps   = "--max-txn-ops"
	flagBytes = "--max-request-bytes"

	// What a request's encoding needs at most: for an operation, and for the rest.
	opBytes, requestBytes = 32, 1024
)

// limit returns the *LimitError that a failed try stands for, or the error as it is.
func (s *Store) limit(err error, b *store.Batch, next record) error {
	switch {
	case errors.Is(err, rpctypes.ErrTooManyOps):
		// One for the head.
		return &LimitError{Flag: flagOps, Need: len(b.Writes) + 1, Writes: len(b.Writes), cause: err}
	case errors.Is(err, rpctypes.ErrRequestTooLarge), status.Code(err) == codes.ResourceExhausted &&
		!errors.Is(err, rpctypes.ErrNoSpace) && !errors.Is(err, rpctypes.ErrTooManyRequests):
		// The second is gRPC's own limit, which is made from the same flag.
		size := requestBytes + 2*len(next.value) + 4*len(s.keys.head)
		for _, w := range b.Writes {
			size += opBytes + len(s.keys.lo) + len(w.Key) + len(w.Value)
		}
		return &LimitError{Flag: flagBytes, Need: size, Writes: len(b.Writes), cause: err}
	}
	return err
}
