package peer

import (
	"bytes"
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
	// maxPrivateBytes is how much private data of a channel may wait. What clients never have ordered waits for 1,000 blocks.
	maxPrivateBytes = 256 << 20
)

// transient keeps private data between the endorsement and the commit (Fabric: core/transientstore). It is in memory: after a
// restart, the data of what was not committed is missing.
type transient struct {
	mu     sync.Mutex
	txs    map[string]*uncommitted
	bytes  int
	purged uint64 // at which height old ones were last looked for
}

var _ committer.PrivateData = (*transient)(nil)

// uncommitted is the private data of a transaction.
type uncommitted struct {
	variants [][]byte // different ones, of several endorsements
	height   uint64   // when the first came
}

func (t *transient) keep(txID string, private []byte, height uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purge(height)
	tx := t.txs[txID]
	if tx != nil {
		for _, have := range tx.variants {
			if bytes.Equal(have, private) {
				return nil
			}
		}
	}
	if t.bytes+len(private) > maxPrivateBytes {
		return errors.Errorf("%d bytes of private data wait for their transactions to be committed: there is no room for %d more", t.bytes, len(private))
	}
	if tx == nil {
		if t.txs == nil {
			t.txs = map[string]*uncommitted{}
		}
		tx = &uncommitted{height: height}
		t.txs[txID] = tx
	}
	tx.variants = append(tx.variants, private)
	t.bytes += len(private)
	return nil
}

// PrivateRWSet implements committer.PrivateData.
func (t *transient) PrivateRWSet(_ context.Context, txID string, wanted []committer.CollectionHash) ([]byte, error) {
	switch variants := t.of(txID); len(variants) {
	case 0:
		return nil, nil
	case 1:
		return variants[0], nil // the ledger looks at the hashes, too
	default:
		return fitting(variants, wanted)
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

// purge forgets, now and then, what has waited for too long at a height. It needs the lock.
func (t *transient) purge(height uint64) {
	if height < t.purged+retention/10 {
		return
	}
	t.purged = height
	for txID, tx := range t.txs {
		if tx.height+retention < height {
			t.forget(txID)
		}
	}
}

// forget needs the lock.
func (t *transient) forget(txID string) {
	if tx := t.txs[txID]; tx != nil {
		for _, v := range tx.variants {
			t.bytes -= len(v)
		}
		delete(t.txs, txID)
	}
}
