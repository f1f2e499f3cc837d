package kvledger

import (
	"context"

	"github.com/pkg/errors"
)

// KeyState is what is committed of a key.
type KeyState struct {
	Value []byte
	// Version is the version of the transaction that last wrote the value or the metadata.
	Version Version
	// Metadata is the key's metadata, by name. It is empty if there is none.
	Metadata map[string][]byte
}

// KeyState returns what is committed of a key, or nil if the key is absent. The caller must not modify it. It is meant for
// people who look at a ledger. Chaincode uses a simulator.
func (l *Ledger) KeyState(ctx context.Context, namespace, key string) (*KeyState, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := snapshot.GetMany(ctx, []string{l.keys.stateKey(namespace, key), l.keys.metadataKey(namespace, key)})
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", shown(key))
	}
	at, value, err := decodeValue(b[0])
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", shown(key))
	}
	if !at.present {
		return nil, nil
	}
	m, err := decodeMetadata(b[1])
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", shown(key))
	}
	return &KeyState{Value: value, Version: Version{at.block, at.tx}, Metadata: m}, nil
}

// PrivateKeyState is what is committed of a key of a collection of private data.
type PrivateKeyState struct {
	// Hash is the SHA-256 of the value, which every peer has.
	Hash []byte
	// Version is the version of the transaction that last wrote the hash or the metadata.
	Version Version
	// Metadata is the key's metadata, by name. It is empty if there is none.
	Metadata map[string][]byte
	// HasValue says that this ledger has the value that the hash is of. It may never have been given it.
	HasValue bool
	// Value is that value. If this ledger has only an older value, Value is nil.
	Value []byte
}

// PrivateKeyState returns what is committed of a key of a collection, or nil if the key is absent. The caller must not
// modify it. It doesn't ask who may see the value. Like KeyState, it is meant for people who look at a ledger.
func (l *Ledger) PrivateKeyState(ctx context.Context, namespace, collection, key string) (*PrivateKeyState, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	keyHash := hash(key)
	b, err := snapshot.GetMany(ctx, []string{
		l.keys.hashKey(namespace, collection, keyHash), l.keys.hashMetadataKey(namespace, collection, keyHash),
		l.keys.privateKey(namespace, collection, key),
	})
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", shown(key))
	}
	s, err := decodePrivateKeyState(b[0], b[1], b[2])
	if err != nil {
		return nil, errors.Wrapf(err, "read private key %q", shown(key))
	}
	return s, nil
}

// decodePrivateKeyState decodes what the store holds of a key of private data. Nil bytes mean that it holds nothing.
func decodePrivateKeyState(hashed, metadata, private []byte) (*PrivateKeyState, error) {
	at, valueHash, err := decodeValue(hashed)
	if err != nil || !at.present {
		return nil, err
	}
	s := &PrivateKeyState{Hash: valueHash, Version: Version{at.block, at.tx}}
	if s.Metadata, err = decodeMetadata(metadata); err != nil {
		return nil, err
	}
	written, value, err := decodeValue(private)
	if err != nil {
		return nil, err
	}
	if written == at {
		s.HasValue, s.Value = true, value
	}
	return s, nil
}
