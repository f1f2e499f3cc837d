package kvledger

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"github.com/tidwall/btree"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// validation is a block that is validated at a snapshot, as Fabric's validator does: transaction by transaction,
// each against what is committed and what the valid ones before it have written.
type validation struct {
	ledger   *Ledger
	snapshot store.Snapshot
	head     store.Head // of the snapshot
	block    uint64     // number of this block

	// committed has what the store holds, for the transactions in their order: of each one its ID, and then the
	// keys that it read, public and private ones of each namespace.
	committed [][]byte
	fetched   map[string][]byte // what it holds of other keys; nil if it is absent

	definitions map[string]*definition     // of the namespaces that the block has to do with; nil is none
	txIDs       map[string]bool            // of this block, so far
	updates     *btree.Map[string, update] // by the valid transactions so far
	metadata    map[string][]byte          // by them, for the store; nil is a delete
	renewed     map[collectionKey]bool     // hashes whose metadata they wrote
	names       map[collectionKey]string   // keys of the private data that they wrote, by the hashes
	also        []store.Write              // what else is to be written: IDs, and what follows from the updates
	codes       []ValidationCode           // so far
}

// update is the last write of a key in the block.
type update struct {
	version version
	value   []byte // nil is a delete
}

// validate gives every transaction its code. The snapshot is closed when it returns.
func (l *Ledger) validate(ctx context.Context, txs []transaction) (*validation, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	v := &validation{
		ledger: l, snapshot: snapshot, head: snapshot.Head(),
		txIDs: make(map[string]bool, len(txs)), updates: btree.NewMap[string, update](0),
		metadata: map[string][]byte{}, fetched: map[string][]byte{}, definitions: map[string]*definition{},
		renewed: map[collectionKey]bool{}, names: map[collectionKey]string{},
	}
	if err := v.prefetch(ctx, txs); err != nil {
		return nil, err
	}
	for i, tx := range txs {
		at := version{v.block, uint64(i)}
		code, err := v.transaction(ctx, tx, at)
		if err != nil {
			return nil, errors.Wrapf(err, "validate transaction %q", tx.TxID)
		}
		v.codes = append(v.codes, code)
		if code != Valid {
			continue
		}
		if err := v.apply(ctx, tx, at); err != nil {
			return nil, errors.Wrapf(err, "apply transaction %q", tx.TxID)
		}
	}
	if err := v.finish(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// prefetch reads everything but ranges that the block's validation needs, in one go.
func (v *validation) prefetch(ctx context.Context, txs []transaction) error {
	var keys []string
	for _, tx := range txs {
		keys = append(keys, v.ledger.txIDKey(tx.TxID))
		for _, ns := range tx.namespaces {
			for _, r := range ns.reads {
				keys = append(keys, r.storeKey)
			}
			for _, r := range ns.hashedReads {
				keys = append(keys, r.storeKey)
			}
		}
	}
	reads := len(keys)
	keys = append(keys, v.ledger.heightKey(), v.ledger.expiresKey())
	for _, tx := range txs {
		keys = v.appendOthers(keys, tx)
	}
	values, err := v.snapshot.GetMany(ctx, keys)
	if err != nil {
		return errors.Wrap(err, "read committed versions")
	}
	v.committed = values[:reads:reads]
	for i, key := range keys[reads:] {
		v.fetched[key] = values[reads+i]
	}
	if v.block, err = decodeHeight(v.fetched[v.ledger.heightKey()]); err != nil {
		return err
	}
	return v.decodeDefinitions()
}

// decodeDefinitions makes known those whose namespaces are named.
func (v *validation) decodeDefinitions() (err error) {
	for namespace := range v.definitions {
		v.definitions[namespace], err = v.ledger.decodeDefinition(namespace, v.fetched[v.ledger.definitionKey(namespace)])
		if err != nil {
			return err
		}
	}
	return nil
}

// appendOthers appends the keys that a transaction needs besides those that it has read: definitions, what it writes
// metadata of, and what it purges of private data that this ledger was not given.
func (v *validation) appendOthers(keys []string, tx transaction) []string {
	for _, ns := range tx.namespaces {
		if _, ok := v.definitions[ns.name]; !ok {
			v.definitions[ns.name] = nil
			keys = append(keys, v.ledger.definitionKey(ns.name))
		}
		for _, m := range ns.metadata {
			keys = append(keys, m.storeKey)
		}
		for _, c := range ns.collections {
			for _, m := range c.metadata {
				keys = append(keys, m.storeKey, v.ledger.privateNameKey(ns.name, c.name, m.key))
			}
			for _, keyHash := range c.purges {
				keys = append(keys, v.ledger.privateNameKey(ns.name, c.name, keyHash))
			}
		}
	}
	return keys
}

// fetch reads more of the store, in one go.
func (v *validation) fetch(ctx context.Context, keys []string) error {
	missing := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, ok := v.fetched[key]
		return ok
	})
	if len(missing) == 0 {
		return nil
	}
	values, err := v.snapshot.GetMany(ctx, missing)
	if err != nil {
		return errors.Wrap(err, "read committed values")
	}
	for i, key := range missing {
		v.fetched[key] = values[i]
	}
	return nil
}

// take returns the next n prefetched values.
func (v *validation) take(n int) [][]byte {
	values := v.committed[:n]
	v.committed = v.committed[n:]
	return values
}

// transaction returns the code of the next transaction: the first failure decides. It notes the ID if it was not used.
func (v *validation) transaction(ctx context.Context, tx transaction, at version) (ValidationCode, error) {
	code, used := tx.code, v.take(1)[0] != nil || v.txIDs[tx.TxID]
	if used {
		code = DuplicateTxID
	}
	v.txIDs[tx.TxID] = true
	for _, ns := range tx.namespaces {
		committed := v.take(len(ns.reads) + len(ns.hashedReads)) // also those of a transaction that has failed
		if code != Valid {
			continue
		}
		var err error
		if code, err = v.namespace(ctx, ns, committed); err != nil {
			return code, err
		}
	}
	if !used { // whatever the code is, also if it is the caller's DuplicateTxID
		v.also = append(v.also, store.Write{Key: v.ledger.txIDKey(tx.TxID), Value: encodeTxID(at, code)})
	}
	return code, nil
}

// namespace validates what a transaction read in one namespace, given what is committed of the keys that it read.
func (v *validation) namespace(ctx context.Context, ns namespaceRWSet, committed [][]byte) (ValidationCode, error) {
	if unchanged, err := v.unchanged(ns.reads, committed); !unchanged || err != nil {
		return MVCCReadConflict, err
	}
	for _, info := range ns.ranges {
		if same, err := v.sameRange(ctx, ns.name, info); !same || err != nil {
			return PhantomReadConflict, err
		}
	}
	if unchanged, err := v.unchanged(ns.hashedReads, committed[len(ns.reads):]); !unchanged || err != nil {
		return MVCCReadConflict, err
	}
	return Valid, nil
}

// unchanged says whether reads would read the same now. A key that the block has written before is changed, also
// when it was deleted and absent already.
func (v *validation) unchanged(reads []read, committed [][]byte) (bool, error) {
	for i, r := range reads {
		if _, written := v.updates.Get(r.storeKey); written {
			return false, nil
		}
		now, _, err := decodeValue(committed[i])
		if err != nil || now != r.version {
			return false, err
		}
	}
	return true, nil
}
