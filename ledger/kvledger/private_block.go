package kvledger

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// PrivateDataOf returns the private data that the valid transactions of a block have written, by their positions, as far as a
// ledger was given it: also values that were written again since, or deleted. What is purged or has expired is gone. Of each key the
// last 64 values are kept. The read/write sets have no metadata. If a block is not committed, the error is ErrNotFound.
func PrivateDataOf(ctx context.Context, l *Ledger, block uint64) (map[uint64]*pb.TxPvtReadWriteSet, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := l.readBlock(ctx, snapshot, block)
	if err != nil {
		return nil, errors.WithMessagef(err, "read private data of block %d", block)
	}
	f := finder{keys: l.keys}
	for i := range b.Transactions {
		if err := f.want(ctx, &b.Transactions[i]); err != nil {
			return nil, errors.WithMessagef(err, "read private data of block %d", block)
		}
	}
	if err := readEach(ctx, snapshot, f.storeKeys, func(i int, stored []byte) error { return f.found(ctx, i, stored) }); err != nil {
		return nil, errors.Wrapf(err, "read private data of block %d", block)
	}
	return f.sets()
}

// finder finds the private values that belong to public hashes.
type finder struct {
	keys      keyspace
	storeKeys []string
	in        []foundIn // of each of these

	writes map[foundIn]*pb.KVRWSet
	order  []foundIn
}

// foundIn is a transaction, by its position, and a collection that it has written to.
type foundIn struct {
	position              uint64
	namespace, collection string
}

// want looks what a transaction has written to collections.
func (f *finder) want(ctx context.Context, tx *CommittedTransaction) error {
	if tx.Code != Valid || len(tx.RWSet) == 0 {
		return ctx.Err()
	}
	set := new(pb.TxReadWriteSet)
	if err := portions.Unmarshal(ctx, tx.RWSet, set); err != nil {
		return errors.Wrapf(err, "decode read/write set of transaction %d", tx.Version.Tx)
	}
	for _, ns := range set.GetNsRwset() {
		for _, c := range ns.GetCollectionHashedRwset() {
			hashed := new(pb.HashedRWSet)
			if err := portions.Unmarshal(ctx, c.GetHashedRwset(), hashed); err != nil {
				return errors.Wrapf(err, "decode hashed read/write set of transaction %d", tx.Version.Tx)
			}
			in := foundIn{tx.Version.Tx, ns.GetNamespace(), c.GetCollectionName()}
			for _, w := range hashed.GetHashedWrites() {
				of := collectionKey{in.namespace, in.collection, string(w.GetKeyHash())}
				f.storeKeys = append(f.storeKeys, f.keys.pastValueKey(of, version{tx.Version.Block, tx.Version.Tx}))
				f.in = append(f.in, in)
			}
		}
	}
	return nil
}

// found is given what the store has of a value, or nil.
func (f *finder) found(ctx context.Context, i int, stored []byte) error {
	if stored == nil {
		return ctx.Err()
	}
	p, err := decodePastValue(stored)
	if err != nil {
		return err
	}
	if f.writes == nil {
		f.writes = map[foundIn]*pb.KVRWSet{}
	}
	set := f.writes[f.in[i]]
	if set == nil {
		set = &pb.KVRWSet{}
		f.writes[f.in[i]] = set
		f.order = append(f.order, f.in[i])
	}
	set.Writes = append(set.Writes, &pb.KVWrite{Key: p.key, Value: p.value, IsDelete: p.value == nil})
	return nil
}

// sets are what was found.
func (f *finder) sets() (map[uint64]*pb.TxPvtReadWriteSet, error) {
	if len(f.order) == 0 {
		return nil, nil
	}
	all := map[uint64]*pb.TxPvtReadWriteSet{}
	for _, in := range f.order {
		slices.SortFunc(f.writes[in].Writes, func(a, b *pb.KVWrite) int { return strings.Compare(a.GetKey(), b.GetKey()) })
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(f.writes[in])
		if err != nil {
			return nil, errors.Wrap(err, "marshal private read/write set")
		}
		set := all[in.position]
		if set == nil {
			set = &pb.TxPvtReadWriteSet{}
			all[in.position] = set
		}
		last := len(set.NsPvtRwset) - 1
		if last < 0 || set.NsPvtRwset[last].GetNamespace() != in.namespace {
			set.NsPvtRwset = append(set.NsPvtRwset, &pb.NsPvtReadWriteSet{Namespace: in.namespace})
			last++
		}
		ns := set.NsPvtRwset[last]
		ns.CollectionPvtRwset = append(ns.CollectionPvtRwset, &pb.CollectionPvtReadWriteSet{CollectionName: in.collection, Rwset: b})
	}
	return all, nil
}
