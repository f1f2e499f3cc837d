package peer

import (
	"bytes"
	"container/list"
	"context"
	"slices"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/committer"
)

const (
	// retention is how many blocks a transaction that isn't committed is remembered for (Fabric: core.yaml,
	// peer.gossip.pvtData.transientstoreMaxBlockRetention).
	retention = 1000
	// maxPrivateBytes is how much private data of a channel may wait. If there is more, what has waited longest is forgotten: it is
	// mostly of transactions that nobody had ordered.
	maxPrivateBytes = 256 << 20
	// uncommittedBytes is what a set takes besides its bytes.
	uncommittedBytes = 512
)

// transient keeps private data between the endorsement and the commit (Fabric: core/transientstore). It is in memory: after a
// restart, the data of what was not committed is missing.
type transient struct {
	mu    sync.Mutex
	txs   map[string]*uncommitted
	order list.List // of IDs; the first came first
	bytes int
}

var _ committer.PrivateData = (*transient)(nil)

// uncommitted is the private data of a transaction.
type uncommitted struct {
	variants [][]byte // different ones, of several endorsements
	height   uint64   // when the first came
	bytes    int
	at       *list.Element // in the order
}

func (t *transient) keep(txID string, private []byte, height uint64) error {
	size := len(private) + len(txID) + uncommittedBytes
	if size > maxPrivateBytes {
		return errors.Errorf("%d bytes of private data of one transaction: a peer keeps up to %d until transactions are committed", len(private), maxPrivateBytes)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purge(height)
	tx := t.txs[txID]
	if tx == nil {
		if t.txs == nil {
			t.txs = map[string]*uncommitted{}
		}
		tx = &uncommitted{height: height, at: t.order.PushBack(txID)}
		t.txs[txID] = tx
	}
	for _, have := range tx.variants {
		if bytes.Equal(have, private) {
			return nil
		}
	}
	tx.variants = append(tx.variants, private)
	tx.bytes += size
	t.bytes += size
	for t.bytes > maxPrivateBytes {
		first := t.order.Front().Value.(string)
		if first == txID { // all the others are gone, and it has had more variants than anybody needs
			tx.bytes -= len(tx.variants[0]) + len(txID) + uncommittedBytes
			t.bytes -= len(tx.variants[0]) + len(txID) + uncommittedBytes
			tx.variants = slices.Clone(tx.variants[1:])
			continue
		}
		t.forget(first)
	}
	return nil
}

// PrivateRWSet implements committer.PrivateData.
func (t *transient) PrivateRWSet(ctx context.Context, txID string, wanted []committer.CollectionHash) ([]byte, error) {
	switch variants := t.of(txID); len(variants) {
	case 0:
		return nil, nil
	case 1:
		return variants[0], nil // the ledger looks at the hashes, too
	default:
		return fitting(ctx, variants, wanted)
	}
}

// of returns the different sets of a transaction that are kept.
func (t *transient) of(txID string) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tx := t.txs[txID]; tx != nil {
		return slices.Clone(tx.variants)
	}
	return nil
}

// Forget implements committer.PrivateData.
func (t *transient) Forget(txIDs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, txID := range txIDs {
		t.forget(txID)
	}
}

// purge forgets what has waited for too long at a height. It needs the lock.
func (t *transient) purge(height uint64) {
	for first := t.order.Front(); first != nil; first = t.order.Front() {
		txID := first.Value.(string)
		if t.txs[txID].height+retention >= height {
			return
		}
		t.forget(txID)
	}
}

// forget needs the lock.
func (t *transient) forget(txID string) {
	if tx := t.txs[txID]; tx != nil {
		t.bytes -= tx.bytes
		t.order.Remove(tx.at)
		delete(t.txs, txID)
	}
}
