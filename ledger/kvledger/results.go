package kvledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Results is what a transaction read and wrote. Equal simulations have equal bytes.
type Results struct {
	// RWSet is the public read/write set: a marshalled TxReadWriteSet, as Fabric's peer endorses it. It is never nil. It has
	// private data as hashes.
	RWSet []byte
	// PrivateRWSet is what the transaction wrote to collections: a marshalled TxPvtReadWriteSet. Only some may see it. It is
	// nil if the transaction wrote nothing to collections.
	PrivateRWSet []byte
}

// TransactionOf returns a transaction to be committed: what was run on a simulator, under its ID and its time. Like
// ResultsOf it must be called once, before Done, and sim may be wrapped.
func TransactionOf(ctx context.Context, sim ledger.Simulator, txID string, at time.Time) (Transaction, error) {
	r, err := ResultsOf(ctx, sim)
	if err != nil {
		return Transaction{}, err
	}
	return Transaction{TxID: txID, Timestamp: at, RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet}, nil
}

// ResultsOf returns what a transaction has read and written. sim is a *Simulator that a Ledger has made, or wraps one
// in the way that ledger.Unwrap describes. It must be called once, before Done.
func ResultsOf(ctx context.Context, sim ledger.Simulator) (*Results, error) {
	s, ok := ledger.Unwrap(sim).(*Simulator)
	if !ok {
		return nil, errors.Errorf("a %T is no simulator of this kind of ledger, and wraps none", sim)
	}
	return s.Results(ctx)
}

// Results returns what the transaction has read and written. It must be called once, before Done. A transaction may
// have read millions of keys, and written hundreds of megabytes, which take seconds to be sorted, hashed and encoded. So it
// stops when ctx ends. Then there are no results any more.
func (s *Simulator) Results(ctx context.Context) (*Results, error) {
	switch {
	case s.view.closed:
		return nil, errDone
	case s.past.resulted:
		return nil, errResults
	}
	s.past.resulted = true
	public := &pb.TxReadWriteSet{DataModel: pb.TxReadWriteSet_KV}
	var private []*pb.NsPvtReadWriteSet
	slices.SortFunc(s.notes.namespaces, func(a, b *namespaceSet) int { return cmp.Compare(a.name, b.name) })
	for _, set := range s.notes.namespaces {
		ns, nsPrivate, err := set.results(ctx)
		if err != nil {
			return nil, errors.Wrapf(err, "marshal read/write set of namespace %q", shown(set.name))
		}
		if len(ns.Rwset) > 0 || len(ns.CollectionHashedRwset) > 0 {
			public.NsRwset = append(public.NsRwset, ns)
		}
		if nsPrivate != nil {
			private = append(private, nsPrivate)
		}
	}
	b, err := marshal(public)
	if err != nil {
		return nil, errors.Wrap(err, "marshal read/write set")
	}
	results := &Results{RWSet: b}
	if len(private) > 0 {
		all := &pb.TxPvtReadWriteSet{DataModel: pb.TxReadWriteSet_KV, NsPvtRwset: private}
		if results.PrivateRWSet, err = marshal(all); err != nil {
			return nil, errors.Wrap(err, "marshal private read/write set")
		}
	}
	return results, nil
}

// results returns the namespace's part of the public read/write set, and of the private one if there is one.
func (n *namespaceSet) results(ctx context.Context) (*pb.NsReadWriteSet, *pb.NsPvtReadWriteSet, error) {
	b, err := n.marshal(ctx)
	if err != nil {
		return nil, nil, err
	}
	ns := &pb.NsReadWriteSet{Namespace: n.name, Rwset: b}
	if n.rare == nil {
		return ns, nil, nil
	}
	private, err := n.rare.collectionResults(ctx, ns)
	return ns, private, err
}

// marshal returns the namespace's KVRWSet, which is empty if nothing was noted.
func (n *namespaceSet) marshal(ctx context.Context) ([]byte, error) {
	kv := new(pb.KVRWSet)
	reads, err := n.reads.sorted(ctx)
	if err != nil {
		return nil, err
	}
	for i, r := range reads {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		kv.Reads = append(kv.Reads, &pb.KVRead{Key: r.key, Version: r.value.proto()})
	}
	writes, err := n.writes.sorted(ctx)
	if err != nil {
		return nil, err
	}
	for i, w := range writes {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		kv.Writes = append(kv.Writes, &pb.KVWrite{Key: w.key, IsDelete: w.value == nil, Value: w.value})
	}
	if n.rare != nil {
		if kv.MetadataWrites, err = metadataWrites(ctx, &n.rare.metadata); err != nil {
			return nil, err
		}
	}
	if kv.RangeQueriesInfo, err = n.rangeQueries(ctx); err != nil {
		return nil, err
	}
	return marshalKVRWSet(ctx, kv)
}

func metadataWrites(ctx context.Context, of *noted[metadata]) ([]*pb.KVMetadataWrite, error) {
	all, err := of.sorted(ctx)
	if err != nil {
		return nil, err
	}
	var writes []*pb.KVMetadataWrite
	for i, m := range all {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		writes = append(writes, &pb.KVMetadataWrite{Key: m.key, Entries: m.value})
	}
	return writes, nil
}

// rangeQueries returns the ranges that were read, in the order in which they were opened. Of ranges with the same bounds
// only the first one is returned, because they read the same snapshot. A range that was never read has seen nothing, and is
// left out.
func (n *namespaceSet) rangeQueries(ctx context.Context) ([]*pb.RangeQueryInfo, error) {
	type bounds struct {
		start, end string
		exhausted  bool
	}
	var infos []*pb.RangeQueryInfo
	seen := make(map[bounds]bool, len(n.ranges))
	for i, it := range n.ranges {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		if !it.pulled {
			continue
		}
		info, err := it.info()
		if err != nil {
			return nil, err
		}
		b := bounds{info.StartKey, info.EndKey, info.ItrExhausted}
		if !seen[b] {
			seen[b] = true
			infos = append(infos, info)
		}
	}
	return infos, nil
}
