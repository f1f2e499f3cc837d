// Package ledger says what a peer's ledger must be able to do for chaincode to run on it.
//
// Two interfaces are required: [Ledger], which has one method, and [Simulator], which has five. Everything else that
// chaincode can ask for is an optional interface that a Simulator may also have: [HistoryReader], [MultiGetter],
// [RichQuerier], [MetadataState], [PrivateState], [PrivateMetadataState], [PrivateRichQuerier]. If one is missing, chaincode
// gets the error text that Fabric's peer gives it, as far as there is one. An iterator may be a [Keeper] as well.
//
// The reference implementation is package kvledger. Package ledgertest is the suite that every ledger should pass.
package ledger

import "context"

// Ledger is one channel's committed state.
type Ledger interface {
	// NewSimulator returns a view of the state as it is committed now, for one transaction. It must take no lock that a
	// commit waits for, because chaincode runs for as long as it likes. It is safe for concurrent use.
	NewSimulator(ctx context.Context, txID string) (Simulator, error)
}

// Simulator is the view that one transaction reads from and writes to.
//
// Reads see the state that was committed when the simulator was made. A transaction never sees its own writes. Writes are
// collected, and a Simulator commits nothing. After the transaction has succeeded, the implementation gives the peer what
// was read and written, in a form of its own.
//
// A handler calls a Simulator from one goroutine at a time, though not always the same one. It calls Done once, after the
// last call has returned and the last iterator is closed.
//
// Namespaces are chaincode names. Keys are arbitrary UTF-8, compared byte by byte.
//
// ctx ends when the transaction's caller has gone, when its deadline has passed, or when the chaincode's stream has ended.
// An implementation that waits for anything should stop then. If it doesn't, the handler waits for it in the background.
type Simulator interface {
	// GetState returns the committed value, or nil for a key that is absent. The caller must not modify the slice. It stays
	// valid after Done.
	GetState(ctx context.Context, namespace, key string) ([]byte, error)
	// SetState records a write. A nil or empty value is a delete, as in Fabric. The implementation may keep value, and the
	// caller does not touch it again.
	SetState(ctx context.Context, namespace, key string, value []byte) error
	// DeleteState records a delete. Deleting an absent key is no error.
	DeleteState(ctx context.Context, namespace, key string) error
	// GetStateRange returns the keys of r in byte order.
	GetStateRange(ctx context.Context, namespace string, r Range) (Iterator, error)
	// Done releases what the simulator holds. It is called whether or not the transaction succeeded.
	Done()
}

// Unwrap returns the innermost of simulators that wrap one another. That is the one that the ledger has made, which knows
// the results. If you wrap a simulator, give yours a method Unwrap that returns the wrapped one.
func Unwrap(s Simulator) Simulator {
	for {
		wrapper, ok := s.(interface{ Unwrap() Simulator })
		if !ok {
			return s
		}
		s = wrapper.Unwrap()
	}
}

// Range is a range of keys: from Start on, up to but without End.
type Range struct {
	// Start is the first key that may be returned. "" starts at the first key of the namespace.
	Start string
	// End is the first key that is not returned. "" is the end of the namespace. If Start > End, the range is empty.
	End string
	// PageSize is 0 for an ordinary query. Otherwise the query is paginated, and no more than PageSize+1 results will be
	// asked for. A ledger that follows Fabric allows a paginated query only in a transaction that writes nothing. PageSize
	// is a hint, which an implementation may ignore.
	PageSize int32
}

// Iterator yields the results of a range query. One goroutine at a time uses it. It is closed exactly once.
type Iterator interface {
	// Next returns the next result, or nil after the last one. The caller must not modify the result.
	Next(ctx context.Context) (*KV, error)
	// Close releases the iterator. The simulator must still be usable after it.
	Close()
}

// KV is a key and its committed value.
type KV struct {
	Namespace string
	Key       string
	Value     []byte
}
