package envelopes

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Random returns blocks of random transactions, for channels that have one block already. They write few keys, often, also privately,
// and change who must endorse them, in both chaincodes. Any of the peers and the client have endorsed them, and some have the ID of
// another one in the block. So most blocks have all codes that are about endorsements and conflicts, and nobody has said which.
func Random(cfg Config, r *rand.Rand, blocks int) ([][][]byte, error) {
	if err := cfg.check(); err != nil {
		return nil, errors.WithMessage(err, "make random blocks")
	}
	t := &table{cfg: cfg, salt: hex.EncodeToString(random(8))}
	all := make([][][]byte, blocks)
	for i := range all {
		var nonce []byte
		deletes := r.IntN(2) == 0
		for range 1 + r.IntN(6) {
			all[i] = append(all[i], t.envelope("random", t.randomly(r, i+1, deletes), func(d *draft) {
				if nonce != nil && r.IntN(8) == 0 {
					d.creator.Nonce = nonce
				}
				nonce = d.creator.GetNonce()
			}))
		}
	}
	if t.err != nil {
		return nil, errors.WithMessage(t.err, "make random blocks")
	}
	return all, nil
}

// randomly makes a transaction of the block of a number do something. It deletes keys, or sets their metadata: a peer of Fabric panics
// if a transaction sets only the metadata of a key that one before it in the block has deleted.
func (t *table) randomly(r *rand.Rand, block int, deletes bool) change {
	return func(d *draft) {
		if r.IntN(3) == 0 {
			of(t.cfg.Either)(d)
		}
		set := &randomSet{table: t, r: r, block: block, deletes: deletes, seen: map[string]bool{}, collections: map[string]*pb.HashedRWSet{}}
		for range r.IntN(4) {
			set.add()
		}
		var collections []collectionSet
		for _, name := range set.names {
			collections = append(collections, collectionSet{name, set.collections[name]})
		}
		rwset(&set.public, collections...)(d)
		d.endorsers = nil
		for _, who := range r.Perm(4)[:r.IntN(5)] {
			d.endorsers = append(d.endorsers, []identity.Signer{t.cfg.Peer1, t.cfg.Peer2, t.cfg.Client, wordy(t.cfg.Peer1)}[who])
		}
	}
}

// randomSet is what a random transaction reads and writes. It has nothing twice, as those of simulators.
type randomSet struct {
	table   *table
	r       *rand.Rand
	block   int
	deletes bool
	seen    map[string]bool

	public      pb.KVRWSet
	names       []string // of the collections, in their order
	collections map[string]*pb.HashedRWSet
}

// add adds a read or a write.
func (s *randomSet) add() {
	kind, k := s.r.IntN(8), fmt.Sprintf("%s/random/%d", s.table.salt, s.r.IntN(4))
	collection := ""
	if kind >= 4 {
		collection = []string{SharedCollection, FirstCollection, "_implicit_org_" + s.table.cfg.Peer2.MSPID(), "undefined"}[min(s.r.IntN(10)/3, 3)]
	}
	id := fmt.Sprint(kind, collection, k)
	if metadata := kind == 3 || kind == 7; s.seen[id] || metadata && s.deletes {
		return
	}
	s.seen[id] = true
	if collection != "" {
		s.addPrivate(kind, collection, k)
		return
	}
	switch kind {
	case 0:
		s.public.Reads = append(s.public.Reads, &pb.KVRead{Key: k, Version: s.version()})
	case 1, 2:
		if id := "written " + k; !s.seen[id] {
			s.seen[id] = true
			s.public.Writes = append(s.public.Writes, &pb.KVWrite{Key: k, Value: []byte("v"), IsDelete: s.deletes && s.r.IntN(3) == 0})
		}
	case 3:
		s.public.MetadataWrites = append(s.public.MetadataWrites, &pb.KVMetadataWrite{Key: k, Entries: s.parameter()})
	}
}

func (s *randomSet) addPrivate(kind int, collection, k string) {
	set := s.collections[collection]
	if set == nil {
		set = &pb.HashedRWSet{}
		s.collections[collection] = set
		s.names = append(s.names, collection)
	}
	switch kind {
	case 4:
		set.HashedReads = append(set.HashedReads, &pb.KVReadHash{KeyHash: hashed(k), Version: s.version()})
	case 5, 6:
		if id := "written " + collection + k; !s.seen[id] {
			s.seen[id] = true
			w := &pb.KVWriteHash{KeyHash: hashed(k), ValueHash: hashed("v")}
			if s.deletes && s.r.IntN(3) == 0 {
				w.IsDelete, w.ValueHash = true, nil
			}
			set.HashedWrites = append(set.HashedWrites, w)
		}
	case 7:
		set.MetadataWrites = append(set.MetadataWrites, &pb.KVMetadataWriteHash{KeyHash: hashed(k), Entries: s.parameter()})
	}
}

// version is one that may be right.
func (s *randomSet) version() *pb.Version {
	if s.r.IntN(3) == 0 {
		return nil
	}
	back := uint64(s.r.IntN(min(s.block, 4))) //nolint:gosec // it is small
	return &pb.Version{BlockNum: uint64(s.block) - back, TxNum: uint64(s.r.IntN(3))}
}

// parameter is a policy, or none.
func (s *randomSet) parameter() []*pb.KVMetadataEntry {
	org1, org2 := s.table.cfg.Peer1.MSPID(), s.table.cfg.Peer2.MSPID()
	return [][]*pb.KVMetadataEntry{
		nil, s.table.signedBy(org1), s.table.signedBy(org2), s.table.signedBy(org1, org2), {{Name: "NOTE", Value: []byte("n")}},
	}[s.r.IntN(5)]
}
