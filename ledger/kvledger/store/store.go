// Package store says what an ordered key-value engine must be able to do for package kvledger to keep ledgers in it:
// give consistent snapshots, and apply a batch of writes at once if nobody else has written meanwhile.
//
// An engine knows nothing of ledgers. Package storetest is the suite that every engine should pass; package memory
// is the simplest engine.
package store

import (
	"context"

	"github.com/pkg/errors"
)

// ErrHeadMoved says that a batch was not applied because the store's head was not the one that the batch was made
// for: another writer was faster. What the batch was made from must be read again.
var ErrHeadMoved = errors.New("the store's head has moved: another writer has committed")

// ErrClosed says that the store was used after Close.
var ErrClosed = errors.New("the store is closed")

// Head says which batch was committed last. It is the fence between writers: a batch is applied only to the head
// that it was made for. The zero Head is that of an empty store.
type Head struct {
	// Blocks is how many batches were committed.
	Blocks uint64
	// Epoch is unique to the writer that committed the last one, so that two writers' batches never lead to
	// equal heads, and a writer that does not know whether its batch was applied can tell by the head.
	Epoch uint64
}

// Store is an ordered key-value engine. Keys are strings of any bytes, compared byte by byte; values are any bytes.
// All methods are safe for concurrent use, from several processes too where the engine allows them.
type Store interface {
	// Snapshot returns a view of what is committed now, which later commits don't change. Many may be open at
	// once, for long, and none makes a commit wait.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Commit applies a batch, all of it or nothing, if the store's head is b.Prev, and makes b.Next its head. When
	// it returns nil the batch is as durable as the engine can make it, and in every snapshot taken from then on.
	// When the head is another one, the error is ErrHeadMoved (to errors.Is) and nothing has changed. After any
	// other error the batch was applied or it was not: the head of a new snapshot tells.
	Commit(ctx context.Context, b *Batch) error
	// Close releases the engine. Snapshots must be closed before; what is called after it returns ErrClosed.
	Close() error
}

// Limited is implemented by a Store that can't hold every key.
type Limited interface {
	// MaxKeySize is how many bytes a key may have. Commit refuses a batch with a longer one.
	MaxKeySize() int
}

// Batch is what a commit writes. It belongs to the store from the call of Commit on, also when it fails.
type Batch struct {
	// Prev is the head that the batch was made for, and Next the one that it leads to.
	Prev, Next Head
	// Writes are in no order, and have each key at most once.
	Writes []Write
}

// Write sets a key, or deletes it.
type Write struct {
	Key string
	// Value is the key's new value; nil deletes the key, whether or not it exists. An empty value is a value.
	Value []byte
}

// Snapshot is a consistent view of a store. All methods are safe for concurrent use, but Close must come after the
// others have returned and the iterators are closed.
type Snapshot interface {
	// Head returns the head of the store as the snapshot sees it.
	Head() Head
	// Get returns the value of a key, or nil if it is absent. The value of a key that is present is never nil, may
	// be kept for ever, and must not be modified.
	Get(ctx context.Context, key string) ([]byte, error)
	// GetMany is Get for several keys, in one round trip where there is one to make. The values are in the order
	// of the keys.
	GetMany(ctx context.Context, keys []string) ([][]byte, error)
	// Scan returns the pairs whose keys are in [lo, hi), in order. An empty lo is the first key; an empty hi is
	// the end of the store; lo >= hi is an empty range otherwise. It reads nothing yet: Next does, little by little.
	Scan(lo, hi string, o ScanOptions) Iterator
	// Close releases the snapshot.
	Close()
}

// ScanOptions say how a range is read. The zero value reads it forwards, with values.
type ScanOptions struct {
	// Reverse yields the last key first.
	Reverse bool
	// KeysOnly allows the engine to leave values out: Next may then return nil for any of them.
	KeysOnly bool
	// Fetch is how many pairs the caller thinks it will read; 0 is unknown. It is a hint, for engines that fetch
	// several at a time: the range does not end there.
	Fetch int
}

// Iterator yields the pairs of a range. It is used by one goroutine at a time.
type Iterator interface {
	// Next returns the next pair. After the last one, and after an error, ok is false. It returns ctx's error if ctx
	// has ended, also where there is nothing to wait for: who reads a long range relies on it to stop. What it
	// returns may be kept for ever, and must not be modified.
	Next(ctx context.Context) (key string, value []byte, ok bool, err error)
	// Close releases the iterator. It may be called more than once; Next must not be called after it.
	Close()
}
