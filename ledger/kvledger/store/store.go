// Package store says what an ordered key-value engine must be able to do so that package kvledger can keep ledgers in it. It
// must give consistent snapshots. And it must apply a batch of writes all at once, if nobody else has written meanwhile.
//
// An engine knows nothing of ledgers. Package storetest is the suite that every engine should pass. Package memory is the
// simplest engine.
package store

import (
	"context"

	"github.com/pkg/errors"
)

// ErrHeadMoved says that a batch was not applied, because the store's head was not the one that the batch was made for.
// Another writer was faster. Read again what the batch was made from.
var ErrHeadMoved = errors.New("the store's head has moved: another writer has committed")

// ErrClosed says that the store was used after Close.
var ErrClosed = errors.New("the store is closed")

// Head says which batch was committed last. It keeps writers apart: a batch is applied only to the head that it was made
// for. The zero Head is that of an empty store.
type Head struct {
	// Blocks is how many batches were committed.
	Blocks uint64
	// Epoch is unique to the writer that committed the last batch. So the batches of two writers never lead to equal heads.
	// And a writer that does not know whether its batch was applied can tell by the head.
	Epoch uint64
}

// Store is an ordered key-value engine. Keys are strings of any bytes, compared byte by byte. Values are any bytes. All
// methods are safe for concurrent use, and from several processes if the engine allows that.
type Store interface {
	// Snapshot returns a view of what is committed now. Later commits don't change it. Many may be open at once, and for
	// long. None makes a commit wait.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Commit applies a batch if the store's head is b.Prev, and makes b.Next its head. It applies all of the batch or
	// nothing. When it returns nil, the batch is as durable as the engine can make it, and is in every snapshot taken from
	// then on. If the head is another one, errors.Is finds ErrHeadMoved in the error, and nothing has changed. After any
	// other error the batch may have been applied or not. The head of a new snapshot tells.
	Commit(ctx context.Context, b *Batch) error
	// Close releases the engine. Close the snapshots before that. Whatever is called later returns ErrClosed.
	Close() error
}

// Limited is implemented by a Store that can't hold every key.
type Limited interface {
	// MaxKeySize is how many bytes a key may have. Commit refuses a batch that has a longer one.
	MaxKeySize() int
}

// Batch is what a commit writes. From the call of Commit on it belongs to the store, even if Commit fails.
type Batch struct {
	// Prev is the head that the batch was made for. Next is the head that it leads to.
	Prev, Next Head
	// Writes are in any order, and have each key at most once.
	Writes []Write
}

// Write sets a key, or deletes it.
type Write struct {
	Key string
	// Value is the key's new value. Nil deletes the key, whether or not it exists. An empty value is a value.
	Value []byte
}

// Snapshot is a consistent view of a store. All methods are safe for concurrent use. But call Close only after the others
// have returned and the iterators are closed.
//
// An engine that copies what it reads asks ledger.Reserve for each value before it holds it, in the order of the keys. A value
// of up to 64 KiB may be there before.
//
// If its context has ended, Get or GetMany returns that context's error. GetMany of many keys looks every few milliseconds
// whether it has.
type Snapshot interface {
	// Head returns the head of the store as the snapshot sees it.
	Head() Head
	// Get returns the value of a key, or nil if the key is absent. The value of a key that is present is never nil. It may
	// be kept for ever, and must not be modified.
	Get(ctx context.Context, key string) ([]byte, error)
	// GetMany returns the values of several keys, in the order of the keys. As with Get, nil is an absent key. An engine
	// that makes round trips makes only one, and another one for what is large.
	GetMany(ctx context.Context, keys []string) ([][]byte, error)
	// Scan returns the pairs whose keys are in [lo, hi), in order. An empty lo is the first key. An empty hi is the end of
	// the store. Otherwise the range is empty if lo >= hi. Scan reads nothing yet: Next does, little by little.
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
	// Fetch is how many pairs the caller expects to read. 0 is unknown. It is a hint for engines that fetch several at a
	// time. The range does not end there.
	Fetch int
	// Reserve says that the values are read for an answer. An engine that copies each one when Next is called asks
	// ledger.Reserve before that.
	Reserve bool
}

// Iterator yields the pairs of a range. One goroutine at a time uses it.
type Iterator interface {
	// Next returns the next pair. After the last one, and after an error, ok is false. If ctx has ended, Next returns ctx's
	// error, even if there is nothing to wait for: a caller that reads a long range relies on it to stop. What Next returns
	// may be kept for ever, and must not be modified.
	Next(ctx context.Context) (key string, value []byte, ok bool, err error)
	// Close releases the iterator. It may be called more than once. Next must not be called after it.
	Close()
}
