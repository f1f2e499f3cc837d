package kvledger

import (
	"context"

	"github.com/pkg/errors"
	"github.com/tidwall/btree"

	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// validation is a block that is validated at a snapshot, as Fabric's validator does it.
//
// The idea: a transaction was simulated some time ago, possibly on another peer. For everything that it read, it says which
// version it saw. If each of those versions is still the newest one, then running the transaction now would read the same,
// and so write the same. Its writes are as good as new. If one version has changed, the writes may be wrong, and are
// dropped.
//
// "Now" is a moment within the block. It is what was committed before the block, and on top of it what the valid
// transactions before this one have written. So transactions are judged one after the other. Each valid one adds its writes
// to the effects at once, where the next ones find them. Invalid transactions leave no trace but their ID.
//
// It has two parts: what is committed, which is only read, and the effects, which become the store's batch.
type validation struct {
	committed committed
	effects   effects

	txIDs map[string]bool  // of this block, so far; true is used up
	codes []ValidationCode // so far

	commitHash []byte // of the block, once all have their codes
}

// validate gives every transaction its code. The snapshot is closed when it returns.
func (l *Ledger) validate(ctx context.Context, in *incoming) (*validation, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	v := &validation{
		committed: committed{
			keys: l.keys, decoder: &l.provider.definitions, snapshot: snapshot, head: snapshot.Head(),
			fetched: map[string][]byte{}, definitions: map[string]*definition{},
		},
		effects: effects{
			updates: btree.NewMap[string, update](0), metadata: map[string][]byte{},
			renewed: map[collectionKey]bool{}, names: map[collectionKey]string{},
			past: map[collectionKey]pastList{}, pastValues: map[string][]byte{},
		},
		txIDs: make(map[string]bool, len(in.txs)),
	}
	v.effects.committed = &v.committed
	if err := v.committed.prefetch(ctx, in.txs); err != nil {
		return nil, err
	}
	if err := in.check(v.committed.tip); err != nil {
		return nil, err
	}
	for i, tx := range in.txs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := v.transaction(ctx, tx, version{v.committed.block, uint64(i)}); err != nil {
			return nil, err
		}
	}
	v.commitHash = v.hashCommit() // before what expires is added: as in Fabric, it is no part of it
	if err := v.effects.finish(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// transaction judges the next transaction, and applies it if it is valid.
func (v *validation) transaction(ctx context.Context, tx transaction, at version) error {
	code, err := v.judge(ctx, tx, at)
	if err != nil {
		return errors.Wrapf(err, "validate transaction %q", shown(tx.TxID))
	}
	v.codes = append(v.codes, code)
	if code != Valid {
		return nil
	}
	if err := v.effects.apply(ctx, tx, at); err != nil {
		return errors.Wrapf(err, "apply transaction %q", shown(tx.TxID))
	}
	return nil
}

// judge returns the code of the next transaction. The first failure decides.
//
// An ID is used up by each transaction of an earlier block. In its own block a transaction that the caller has found invalid
// doesn't use up its ID: Fabric compares the IDs of those that are left (core/committer/txvalidator/v20, markTXIdDuplicates).
func (v *validation) judge(ctx context.Context, tx transaction, at version) (ValidationCode, error) {
	code, before := tx.code, v.committed.take(1)[0] != nil
	used, known := v.txIDs[tx.TxID]
	if tx.Code == Valid && !tx.config && (before || used && code == Valid) { // nobody compares a configuration's ID
		code = DuplicateTxID
	}
	indexed := isTxID(tx.TxID)
	if indexed {
		v.txIDs[tx.TxID] = used || code == Valid
	}
	for _, ns := range tx.namespaces {
		// They are taken even if the transaction has failed already, because those that follow come after them.
		committed := v.committed.take(len(ns.reads) + len(ns.hashedReads))
		if code != Valid {
			continue
		}
		var err error
		if code, err = v.namespace(ctx, ns, committed); err != nil {
			return code, err
		}
	}
	if indexed && !before && !known { // the first one is found by its ID, valid or not
		v.effects.write(v.committed.keys.txIDKey(tx.TxID), encodeTxID(at, code))
	}
	return code, nil
}

// namespace validates what a transaction read in one namespace, given what is committed of the keys that it read.
func (v *validation) namespace(ctx context.Context, ns namespaceRWSet, committed [][]byte) (ValidationCode, error) {
	if unchanged, err := v.unchanged(ctx, ns.reads, committed); !unchanged || err != nil {
		return MVCCReadConflict, err
	}
	for _, info := range ns.ranges {
		if same, err := v.sameRange(ctx, ns.name, info); !same || err != nil {
			return PhantomReadConflict, err
		}
	}
	if unchanged, err := v.unchanged(ctx, ns.hashedReads, committed[len(ns.reads):]); !unchanged || err != nil {
		return MVCCReadConflict, err
	}
	return Valid, nil
}

// unchanged reports whether reads would read the same now. A key that the block has written before counts as changed, even
// if it was deleted and had been absent already.
func (v *validation) unchanged(ctx context.Context, reads []read, committed [][]byte) (bool, error) {
	for i, r := range reads {
		if err := portions.Look(ctx, i); err != nil {
			return false, err
		}
		if _, written := v.effects.updates.Get(r.storeKey); written {
			return false, nil
		}
		now, _, err := decodeValue(committed[i])
		if err != nil || now != r.version {
			return false, err
		}
	}
	return true, nil
}

// writes returns what the store writes for a validated block.
func (v *validation) writes(ctx context.Context, txs []transaction, link *link) ([]store.Write, error) {
	keys, block := v.committed.keys, v.committed.block
	// Most updates are of public keys, each of which has an entry in the history.
	writes := make([]store.Write, 0, 2*v.effects.updates.Len()+len(v.effects.metadata)+len(v.effects.also)+4)
	header, err := headerWrite(keys, link.header, link.metadata)
	if err != nil {
		return nil, err
	}
	writes = append(writes, header,
		store.Write{Key: keys.heightKey(), Value: link.tip.encode()},
		store.Write{Key: keys.blockHashKey(link.tip.hash), Value: []byte(bigEndian(block))})
	writes = v.effects.appendWrites(writes)
	writes = append(writes, partWrites(keys, block, txs, v.codes)...)
	for i, tx := range txs {
		if v.codes[i] != Valid {
			continue
		}
		history, err := modifications(ctx, keys, tx, version{block, uint64(i)})
		if err != nil {
			return nil, err
		}
		writes = append(writes, history...)
	}
	return writes, nil
}
