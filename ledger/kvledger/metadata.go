package kvledger

import (
	"context"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger"
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
//
// Metadata gives the value a new version, and the two are stored together. So the commit writes the whole value again, and
// the transaction is charged for it: see ledger.Charge. The value is not read for that if it is large.
func (s *Simulator) SetStateMetadata(ctx context.Context, namespace, key string, m map[string][]byte) error {
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
	if !set.writes.has(key) { // otherwise the value is the transaction's own
		if err := s.view.chargeRewrite(ctx, s.view.ledger.keys.stateKey(namespace, key)); err != nil {
			return errors.Wrapf(err, "write metadata of key %q", shown(key))
		}
	}
	set.needRare().metadata.set(key, sorted)
	return nil
}

// errSized says that the size of a value is known, and that the value itself is not needed.
var errSized = errors.New("only the size is asked for")

// sizeRoom is the ledger.Reserver of a value of which only the size is wanted.
type sizeRoom struct{ size int }

// Reserve implements ledger.Reserver.
func (r *sizeRoom) Reserve(_ context.Context, n int) error {
	r.size = n
	return errSized
}

// chargeRewrite charges the transaction for a value that the commit will write again. A store that would copy the value asks
// for room first, and so tells the size.
func (v *view) chargeRewrite(ctx context.Context, storeKey string) error {
	var room sizeRoom
	b, err := v.snapshot.Get(ledger.WithReserver(ctx, &room), storeKey)
	if err != nil && !errors.Is(err, errSized) {
		return err
	}
	return ledger.Charge(ctx, max(room.size, len(b)))
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
func encodeMetadata(ctx context.Context, m metadata) ([]byte, error) {
	if len(m) == 0 {
		return nil, nil
	}
	var all []proto.Message
	for part := range slices.Chunk(m, portionEntries) {
		all = append(all, &pb.KVMetadataWrite{Entries: part})
	}
	b, err := marshalEach(ctx, all)
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
