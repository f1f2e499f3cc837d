package kvledger

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// PrivateDataOf returns the private data that the valid transactions of a block have written, by their positions, as far as a
// ledger still has it: values that were not written again since, or deleted, or purged, or expired. Of each collection it has a
// marshalled KVRWSet. If a block is not committed, the error is ErrNotFound.
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
	if len(f.wanted) == 0 {
		return nil, nil
	}
	names := make([]string, len(f.wanted))
	for i, w := range f.wanted {
		names[i] = l.keys.privateNameKey(w.namespace, w.collection, w.keyHash)
	}
	found, err := snapshot.GetMany(ctx, names)
	if err != nil {
		return nil, errors.Wrapf(err, "read names of the private data of block %d", block)
	}
	f.name(found)
	err = readEach(ctx, snapshot, f.valueKeys, func(i int, stored []byte) error { return f.found(ctx, i, stored) })
	if err != nil {
		return nil, errors.Wrapf(err, "read private data of block %d", block)
	}
	return f.sets()
}

// finder finds the private values that belong to public hashes. Whatever has the hash is what was written, also if a later transaction
// has written the same again.
type finder struct {
	keys   keyspace
	wanted []wantedPrivate

	named     []wantedPrivate // those whose key is known
	valueKeys []string        // of these
	writes    map[foundIn]*pb.KVRWSet
	order     []foundIn
}

// wantedPrivate is a private value of which the hash is known.
type wantedPrivate struct {
	foundIn
	keyHash, valueHash string
	key                string
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
				if !isHashedDelete(w) {
					f.wanted = append(f.wanted, wantedPrivate{foundIn: in, keyHash: string(w.GetKeyHash()), valueHash: string(w.GetValueHash())})
				}
			}
		}
	}
	return nil
}

// name is given the keys of the wanted values, or nil.
func (f *finder) name(keys [][]byte) {
	for i, key := range keys {
		if key != nil {
			w := f.wanted[i]
			w.key = string(key)
			f.named = append(f.named, w)
			f.valueKeys = append(f.valueKeys, f.keys.privateKey(w.namespace, w.collection, w.key))
		}
	}
}

// found is given what the store has of a value.
func (f *finder) found(ctx context.Context, i int, stored []byte) error {
	w := f.named[i]
	_, value, err := decodeValue(stored)
	if err != nil {
		return err
	}
	if value == nil || !isHashOf(ctx, []byte(w.valueHash), value) {
		return ctx.Err()
	}
	if f.writes == nil {
		f.writes = map[foundIn]*pb.KVRWSet{}
	}
	set := f.writes[w.foundIn]
	if set == nil {
		set = &pb.KVRWSet{}
		f.writes[w.foundIn] = set
		f.order = append(f.order, w.foundIn)
	}
	set.Writes = append(set.Writes, &pb.KVWrite{Key: w.key, Value: value})
	return nil
}

// sets are what was found.
func (f *finder) sets() (map[uint64]*pb.TxPvtReadWriteSet, error) {
	all := map[uint64]*pb.TxPvtReadWriteSet{}
	for _, in := range f.order {
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
