package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Distributor gives what a peer has endorsed to other peers. A Network is one for its peers.
type Distributor interface {
	// Distribute gives private data to the peers that may have it: d.For says what. It returns when they have it. An error fails
	// the endorsement.
	Distribute(ctx context.Context, d PrivateData) error
}

// PrivateData is what a transaction writes to collections.
type PrivateData struct {
	// From is the channel of the peer that has endorsed the transaction.
	From *Channel
	// TxID is the transaction's ID.
	TxID string
	// model and parts are all of it. Nobody but that peer may see it.
	model pb.TxReadWriteSet_DataModel
	parts []privatePart
}

// privatePart is what is written to a collection, and who may have it.
type privatePart struct {
	namespace string
	set       *pb.CollectionPvtReadWriteSet
	members
}

// privateDataOf looks up the collections of a private read/write set.
func privateDataOf(ctx context.Context, c *Channel, txID string, private []byte) (PrivateData, error) {
	var set pb.TxPvtReadWriteSet
	if err := proto.Unmarshal(private, &set); err != nil {
		return PrivateData{}, errors.Wrap(err, "decode private read/write set")
	}
	d := PrivateData{From: c, TxID: txID, model: set.GetDataModel()}
	for _, ns := range set.GetNsPvtRwset() {
		for _, coll := range ns.GetCollectionPvtRwset() {
			m, err := membersOf(ctx, c, ns.GetNamespace(), coll.GetCollectionName())
			if err != nil {
				return PrivateData{}, err
			}
			d.parts = append(d.parts, privatePart{ns.GetNamespace(), coll, m})
		}
	}
	return d, nil
}

// For returns the part of the data that a peer may have, a marshalled TxPvtReadWriteSet, or nil: that of the collections whose
// policies name the peer.
func (d PrivateData) For(_ context.Context, who *identity.Verified) ([]byte, error) {
	part := &pb.TxPvtReadWriteSet{DataModel: d.model}
	for _, p := range d.parts {
		if p.has(who) {
			addTo(part, p.namespace, p.set)
		}
	}
	if part.NsPvtRwset == nil {
		return nil, nil
	}
	b, err := proto.Marshal(part)
	return b, errors.Wrap(err, "marshal private read/write set")
}

// Check returns an error if a collection wants its data to be at more peers than there are, besides the one that has endorsed
// (Fabric: gossip/privdata, distributor.go, with its text).
func (d PrivateData) Check(_ context.Context, others []*identity.Verified) error {
	for _, p := range d.parts {
		eligible := 0
		for _, who := range others {
			if p.has(who) {
				eligible++
			}
		}
		if eligible < p.required {
			return errors.Errorf("failed to distribute private collection, txID %s, channel %s: could not build private data dissemination plan "+
				"for chaincode %s and collection %s: required to disseminate to at least %d peers, but know of only %d eligible peers",
				d.TxID, d.From.cfg.ID, p.namespace, p.set.GetCollectionName(), p.required, eligible)
		}
	}
	return nil
}

// collection returns the definition of a collection, or nil.
func (c *Channel) collection(ctx context.Context, namespace, name string) (*ledger.CollectionConfig, error) {
	d, err := c.ledger.Definition(ctx, namespace)
	if err != nil || d == nil {
		return nil, err
	}
	for i := range d.Collections {
		if d.Collections[i].Name == name {
			return &d.Collections[i], nil
		}
	}
	return nil, nil
}

// members are those who may have a collection's data.
type members struct {
	has      func(who *identity.Verified) bool
	required int // how many besides the endorser must have it
}

// membersOf looks a collection up. The data of one without a definition is for who has run the transaction, and nobody else. An implicit
// collection requires nobody else.
func membersOf(ctx context.Context, c *Channel, namespace, name string) (members, error) {
	config, err := c.collection(ctx, namespace, name)
	if err != nil {
		return members{}, err
	}
	if config == nil {
		if mspID, ok := strings.CutPrefix(name, ledger.ImplicitCollectionPrefix); ok {
			return members{has: func(who *identity.Verified) bool { return mspID == who.MSPID() }}, nil
		}
		return members{has: func(who *identity.Verified) bool { return who == c.self }}, nil
	}
	policy, err := policies.Parse(config.Policy)
	if err != nil {
		return members{}, errors.WithMessagef(err, "parse policy of collection %s", name)
	}
	return members{
		has:      func(who *identity.Verified) bool { return policy.Evaluate([]*identity.Verified{who}) == nil },
		required: int(config.RequiredPeerCount),
	}, nil
}

// mayHave reports whether a peer may have a collection's data.
func (c *Channel) mayHave(ctx context.Context, namespace, name string, who *identity.Verified) (bool, error) {
	m, err := membersOf(ctx, c, namespace, name)
	return err == nil && m.has(who), err
}

// share keeps what this peer may have of what it has endorsed, and gives others theirs.
func (c *Channel) share(ctx context.Context, txID string, private []byte) error {
	d, err := privateDataOf(ctx, c, txID, private)
	if err != nil {
		return err
	}
	own, err := d.For(ctx, c.self)
	if err == nil && own != nil {
		err = c.keepPrivateData(ctx, txID, own)
	}
	if err != nil || c.peer.cfg.Distributor == nil {
		return err
	}
	return c.peer.cfg.Distributor.Distribute(ctx, d)
}

// KeepPrivateData keeps a transaction's private data until the transaction is committed, or 1,000 blocks are. It is what
// PrivateData.For has returned for this peer. The peer commits of it what fits the hashes in the block.
func (c *Channel) KeepPrivateData(ctx context.Context, txID string, private []byte) error {
	if private == nil {
		return nil
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(private, &pb.TxPvtReadWriteSet{}); err != nil { // a peer may send anything
		return errors.Wrap(err, "decode private read/write set")
	}
	return c.keepPrivateData(ctx, txID, private)
}

// keepPrivateData is KeepPrivateData for what was marshalled here.
func (c *Channel) keepPrivateData(ctx context.Context, txID string, private []byte) error {
	height, err := c.ledger.Height(ctx)
	if err != nil {
		return err
	}
	return c.private.keep(txID, private, height)
}

// fitting puts together the collections that fit the hashes in a block, out of several private read/write sets. The same
// transaction may have been endorsed twice, with other results.
func fitting(ctx context.Context, variants [][]byte, wanted []committer.CollectionHash) ([]byte, error) {
	fits, decoded := &pb.TxPvtReadWriteSet{}, make([]pb.TxPvtReadWriteSet, len(variants))
	for i, variant := range variants {
		if err := proto.Unmarshal(variant, &decoded[i]); err != nil {
			return nil, errors.Wrap(err, "decode private read/write set")
		}
	}
	for _, want := range wanted {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range decoded {
			if coll := find(&decoded[i], want); coll != nil {
				addTo(fits, want.Namespace, coll)
				break
			}
		}
	}
	b, err := proto.Marshal(fits)
	return b, errors.Wrap(err, "marshal private read/write set")
}

// addTo adds a collection. Each namespace is in a set once.
func addTo(private *pb.TxPvtReadWriteSet, namespace string, coll *pb.CollectionPvtReadWriteSet) {
	for _, ns := range private.GetNsPvtRwset() {
		if ns.GetNamespace() == namespace {
			ns.CollectionPvtRwset = append(ns.CollectionPvtRwset, coll)
			return
		}
	}
	ns := &pb.NsPvtReadWriteSet{Namespace: namespace, CollectionPvtRwset: []*pb.CollectionPvtReadWriteSet{coll}}
	private.NsPvtRwset = append(private.NsPvtRwset, ns)
}

// find returns the collection that has a hash, or nil.
func find(private *pb.TxPvtReadWriteSet, want committer.CollectionHash) *pb.CollectionPvtReadWriteSet {
	for _, ns := range private.GetNsPvtRwset() {
		for _, coll := range ns.GetCollectionPvtRwset() {
			if ns.GetNamespace() != want.Namespace || coll.GetCollectionName() != want.Collection {
				continue
			}
			if hash := sha256.Sum256(coll.GetRwset()); bytes.Equal(hash[:], want.Hash) {
				return coll
			}
		}
	}
	return nil
}
