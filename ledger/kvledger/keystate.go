package kvledger

import (
	"context"

	"github.com/pkg/errors"
)

// KeyState is what is committed of a key.
type KeyState struct {
	Value []byte
	// Version is that of the transaction that wrote the value, or the metadata after it.
	Version Version
	// Metadata is the key's, by name; it is empty if there is none.
	Metadata map[string][]byte
}

// KeyState returns what is committed of a key, or nil if it is absent. The caller must not modify it. For chaincode there
// are simulators: this is for people who look at a ledger.
func (l *Ledger) KeyState(ctx context.Context, namespace, key string) (*KeyState, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := snapshot.GetMany(ctx, []string{l.keys.stateKey(namespace, key), l.keys.metadataKey(namespace, key)})
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", key)
	}
	at, value, err := decodeValue(b[0])
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", key)
	}
	if !at.present {
		return nil, nil
	}
	m, err := decodeMetadata(b[1])
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", key)
	}
	return &KeyState{Value: value, Version: Version{at.block, at.tx}, Metadata: m}, nil
}
