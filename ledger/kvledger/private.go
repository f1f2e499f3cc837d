package kvledger

import (
	"context"
	"crypto/sha256"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Private data is read at two places of the store. The value is at its key. Its hash, which every peer has, is at the key's
// hash. A transaction notes the version of the hash, because that is what other peers can validate. Keys become hashes only
// when the read/write set is made, so that the notes are in the order of the keys, as Fabric's are.

// GetPrivateData implements ledger.PrivateState. It notes the version that was read, by the key's hash. It fails if the
// value that this ledger has is not of the version that the hash has. Then this ledger was not given the private data of the
// transaction that wrote the hash.
func (s *Simulator) GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	b, err := s.view.snapshot.GetMany(ctx, []string{
		s.view.ledger.keys.privateKey(namespace, collection, key), s.view.ledger.keys.hashKey(namespace, collection, hash(key)),
	})
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", shown(key))
	}
	v, value, err := decodeValue(b[0])
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", shown(key))
	}
	hashed, _, err := decodeValue(b[1])
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", shown(key))
	}
	if v != hashed {
		return nil, errors.Errorf("private data matching public hash version is not available. "+
			"Public hash version = %s, Private data version = %s", hashed, v)
	}
	set.reads.set(key, v)
	set.valueRead = true
	return value, nil
}

// GetPrivateDataHash implements ledger.PrivateState. It notes the version of the hash, by the key's hash.
func (s *Simulator) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	b, err := s.view.snapshot.Get(ctx, s.view.ledger.keys.hashKey(namespace, collection, hash(key)))
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", shown(key))
	}
	v, value, err := decodeValue(b)
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", shown(key))
	}
	set.reads.set(key, v)
	return value, nil
}

// SetPrivateData implements ledger.PrivateState. It refuses the keys that SetState refuses.
func (s *Simulator) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	if len(value) == 0 {
		value = nil
	}
	return s.writePrivate(ctx, namespace, collection, key, privateWrite{value: value})
}

// DeletePrivateData implements ledger.PrivateState.
func (s *Simulator) DeletePrivateData(ctx context.Context, namespace, collection, key string) error {
	return s.writePrivate(ctx, namespace, collection, key, privateWrite{})
}

// PurgePrivateData implements ledger.PrivateState. Private data has no history. Only one value is kept, and it goes even if
// it is not of the version that the hash has.
func (s *Simulator) PurgePrivateData(ctx context.Context, namespace, collection, key string) error {
	return s.writePrivate(ctx, namespace, collection, key, privateWrite{purge: true})
}

func (s *Simulator) writePrivate(ctx context.Context, namespace, collection, key string, w privateWrite) error {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return err
	}
	if err := s.beforeWrite(namespace, collection, key); err != nil {
		return err
	}
	set.writes.set(key, w)
	return nil
}

// GetPrivateDataMetadata implements ledger.PrivateMetadataState. It notes the version of the hash, by the key's hash.
func (s *Simulator) GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	h := hash(key)
	valueKey, metadataKey := s.view.ledger.keys.hashKey(namespace, collection, h), s.view.ledger.keys.hashMetadataKey(namespace, collection, h)
	v, m, err := s.view.readMetadata(ctx, valueKey, metadataKey)
	if err != nil {
		return nil, errors.Wrapf(err, "read metadata of private key %q", shown(key))
	}
	set.reads.set(key, v)
	return m, nil
}

// SetPrivateDataMetadata implements ledger.PrivateMetadataState. It refuses the keys that SetState refuses. If the key is
// not there when the transaction is committed, nothing happens, as in Fabric. Like SetStateMetadata it charges the
// transaction for the value.
func (s *Simulator) SetPrivateDataMetadata(ctx context.Context, namespace, collection, key string, m map[string][]byte) error {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return err
	}
	if err := s.beforeWrite(namespace, collection, key); err != nil {
		return err
	}
	sorted, err := sortMetadata(m)
	if err != nil {
		return err
	}
	if !set.writes.has(key) {
		if err := s.view.chargeRewrite(ctx, s.view.ledger.keys.privateKey(namespace, collection, key)); err != nil {
			return errors.Wrapf(err, "write metadata of private key %q", shown(key))
		}
	}
	set.metadata.set(key, sorted)
	return nil
}

// GetPrivateDataRange implements ledger.PrivateState. It notes nothing. It is refused after a write, and after it every
// write is refused. The values are those that this ledger has, whatever the hashes say, as in Fabric.
func (s *Simulator) GetPrivateDataRange(ctx context.Context, namespace, collection string, r ledger.Range) (ledger.Iterator, error) {
	if s.view.closed {
		return nil, errDone
	}
	if err := s.past.beforePrivateQuery(); err != nil {
		return nil, err
	}
	if _, err := s.collection(ctx, namespace, collection, r.Start); err != nil {
		return nil, err
	}
	if err := checkReadKey(r.End); err != nil {
		return nil, err
	}
	lo, hi, keyAt := s.view.ledger.keys.privateRange(namespace, collection, r.Start, r.End)
	return s.view.openScan(scan{namespace: namespace, keyAt: keyAt}, lo, hi, store.ScanOptions{Fetch: usualPage, Reserve: true}), nil
}

// collection returns what was noted of a collection so far, for a method that is given a key and goes on with it.
func (s *Simulator) collection(ctx context.Context, namespace, collection, key string) (*collectionSet, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if err := checkName("collection name", collection); err != nil {
		return nil, err
	}
	if err := checkReadKey(key); err != nil {
		return nil, err
	}
	rare := set.needRare()
	if rare.collections[collection] == nil {
		d, err := s.definition(ctx, set)
		if err != nil {
			return nil, err
		}
		if !d.has(collection) {
			// The text is Fabric's (core/ledger, InvalidCollNameError).
			return nil, errors.Errorf("collection [%s] not defined in the collection config for chaincode [%s]", shown(collection), shown(namespace))
		}
		rare.collections[collection] = new(collectionSet)
	}
	return rare.collections[collection], nil
}

// definition returns the definition of a namespace, or nil. It reads it once.
func (s *Simulator) definition(ctx context.Context, set *namespaceSet) (*definition, error) {
	rare := set.needRare()
	if !rare.defined {
		d, err := s.view.ledger.definitionAt(ctx, s.view.snapshot, set.name)
		if err != nil {
			return nil, err
		}
		rare.definition, rare.defined = d, true
	}
	return rare.definition, nil
}

// GetCollectionConfig implements ledger.CollectionConfigs. The result belongs to the caller.
func (s *Simulator) GetCollectionConfig(ctx context.Context, namespace, collection string) (*ledger.CollectionConfig, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	d, err := s.definition(ctx, set)
	if d == nil || err != nil {
		return nil, err
	}
	c := d.collection(collection)
	if c == nil {
		return nil, nil
	}
	own := *c // everybody shares the definition
	return &own, nil
}

// hash returns the SHA-256 by which a private key or value is known in public.
func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return string(h[:])
}
