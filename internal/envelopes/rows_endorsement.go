package envelopes

import (
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// namespaceRows are about namespaces beside the chaincode's own.
func (t *table) namespaceRows() {
	also := func(name string, set *pb.KVRWSet) change {
		return func(d *draft) {
			d.rwset.NsRwset = append(d.rwset.NsRwset, &pb.NsReadWriteSet{Namespace: name, Rwset: d.marshal(set)})
		}
	}
	either, first := of(t.cfg.Either), endorsedBy(t.cfg.Peer1)
	t.one("a namespace twice", illegalWrites, also(t.cfg.Both, put(t.key("twice", "k"))))
	t.one("a namespace twice, only read", illegalWrites, also(t.cfg.Both, &pb.KVRWSet{}))
	t.one("the namespace of an unknown chaincode", invalidChaincode, also("unknown", put("k")))
	t.one("the namespace of a system chaincode", invalidChaincode, also("qscc", put("k")))
	t.one("the namespace of lscc", invalidChaincode, also("lscc", put("k")))
	t.one("the namespace of an unknown chaincode, only read", valid, also("unknown", &pb.KVRWSet{}))
	t.one("the lifecycle's namespace", notEndorsed, either, first, also("_lifecycle", put(t.key("lifecycle", "k"))))
	t.one("another namespace, enough for both", valid, also(t.cfg.Either, put(t.key("enough", "k"))))
	t.one("another namespace, not enough for it", notEndorsed, either, first, also(t.cfg.Both, put(t.key("not enough", "k"))))
	t.one("another namespace, only read", valid, either, first, also(t.cfg.Both, &pb.KVRWSet{Reads: []*pb.KVRead{{Key: t.key("read", "k")}}}))
	t.one("another namespace, not enough for the one that was called", notEndorsed, first, also(t.cfg.Either, put(t.key("called", "k"))))
	t.one("another namespace only, not enough for the one that was called", notEndorsed, first, func(d *draft) { d.rwset.NsRwset[0].Namespace = t.cfg.Either })
	t.one("another namespace, metadata only", notEndorsed, either, first,
		also(t.cfg.Both, setMetadata(t.key("metadata", "k"), t.signedBy(t.cfg.Peer1.MSPID()))))
}

// endorsementRows are about who has signed.
func (t *table) endorsementRows() {
	peer1, peer2 := t.cfg.Peer1, t.cfg.Peer2
	liar := func(who identity.Signer) identity.Signer {
		return signer{Signer: who, sign: func(s identity.Signer, _ []byte) ([]byte, error) { return s.Sign([]byte("else")) }}
	}
	unsigned := func(who identity.Signer) identity.Signer {
		return signer{Signer: who, sign: func(identity.Signer, []byte) ([]byte, error) { return nil, nil }}
	}
	t.one("the other order", valid, endorsedBy(peer2, peer1))
	t.one("nobody", notEndorsed, endorsedBy())
	t.one("one of two", notEndorsed, endorsedBy(peer1))
	t.one("the other of two", notEndorsed, endorsedBy(peer2))
	t.one("one of two twice", notEndorsed, endorsedBy(peer1, peer1))
	t.one("one of two in two forms", notEndorsed, endorsedBy(peer1, wordy(peer1)))
	t.one("both, one of them twice", valid, endorsedBy(peer1, peer1, peer2))
	t.one("text around an endorser's certificate", valid, endorsedBy(wordy(peer1), peer2))
	t.one("one of either", valid, of(t.cfg.Either), endorsedBy(peer2))
	t.one("none of either", notEndorsed, of(t.cfg.Either), endorsedBy(t.cfg.Client))
	t.one("a client instead of a peer", notEndorsed, endorsedBy(t.cfg.Client, peer2))
	t.one("a client as well", valid, endorsedBy(t.cfg.Client, peer1, peer2))
	t.one("an endorser of another CA", notEndorsed, endorsedBy(t.mallory, peer2))
	t.one("an endorser of another CA as well", valid, endorsedBy(t.mallory, peer1, peer2))
	t.one("an endorser of an unknown MSP as well", valid, endorsedBy(t.impostor, peer1, peer2))
	t.one("an endorser that is no identity as well", valid, endorsedBy(signer{Signer: peer1, creator: []byte("peer1")}, peer1, peer2))
	t.one("an endorsement of something else", notEndorsed, endorsedBy(liar(peer1), peer2))
	t.one("an endorsement of something else as well", valid, endorsedBy(liar(peer1), peer1, peer2))
	t.one("an endorsement without a signature", notEndorsed, endorsedBy(unsigned(peer1), peer2))
	t.one("an endorsement with a high S", notEndorsed, endorsedBy(signer{Signer: peer1, sign: t.highS}, peer2))
	t.one("an endorsement without the endorser", notEndorsed, endorsedBy(signer{Signer: peer1, creator: []byte{}}, peer2))
	t.one("nothing written, one of two", notEndorsed, rwset(&pb.KVRWSet{}), endorsedBy(peer1))
	t.one("nothing written, both", valid, rwset(&pb.KVRWSet{}))
	t.one("no read/write set, one of two", notEndorsed, raw(rwsetLayer, gone), endorsedBy(peer1))
}

// collectionRows are about who must endorse private data.
func (t *table) collectionRows() {
	first, second := endorsedBy(t.cfg.Peer1), endorsedBy(t.cfg.Peer2)
	in := func(name, collection string) change {
		return rwset(&pb.KVRWSet{}, putPrivate(collection, t.key(name, "k")))
	}
	row := func(name, want, collection string, by ...change) {
		t.one(name, want, append(by, in(name, collection))...).Private = want == valid
	}
	row("collection without a policy, both", valid, SharedCollection)
	row("collection without a policy, one of two", notEndorsed, SharedCollection, first)
	row("collection with a policy, the right one", valid, FirstCollection, first)
	row("collection with a policy, the wrong one", notEndorsed, FirstCollection, second)
	row("undefined collection", notEndorsed, "undefined")
	implicit := "_implicit_org_" + t.cfg.Peer1.MSPID()
	row("implicit collection, the right one", valid, implicit, first)
	row("implicit collection, the wrong one", notEndorsed, implicit, second)
	row("implicit collection of nobody", notEndorsed, "_implicit_org_NoSuchMSP")

	name := "collection with a policy and public state"
	t.one(name+", one of two", notEndorsed, first, rwset(put(t.key(name, "k")), putPrivate(FirstCollection, t.key(name, "k"))))
	t.one(name+", both", valid, rwset(put(t.key(name, "k")), putPrivate(FirstCollection, t.key(name, "k")))).Private = true
	name = "collections with and without a policy"
	t.one(name, notEndorsed, first, rwset(&pb.KVRWSet{}, putPrivate(FirstCollection, t.key(name, "k")), putPrivate(SharedCollection, t.key(name, "k"))))
	name = "collection that is only read"
	t.one(name, notEndorsed, first, rwset(&pb.KVRWSet{}, collectionSet{FirstCollection, &pb.HashedRWSet{HashedReads: []*pb.KVReadHash{{KeyHash: hashed(name)}}}}))
}
