package kvledger

import (
	"cmp"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Results is what a transaction read and wrote.
type Results struct {
	// RWSet is the public read/write set: a marshalled TxReadWriteSet, as Fabric's peer endorses it. Equal
	// simulations have equal bytes. It is never nil.
	RWSet []byte
}

// Results returns what the transaction has read and written. It must be called once, before Done.
func (s *Simulator) Results() (*Results, error) {
	switch {
	case s.done:
		return nil, errDone
	case s.resulted:
		return nil, errResults
	}
	s.resulted = true
	rwset := &pb.TxReadWriteSet{DataModel: pb.TxReadWriteSet_KV}
	slices.SortFunc(s.namespaces, func(a, b *namespaceSet) int { return cmp.Compare(a.name, b.name) })
	for _, set := range s.namespaces {
		b, err := set.marshal()
		if err != nil {
			return nil, errors.Wrapf(err, "marshal read/write set of namespace %q", set.name)
		}
		if len(b) > 0 {
			rwset.NsRwset = append(rwset.NsRwset, &pb.NsReadWriteSet{Namespace: set.name, Rwset: b})
		}
	}
	b, err := marshal(rwset)
	if err != nil {
		return nil, errors.Wrap(err, "marshal read/write set")
	}
	return &Results{RWSet: b}, nil
}

// marshal returns the namespace's KVRWSet, which is empty if nothing was noted.
func (n *namespaceSet) marshal() ([]byte, error) {
	kv := new(pb.KVRWSet)
	for _, r := range n.reads.sorted() {
		kv.Reads = append(kv.Reads, &pb.KVRead{Key: r.key, Version: r.value.proto()})
	}
	for _, w := range n.writes.sorted() {
		kv.Writes = append(kv.Writes, &pb.KVWrite{Key: w.key, IsDelete: w.value == nil, Value: w.value})
	}
	var err error
	if kv.RangeQueriesInfo, err = n.rangeQueries(); err != nil {
		return nil, err
	}
	return marshal(kv)
}

// rangeQueries returns the ranges that were read, as they were opened. Of those with the same bounds the first one
// stands for all: they read the same snapshot. One that nothing was asked of has seen nothing.
func (n *namespaceSet) rangeQueries() ([]*pb.RangeQueryInfo, error) {
	type bounds struct {
		start, end string
		exhausted  bool
	}
	var infos []*pb.RangeQueryInfo
	seen := make(map[bounds]bool, len(n.ranges))
	for _, it := range n.ranges {
		if !it.pulled {
			continue
		}
		info, err := it.info()
		if err != nil {
			return nil, err
		}
		b := bounds{info.StartKey, info.EndKey, info.ItrExhausted}
		if !seen[b] {
			seen[b] = true
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// marshal returns bytes that are never nil, and equal for equal messages.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, m)
}
