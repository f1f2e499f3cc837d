package kvledger

import (
	"context"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// metadata is all metadata that a key has, by name. An empty one deletes what the key had.
type metadata []*pb.KVMetadataEntry

// GetStateMetadata implements ledger.MetadataState. It notes the version that was read, as GetState does.
func (s *Simulator) GetStateMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if err := checkReadKey(key); err != nil {
		return nil, err
	}
	v, m, err := s.view.readMetadata(ctx, s.view.ledger.keys.stateKey(namespace, key), s.view.ledger.keys.metadataKey(namespace, key))
	if err != nil {
		return nil, errors.Wrapf(err, "read metadata of key %q", shown(key))
	}
	set.reads.set(key, v)
	return m, nil
}

// SetStateMetadata implements ledger.MetadataState. It refuses the keys that SetState refuses. If the key is not there when
// the transaction is committed, nothing happens, as in Fabric.
func (s *Simulator) SetStateMetadata(_ context.Context, namespace, key string, m map[string][]byte) error {
	set, err := s.namespace(namespace)
	if err != nil {
		return err
	}
	if err := s.beforeWrite(namespace, "", key); err != nil {
		return err
	}
	sorted, err := sortMetadata(m)
	if err != nil {
		return err
	}
	set.needRare().metadata.set(key, sorted)
	return nil
}

// sortMetadata returns metadata in the order that a read/write set has: by name.
func sortMetadata(m map[string][]byte) (metadata, error) {
	var sorted metadata
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !utf8.ValidString(name) {
			return nil, errors.Errorf("invalid metadata name [%x], must be a UTF-8 string", shown(name))
		}
		sorted = append(sorted, &pb.KVMetadataEntry{Name: name, Value: m[name]})
	}
	return sorted, nil
}

// encodeMetadata returns what the store holds for metadata, or nil if there is none.
func encodeMetadata(m metadata) ([]byte, error) {
	if len(m) == 0 {
		return nil, nil
	}
	b, err := marshal(&pb.KVMetadataWrite{Entries: m})
	if err != nil {
		return nil, errors.Wrap(err, "marshal metadata")
	}
	return b, nil
}

// decodeMetadata decodes what encodeMetadata has encoded.
func decodeMetadata(b []byte) (map[string][]byte, error) {
	var stored pb.KVMetadataWrite
	if err := proto.Unmarshal(b, &stored); err != nil {
		return nil, errors.Wrap(err, "decode metadata")
	}
	m := make(map[string][]byte, len(stored.Entries))
	for _, e := range stored.Entries {
		m[e.Name] = e.Value
	}
	return m, nil
}
