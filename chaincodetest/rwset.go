package chaincodetest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// rwset is what a transaction has read and written, of every chaincode that took part.
type rwset struct{ namespaces []*namespaceSet }

// namespaceSet is the part of one chaincode.
type namespaceSet struct {
	name        string
	public      *pb.KVRWSet
	collections []*collectionSet
}

// collectionSet is the part of a collection. Reads are only known as hashes.
type collectionSet struct {
	name   string
	hashed *pb.HashedRWSet
	writes *pb.KVRWSet
}

// decodeRWSet decodes what a transaction has read and written.
func decodeRWSet(o outcome) (*rwset, error) {
	public, private := &pb.TxReadWriteSet{}, &pb.TxPvtReadWriteSet{}
	if err := proto.Unmarshal(o.rwset, public); err != nil {
		return nil, errors.Wrap(err, "decode read/write set")
	}
	if err := proto.Unmarshal(o.private, private); err != nil {
		return nil, errors.Wrap(err, "decode private read/write set")
	}
	s := &rwset{}
	for _, ns := range public.GetNsRwset() {
		set := &namespaceSet{name: ns.GetNamespace(), public: &pb.KVRWSet{}}
		if err := proto.Unmarshal(ns.GetRwset(), set.public); err != nil {
			return nil, errors.Wrapf(err, "decode read/write set of namespace %q", ns.GetNamespace())
		}
		for _, c := range ns.GetCollectionHashedRwset() {
			hashed := &pb.HashedRWSet{}
			if err := proto.Unmarshal(c.GetHashedRwset(), hashed); err != nil {
				return nil, errors.Wrapf(err, "decode read/write set of collection %q", c.GetCollectionName())
			}
			set.collections = append(set.collections, &collectionSet{name: c.GetCollectionName(), hashed: hashed, writes: &pb.KVRWSet{}})
		}
		s.namespaces = append(s.namespaces, set)
	}
	return s, s.addPrivate(private)
}

func (s *rwset) addPrivate(private *pb.TxPvtReadWriteSet) error {
	for _, ns := range private.GetNsPvtRwset() {
		for _, c := range ns.GetCollectionPvtRwset() {
			set := s.collection(ns.GetNamespace(), c.GetCollectionName())
			if set == nil {
				continue
			}
			if err := proto.Unmarshal(c.GetRwset(), set.writes); err != nil {
				return errors.Wrapf(err, "decode private writes of collection %q", c.GetCollectionName())
			}
		}
	}
	return nil
}

// namespace returns the part of a chaincode, which is empty if it has done nothing.
func (s *rwset) namespace(name string) *namespaceSet {
	for _, ns := range s.namespaces {
		if ns.name == name {
			return ns
		}
	}
	return &namespaceSet{name: name, public: &pb.KVRWSet{}}
}

func (s *rwset) collection(namespace, name string) *collectionSet {
	for _, c := range s.namespace(namespace).collections {
		if c.name == name {
			return c
		}
	}
	return nil
}

// write returns the write of a key, or nil.
func write(set *pb.KVRWSet, key string) *pb.KVWrite {
	for _, w := range set.GetWrites() {
		if w.GetKey() == key {
			return w
		}
	}
	return nil
}

// lines are a read/write set for people.
func (s *rwset) lines(own string) []string {
	var lines []string
	namespaces := slices.Clone(s.namespaces)
	slices.SortStableFunc(namespaces, func(a, b *namespaceSet) int { return cmp.Compare(rank(a.name, own), rank(b.name, own)) })
	for _, ns := range namespaces {
		lines = append(lines, ns.lines(ns.name != own)...)
	}
	if len(lines) == 0 {
		return []string{"reads and writes nothing"}
	}
	return lines
}

// rank puts the called chaincode before those that it has called.
func rank(name, own string) int {
	if name == own {
		return 0
	}
	return 1
}

func (n *namespaceSet) lines(named bool) []string {
	var lines []string
	prefix := ""
	if named {
		prefix = n.name + ": "
	}
	const most = 50
	for i, r := range n.public.GetReads() {
		if i == most {
			lines = append(lines, fmt.Sprintf("%sread    … and %d more keys", prefix, len(n.public.GetReads())-most))
			break
		}
		lines = append(lines, fmt.Sprintf("%sread    %s %s", prefix, showKey(r.GetKey()), showVersion(r.GetVersion())))
	}
	for _, r := range n.public.GetRangeQueriesInfo() {
		lines = append(lines, fmt.Sprintf("%srange   %s", prefix, showRange(r)))
	}
	for _, w := range n.public.GetWrites() {
		lines = append(lines, prefix+showWrite(w))
	}
	for _, m := range n.public.GetMetadataWrites() {
		lines = append(lines, fmt.Sprintf("%spolicy  %s", prefix, showKey(m.GetKey())))
	}
	for _, c := range n.collections {
		of := fmt.Sprintf("%scollection %s: ", prefix, c.name)
		if reads := len(c.hashed.GetHashedReads()); reads > 0 {
			lines = append(lines, fmt.Sprintf("%sread    %d keys, of which the set has only hashes", of, reads))
		}
		for _, w := range c.writes.GetWrites() {
			lines = append(lines, of+showWrite(w))
		}
	}
	return lines
}

func showWrite(w *pb.KVWrite) string {
	if w.GetIsDelete() {
		return "delete  " + showKey(w.GetKey())
	}
	return fmt.Sprintf("write   %s = %s", showKey(w.GetKey()), show(w.GetValue()))
}

func showVersion(v *pb.Version) string {
	if v == nil {
		return "(absent)"
	}
	return fmt.Sprintf("(of block %d)", v.GetBlockNum())
}

func showRange(r *pb.RangeQueryInfo) string {
	from, to := "the beginning", "the end"
	if r.GetStartKey() != "" && r.GetStartKey() != "\x01" { // Fabric's shims and peers put the one for the other
		from = showKey(r.GetStartKey())
	}
	if r.GetEndKey() != "" && r.GetEndKey() != "\U0010ffff" {
		to = showKey(r.GetEndKey())
	}
	return fmt.Sprintf("from %s to %s", from, to)
}

// keyOf returns the key of the collection that has a hash, or the hash in hexadecimal if nobody has said the key.
func (c *collectionSet) keyOf(hash []byte) string {
	for _, w := range c.writes.GetWrites() {
		if h := sha256.Sum256([]byte(w.GetKey())); bytes.Equal(h[:], hash) {
			return w.GetKey()
		}
	}
	return hex.EncodeToString(hash)
}
