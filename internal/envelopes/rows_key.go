package envelopes

import (
	pb "github.com/ccpeer/ccpeer/proto"
)

// keyRows are about keys that say themselves who must endorse them.
func (t *table) keyRows() {
	org1, org2 := t.cfg.Peer1.MSPID(), t.cfg.Peer2.MSPID()
	first, second := endorsedBy(t.cfg.Peer1), endorsedBy(t.cfg.Peer2)

	name := "key of the first"
	k, other := t.key(name, "k"), t.key(name, "other")
	made := t.step(name, valid, rwset(and(put(k), setMetadata(k, t.signedBy(org1)))))
	t.add(name, made,
		t.step(name, valid, first, rwset(put(k))),
		t.step(name, notEndorsed, second, rwset(put(k))),
		t.step(name, notEndorsed, second, rwset(setMetadata(k, t.signedBy(org2)))),
		t.step(name, notEndorsed, first, rwset(and(put(k), put(other)))),
		t.step(name, valid, first, rwset(setMetadata(k, t.signedBy(org2)))),
		t.step(name, notEndorsed, first, rwset(put(k))),
		t.step(name, valid, second, rwset(deleted(k))),
		t.step(name, notEndorsed, second, rwset(put(k))), // the parameter went with the key
	)

	name = "key of both, in a chaincode of either"
	k = t.key(name, "k")
	either := of(t.cfg.Either)
	t.add(name, t.step(name, valid, either, first, rwset(and(put(k), setMetadata(k, t.signedBy(org1, org2))))),
		t.step(name, notEndorsed, either, first, rwset(put(k))),
		t.step(name, notEndorsed, either, first, rwset(setMetadata(k, nil))),
		t.step(name, valid, either, rwset(put(k))),
		t.step(name, valid, either, rwset(setMetadata(k, nil))),
		t.step(name, valid, either, first, rwset(put(k))),
	)

	name = "key of the second, in a collection of the first"
	k = t.key(name, "k")
	set := collectionSet{FirstCollection, &pb.HashedRWSet{
		HashedWrites:   putPrivate("", k).set.GetHashedWrites(),
		MetadataWrites: []*pb.KVMetadataWriteHash{{KeyHash: hashed(k), Entries: t.signedBy(org2)}},
	}}
	t.add(name, t.step(name, valid, first, rwset(&pb.KVRWSet{}, set)),
		t.step(name, notEndorsed, first, rwset(&pb.KVRWSet{}, putPrivate(FirstCollection, k))),
		t.step(name, notEndorsed, first, rwset(&pb.KVRWSet{}, collectionSet{FirstCollection, &pb.HashedRWSet{MetadataWrites: set.set.GetMetadataWrites()}})),
		t.step(name, valid, second, rwset(&pb.KVRWSet{}, putPrivate(FirstCollection, k))),
	).Private = true
	t.oddParameters()
}

func deleted(key string) *pb.KVRWSet {
	return &pb.KVRWSet{Writes: []*pb.KVWrite{{Key: key, IsDelete: true}}}
}

// oddParameters are what chaincode can write as a key's parameter, but shouldn't.
func (t *table) oddParameters() {
	first := endorsedBy(t.cfg.Peer1)
	later := marshal(&pb.SignaturePolicyEnvelope{Version: 1, Rule: &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: &pb.SignaturePolicy_NOutOf{}}}})
	for _, c := range []struct {
		name      string
		parameter []*pb.KVMetadataEntry
		one, both string // what a write gets that one of two has endorsed, and both
		danger    string
	}{
		{"parameter that is empty", parameter(nil), notEndorsed, valid, ""},
		{"parameter without a rule", parameter(marshal(&pb.SignaturePolicyEnvelope{Identities: []*pb.MSPPrincipal{{}}})), notEndorsed, notEndorsed, ""},
		{"parameter of an unknown version", parameter(later), valid, valid, ""},
		{"parameter of nobody", t.signedBy("NoSuchMSP"), notEndorsed, notEndorsed, ""},
		{"parameter that is no message", parameter([]byte{0xff}), notEndorsed, notEndorsed, Halts},
		{"metadata that is no parameter", []*pb.KVMetadataEntry{{Name: "NOTE", Value: []byte("n")}}, notEndorsed, valid, ""},
	} {
		k := t.key(c.name, "k")
		t.add(c.name, t.step(c.name, valid, rwset(and(put(k), setMetadata(k, c.parameter)))),
			t.step(c.name, c.one, first, rwset(put(k))), t.step(c.name, c.both, rwset(put(k)))).Danger = c.danger
	}
}

// keyBlockRows are about a key's parameter that changes within a block.
func (t *table) keyBlockRows() {
	org1 := t.cfg.Peer1.MSPID()
	first := endorsedBy(t.cfg.Peer1)
	for _, c := range []struct {
		name          string
		change, write change // the two transactions of a block, if they are not what they are in the first row
		changed, want string
	}{
		{name: "parameter changes before the key is written", changed: valid, want: notEndorsed},
		{name: "parameter's change is not endorsed", change: first, changed: notEndorsed, want: valid},
		{name: "parameter of another key changes", change: rwset(setMetadata(t.key("another", "k"), t.signedBy(org1))), changed: valid, want: valid},
		{name: "parameter's change is in conflict", changed: readConflict, want: notEndorsed},
		{name: "parameter changes twice", write: rwset(setMetadata(t.key("parameter changes twice", "k"), nil)), changed: valid, want: notEndorsed},
		{name: "parameter changes before another chaincode writes", write: of(t.cfg.Either), changed: valid, want: valid},
		{name: "parameter changes before the key is read", changed: valid, want: readConflict},
	} {
		k := t.key(c.name, "k")
		set := setMetadata(k, t.signedBy(org1))
		if c.changed == readConflict {
			set.Reads = []*pb.KVRead{{Key: k}}
		}
		written := put(k)
		if c.want == readConflict {
			written = &pb.KVRWSet{Reads: []*pb.KVRead{{Key: k, Version: &pb.Version{BlockNum: 1}}}}
		}
		nothing := func(*draft) {}
		if c.change == nil {
			c.change = nothing
		}
		if c.write == nil {
			c.write = nothing
		}
		t.add(c.name, t.step(c.name, valid, rwset(put(k))),
			block(t.step(c.name, c.changed, rwset(set), c.change), t.step(c.name, c.want, rwset(written), c.write)))
	}
	name := "parameter changes after the key is written"
	k := t.key(name, "k")
	t.add(name, block(t.step(name, valid, rwset(put(k))), t.step(name, valid, rwset(setMetadata(k, t.signedBy(org1))))),
		t.step(name, valid, first, rwset(put(k))))
	name = "parameter changes after the key is deleted"
	k = t.key(name, "k")
	t.add(name, t.step(name, valid, rwset(put(k))), block(t.step(name, valid, rwset(deleted(k))),
		t.step(name, valid, rwset(setMetadata(k, t.signedBy(org1)))))).Danger = Panics
	name = "parameter of a hash changes before the key is written"
	k = t.key(name, "k")
	set := collectionSet{SharedCollection, &pb.HashedRWSet{MetadataWrites: []*pb.KVMetadataWriteHash{{KeyHash: hashed(k), Entries: t.signedBy(org1)}}}}
	t.add(name, t.step(name, valid, rwset(&pb.KVRWSet{}, putPrivate(SharedCollection, k))),
		block(t.step(name, valid, rwset(&pb.KVRWSet{}, set)), t.step(name, notEndorsed, rwset(&pb.KVRWSet{}, putPrivate(SharedCollection, k))),
			t.step(name, valid, rwset(&pb.KVRWSet{}, putPrivate(FirstCollection, k))))).Private = true
}
