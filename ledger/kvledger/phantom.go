package kvledger

import (
	"context"

	"github.com/tidwall/btree"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A transaction that has read a range has also read what is not there. Suppose that somebody adds a key to the range. It is
// in none of the transaction's reads, and yet the transaction would behave differently now. Such a key is a phantom. So a
// range query is noted with its bounds and what it yielded, and is run again when the transaction is validated. It must
// yield the same keys and versions, one after the other, and no more.
//
// If a query's iterator was left early, it has seen nothing after the last key that it yielded, so a change there doesn't
// matter. Of a long query the read/write set has only a Merkle summary of what it yielded. Then the summary is made anew and
// compared.

// sameRange runs a range query again, over what is committed and what the block has written. It reports whether the query
// yields what it did when it was simulated. A query that was not read to its end is run up to and including the last key
// that it yielded.
func (v *validation) sameRange(ctx context.Context, namespace string, info *pb.RangeQueryInfo) (bool, error) {
	lo, hi, keyAt := v.committed.keys.stateRange(namespace, info.StartKey, info.EndKey)
	if !info.ItrExhausted {
		hi = v.committed.keys.stateKey(namespace, info.EndKey) + "\x00"
	}
	now := newMergedRange(v.committed.snapshot, v.effects.updates, lo, hi)
	defer now.close()
	if summary := info.GetReadsMerkleHashes(); summary != nil {
		return sameSummary(ctx, now, keyAt, summary)
	}
	return sameReads(ctx, now, keyAt, info.GetRawReads().GetKvReads())
}

// sameReads compares a range with the results of a query, which were few enough to be noted one by one.
func sameReads(ctx context.Context, now *mergedRange, keyAt int, reads []*pb.KVRead) (bool, error) {
	for _, r := range reads {
		key, v, ok, err := now.next(ctx)
		if err != nil {
			return false, err
		}
		if !ok || key[keyAt:] != r.Key || v != versionOf(r.Version) {
			return false, nil
		}
	}
	_, _, more, err := now.next(ctx)
	return !more, err
}

// sameSummary compares a range with the summary of a query's results. The new summary is made with the degree that the old
// one names, because another peer may use another degree.
func sameSummary(ctx context.Context, now *mergedRange, keyAt int, want *pb.QueryReadsMerkleSummary) (bool, error) {
	reads := newQueryReads(int(want.MaxDegree))
	for {
		key, v, ok, err := now.next(ctx)
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		if err := reads.add(key[keyAt:], v.version); err != nil {
			return false, err
		}
	}
	_, got, err := reads.result()
	return proto.Equal(got, want), err
}

// mergedRange yields the keys in a range and their versions, as they would be if the block's updates were committed.
//
// It walks through two sorted sequences at once, what is committed and what the block has written, and takes whichever key
// comes first. If both have the same key, the update counts and the committed one is skipped. An update that is a delete
// yields nothing.
type mergedRange struct {
	committed store.Iterator
	updates   btree.MapIter[string, update] // at the next update, if there is one
	updated   bool
	hi        string

	begun bool
	key   string // the next key that is committed, if there is one
	value []byte
	more  bool
}

func newMergedRange(s store.Snapshot, updates *btree.Map[string, update], lo, hi string) *mergedRange {
	m := &mergedRange{committed: s.Scan(lo, hi, store.ScanOptions{Fetch: usualPage}), updates: updates.Iter(), hi: hi}
	m.updated = m.updates.Seek(lo) && m.updates.Key() < hi
	return m
}

func (m *mergedRange) close() { m.committed.Close() }

// next returns the next key and its version. What is committed is read one pair ahead, to know which of the two sequences
// comes first.
func (m *mergedRange) next(ctx context.Context) (string, readVersion, bool, error) {
	if !m.begun {
		m.begun = true
		if err := m.advanceCommitted(ctx); err != nil {
			return "", readVersion{}, false, err
		}
	}
	for m.updated && (!m.more || m.updates.Key() <= m.key) {
		if err := ctx.Err(); err != nil {
			return "", readVersion{}, false, err
		}
		key, u := m.updates.Key(), m.updates.Value()
		if m.more && key == m.key {
			if err := m.advanceCommitted(ctx); err != nil {
				return "", readVersion{}, false, err
			}
		}
		m.updated = m.updates.Next() && m.updates.Key() < m.hi
		if u.value != nil {
			return key, readVersion{u.version, true}, true, nil
		}
	}
	if !m.more {
		return "", readVersion{}, false, nil
	}
	key := m.key
	v, _, err := decodeValue(m.value)
	if err != nil {
		return "", readVersion{}, false, err
	}
	return key, v, true, m.advanceCommitted(ctx)
}

func (m *mergedRange) advanceCommitted(ctx context.Context) (err error) {
	m.key, m.value, m.more, err = m.committed.Next(ctx)
	return err
}
