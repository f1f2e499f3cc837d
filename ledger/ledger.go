// Package ledger says what a peer's ledger must be able to do for chaincode to run on it.
//
// Two interfaces are required: [Ledger], one method, and [Simulator], five. Everything else that chaincode can ask
// for is an optional interface that a Simulator may also have: [HistoryReader], [MultiGetter], [RichQuerier],
// [MetadataState], [PrivateState], [PrivateMetadataState], [PrivateRichQuerier]. Where one is missing, chaincode gets
// the error text that Fabric's peer gives it, if that has one.
//
// The reference implementation is package kvledger; package ledgertest is the suite that every ledger should pass.
package ledger

import "context"

// Ledger is one channel's committed state.
type Ledger interface {
	// NewSimulator returns a view of the state as it is committed now, for one transaction. It takes no lock that
	// a commit waits for: chaincode runs for as long as it likes. Safe for concurrent use.
	NewSimulator(ctx context.Context, txID string) (Simulator, error)
}

// Simulator is the view that one transaction reads from and writes to.
//
// Reads are of the state that was committed when the simulator was made: a transaction never sees its own writes.
// Writes are collected; nothing is committed by a Simulator. What was read and written is the implementation's to
// give to the peer in its own form, after the transaction has succeeded.
//
// A handler calls a Simulator from one goroutine at a time, though not always the same one, and calls Done once,
// after the last call has returned and the last iterator is closed.
//
// Namespaces are chaincode names. Keys are arbitrary UTF-8, compared byte by byte.
//
// ctx ends when the transaction's caller has gone, its deadline has passed or the chaincode's stream has ended. An
// implementation that waits for anything should stop then; one that does not is waited for, in the background.
type Simulator interface {
	// GetState returns the committed value, or nil for a key that is absent. The caller must not modify the slice;
	// it stays valid after Done.
	GetState(ctx context.Context, namespace, key string) ([]byte, error)
	// SetState records a write. A nil or empty value is a delete, as in Fabric. The implementation may keep value;
	// the caller does not touch it again.
	SetState(ctx context.Context, namespace, key string, value []byte) error
	// DeleteState records a delete. Deleting an absent key is no error.
	DeleteState(ctx context.Context, namespace, key string) error
	// GetStateRange returns the keys of r in byte order.
	GetStateRange(ctx context.Context, namespace string, r Range) (Iterator, error)
	// Done releases what the simulator holds. It is called whether or not the transaction succeeded.
	Done()
}

// Unwrap returns the innermost of simulators that wrap one another, which is the one that the ledger has made and knows the
// results of. A simulator that wraps another one has a method Unwrap that returns it.
func Unwrap(s Simulator) Simulator {
	for {
		wrapper, ok := s.(interface{ Unwrap() Simulator })
		if !ok {
			return s
		}
		s = wrapper.Unwrap()
	}
}

// Range is a range of keys, [Start, End).
type Range struct {
	// Start is the first key that may be returned; "" starts at the first key of the namespace.
	Start string
	// End is the first key that is not returned; "" is the end of the namespace. Start > End is an empty range.
	End string
	// PageSize is 0 for an ordinary query. Otherwise the query is paginated, no more than PageSize+1 results will
	// be asked for, and a ledger that follows Fabric allows it in a read-only transaction only. It is a hint:
	// an implementation may ignore it.
	PageSize int32
}

// Iterator yields the results of a range query. It is used by one goroutine at a time, and closed exactly once.
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
