package envelopes

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// duplicateRows are about IDs that are used twice.
func (t *table) duplicateRows() {
	again := func(of Step) Step { return Step{Envelopes: of.Envelopes, Want: []string{duplicate}} }
	first := endorsedBy(t.cfg.Peer1)

	good := t.step("twice", valid)
	t.add("twice", good, again(good), block(again(good), again(good)))
	good = t.step("twice in a block", valid)
	t.add("twice in a block", block(good, again(good)), again(good))
	bad := t.step("invalid twice", notEndorsed, first)
	t.add("invalid twice", bad, again(bad))
	bad = t.step("invalid twice in a block", notEndorsed, first)
	t.add("invalid twice in a block", block(bad, bad))

	nonce := random(24)
	same := func(d *draft) { d.creator.Nonce = nonce }
	name := "an invalid one and a valid one with its ID in a block"
	bad, good = t.step(name, notEndorsed, first, same), t.step(name, valid, same)
	t.add(name, block(bad, good), again(good))
	name = "an invalid one and a valid one with its ID later"
	nonce = random(24)
	bad, good = t.step(name, notEndorsed, first, same), t.step(name, duplicate, same)
	t.add(name, bad, good)
	name = "a conflict and a valid one with its ID in a block"
	nonce = random(24)
	k := t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), block(t.step(name, readConflict, same, rwset(reads(k))), t.step(name, duplicate, same)))
	name = "a made-up ID twice"
	bad = t.step(name, badTxID, func(d *draft) { d.txID = "made up " + t.salt })
	t.add(name, bad, bad)
	name = "no ID, and later a valid one whose ID it would have had"
	nonce = random(24)
	bad, good = t.step(name, badTxID, same, raw(channelLayer, withoutID)), t.step(name, duplicate, same)
	t.add(name, bad, good)
}

// withoutID takes the transaction's ID out of a channel header.
func withoutID(b []byte) []byte {
	var header pb.ChannelHeader
	if proto.Unmarshal(b, &header) != nil {
		return nil
	}
	header.TxId = ""
	return marshal(&header)
}

// reads is a read of keys that weren't there.
func reads(keys ...string) *pb.KVRWSet {
	set := &pb.KVRWSet{}
	for _, k := range keys {
		set.Reads = append(set.Reads, &pb.KVRead{Key: k})
	}
	return set
}

// scans is a scan of a range that was empty.
func scans(start, end string) *pb.KVRWSet {
	return &pb.KVRWSet{RangeQueriesInfo: []*pb.RangeQueryInfo{{
		StartKey: start, EndKey: end, ItrExhausted: true, ReadsInfo: &pb.RangeQueryInfo_RawReads{RawReads: &pb.QueryReads{}},
	}}}
}

// conflictRows are about what was read, and has changed since.
func (t *table) conflictRows() {
	name := "nothing has changed"
	k := t.key(name, "k")
	t.one(name, valid, rwset(and(reads(k), scans(k, k+"~"), put(k))))

	name = "a key has changed"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), t.step(name, readConflict, rwset(and(reads(k), put(k)))))
	name = "a key has changed in the block"
	k = t.key(name, "k")
	t.add(name, block(t.step(name, valid, rwset(put(k))), t.step(name, readConflict, rwset(reads(k))), t.step(name, valid, rwset(put(k)))))
	name = "a key would have changed, by an invalid one"
	k = t.key(name, "k")
	t.add(name, block(t.step(name, notEndorsed, rwset(put(k)), endorsedBy(t.cfg.Peer1)), t.step(name, valid, rwset(reads(k)))))
	name = "a key was there"
	k = t.key(name, "k")
	t.one(name, readConflict, rwset(&pb.KVRWSet{Reads: []*pb.KVRead{{Key: k, Version: &pb.Version{BlockNum: 1}}}}))
	name = "a hash has changed"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(&pb.KVRWSet{}, putPrivate(SharedCollection, k))), t.step(name, readConflict, rwset(&pb.KVRWSet{},
		collectionSet{SharedCollection, &pb.HashedRWSet{HashedReads: []*pb.KVReadHash{{KeyHash: hashed(k)}}}}))).Private = true

	name = "a range has changed"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), t.step(name, phantom, rwset(scans(k, k+"~"))), t.step(name, valid, rwset(scans(k+"~", k+"~~"))))
	name = "a range has changed in the block"
	k = t.key(name, "k")
	t.add(name, block(t.step(name, valid, rwset(put(k))), t.step(name, phantom, rwset(scans(k, k+"~")))))
	name = "a key and a range have changed"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), t.step(name, readConflict, rwset(and(scans(k, k+"~"), reads(k)))))
	name = "a conflict that isn't endorsed"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), t.step(name, notEndorsed, rwset(reads(k)), endorsedBy(t.cfg.Peer1)))
	name = "a key that is written twice"
	k = t.key(name, "k")
	t.one(name, valid, rwset(and(put(k), put(k))))
}
