package kvledger

import (
	"context"

	"github.com/pkg/errors"
)

// KeyMetadata returns the metadata that is committed of a key, by name, such as the policy of a key that a committer must know.
// It is empty if there is none. The caller must not modify it.
//
// It costs nothing if no block with metadata was ever committed, as far as this Provider has seen. It has seen what it committed
// itself, and all that was there at the last Height or Info. So if other processes commit to the store, too, ask for the height
// first.
func (l *Ledger) KeyMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error) {
	m, err := l.readMetadata(ctx, l.keys.metadataKey(namespace, key))
	return m, errors.WithMessagef(err, "read metadata of key %q", shown(key))
}

// PrivateKeyMetadata returns the metadata that is committed of a key of a collection. keyHash is the key's SHA-256. Everything
// else is as with KeyMetadata.
func (l *Ledger) PrivateKeyMetadata(ctx context.Context, namespace, collection string, keyHash []byte) (map[string][]byte, error) {
	m, err := l.readMetadata(ctx, l.keys.hashMetadataKey(namespace, collection, string(keyHash)))
	return m, errors.WithMessagef(err, "read metadata of private key with the hash %x", shown(string(keyHash)))
}

func (l *Ledger) readMetadata(ctx context.Context, storeKey string) (map[string][]byte, error) {
	if !l.provider.tips.mayHaveMetadata(l.keys.channelID) {
		return nil, nil
	}
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := snapshot.Get(ctx, storeKey)
	if b == nil || err != nil {
		return nil, err
	}
	return decodeMetadata(b)
}
