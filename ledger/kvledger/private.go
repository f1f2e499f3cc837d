package kvledger

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// collectionSet is what was read and written in one collection. Ranges and rich queries leave no trace, as in Fabric.
type collectionSet struct {
	reads    noted[readVersion]
	writes   noted[privateWrite]
	metadata noted[metadata]
}

type privateWrite struct {
	value []byte // nil is a delete
	purge bool   // a delete of earlier values too
}

// GetPrivateData implements ledger.PrivateState. It notes the version that was read, by the key's hash. It fails if
// the value that this ledger has is not of the version that the hash is of: whoever committed the block did not have
// the private data of the transaction that wrote it.
func (s *Simulator) GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	b, err := s.snapshot.GetMany(ctx, []string{
		s.ledger.privateKey(namespace, collection, key), s.ledger.hashKey(namespace, collection, hash(key)),
	})
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", key)
	}
	v, value, err := decodeValue(b[0])
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", key)
	}
	hashed, _, err := decodeValue(b[1])
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", key)
	}
	if v != hashed {
		return nil, errors.Errorf("private data matching public hash version is not available. "+
			"Public hash version = %s, Private data version = %s", hashed, v)
	}
	set.reads.set(key, v)
	return value, nil
}

// GetPrivateDataHash implements ledger.PrivateState. It notes what GetPrivateData notes.
func (s *Simulator) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	b, err := s.snapshot.Get(ctx, s.ledger.hashKey(namespace, collection, hash(key)))
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", key)
	}
	v, value, err := decodeValue(b)
	if err != nil {
		return nil, errors.Wrapf(err, "read hash of private key %q", key)
	}
	set.reads.set(key, v)
	return value, nil
}

// SetPrivateData implements ledger.PrivateState. The keys that SetState refuses are refused.
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

// PurgePrivateData implements ledger.PrivateState. There is no history of private data: what is kept of it is the one
// value, which goes also if it is not of the version that the hash is of.
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

// GetPrivateDataMetadata implements ledger.PrivateMetadataState. It notes what GetPrivateData notes.
func (s *Simulator) GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error) {
	set, err := s.collection(ctx, namespace, collection, key)
	if err != nil {
		return nil, err
	}
	h := hash(key)
	valueKey, metadataKey := s.ledger.hashKey(namespace, collection, h), s.ledger.hashMetadataKey(namespace, collection, h)
	v, m, err := s.readMetadata(ctx, valueKey, metadataKey)
	if err != nil {
		return nil, errors.Wrapf(err, "read metadata of private key %q", key)
	}
	set.reads.set(key, v)
	return m, nil
}

// SetPrivateDataMetadata implements ledger.PrivateMetadataState. What SetStateMetadata says holds.
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
	set.metadata.set(key, sorted)
	return nil
}

// GetPrivateDataRange implements ledger.PrivateState. It notes nothing, is refused after a write, and makes every
// later write be refused. The values are those that this ledger has, whatever the hashes say, as in Fabric.
func (s *Simulator) GetPrivateDataRange(ctx context.Context, namespace, collection string, r ledger.Range) (ledger.Iterator, error) {
	if err := s.beforePrivateQuery(); err != nil {
		return nil, err
	}
	if _, err := s.collection(ctx, namespace, collection, r.Start); err != nil {
		return nil, err
	}
	if err := checkReadKey(r.End); err != nil {
		return nil, err
	}
	lo, hi, keyAt := s.ledger.privateRange(namespace, collection, r.Start, r.End)
	return s.openScan(scan{namespace: namespace, keyAt: keyAt}, lo, hi, store.ScanOptions{Fetch: usualPage}), nil
}

// collection returns what was noted of a collection so far, for a method that is given a key to go on with.
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
		if err := s.checkCollection(ctx, set, collection); err != nil {
			return nil, err
		}
		rare.collections[collection] = new(collectionSet)
	}
	return rare.collections[collection], nil
}

// checkCollection refuses collections that are not defined, if the namespace has a definition. The text is Fabric's
// (core/ledger, InvalidCollNameError): since a chaincode has implicit collections, it is never without any.
func (s *Simulator) checkCollection(ctx context.Context, set *namespaceSet, collection string) error {
	d, err := s.definition(ctx, set)
	if err != nil {
		return err
	}
	if d == nil || strings.HasPrefix(collection, implicitCollection) || d.collection(collection) != nil {
		return nil
	}
	return errors.Errorf("collection [%s] not defined in the collection config for chaincode [%s]", collection, set.name)
}

// definition returns the definition of a namespace, or nil. It reads it once.
func (s *Simulator) definition(ctx context.Context, set *namespaceSet) (*definition, error) {
	rare := set.needRare()
	if !rare.defined {
		d, err := s.ledger.definitionAt(ctx, s.snapshot, set.name)
		if err != nil {
			return nil, err
		}
		rare.definition, rare.defined = d, true
	}
	return rare.definition, nil
}

// GetCollectionConfig implements ledger.CollectionConfigs. What it returns is the caller's.
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
	own := *c // the definition is everybody's
	return &own, nil
}

// hash is how a private key or value is known in public.
func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return string(h[:])
}
