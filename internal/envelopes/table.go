package envelopes

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// table collects rows, and the first error.
type table struct {
	cfg  Config
	salt string // begins every key
	rows []*Row
	err  error

	// mallory and impostor have certificates of CAs of their own, whose MSP has the name of the first organization, or of none.
	mallory, impostor *identity.Identity
}

func newTable(cfg Config) (*table, error) {
	t := &table{cfg: cfg, salt: hex.EncodeToString(random(8))}
	for _, stranger := range []struct {
		mspID string
		id    **identity.Identity
	}{{cfg.Peer1.MSPID(), &t.mallory}, {"NoSuchMSP", &t.impostor}} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: stranger.mspID})
		if err != nil {
			return nil, err
		}
		if *stranger.id, err = msp.Issue(identity.Config{CommonName: "mallory", OUs: []string{"peer"}}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// key returns a key that no other row has.
func (t *table) key(row, name string) string {
	return t.salt + "/" + strings.ReplaceAll(row, " ", "-") + "/" + name
}

// change makes a draft what a row is about.
type change func(d *draft)

// one adds a row of a single envelope.
func (t *table) one(name, want string, changes ...change) *Row {
	return t.add(name, t.step(name, want, changes...))
}

// add adds a row. It returns it, so that more can be said of it.
func (t *table) add(name string, steps ...Step) *Row {
	r := &Row{Name: name, Steps: steps}
	t.rows = append(t.rows, r)
	return r
}

// step is a block of one envelope.
func (t *table) step(row, want string, changes ...change) Step {
	return Step{Envelopes: [][]byte{t.envelope(row, changes...)}, Want: []string{want}}
}

// block is a block of several steps' envelopes.
func block(steps ...Step) Step {
	var b Step
	for _, s := range steps {
		b.Envelopes, b.Want = append(b.Envelopes, s.Envelopes...), append(b.Want, s.Want...)
	}
	return b
}

// envelope returns the envelope of a draft. Without changes, it is a valid transaction of chaincode Both that puts a key.
func (t *table) envelope(row string, changes ...change) []byte {
	d := t.draft(row)
	for _, c := range changes {
		c(d)
	}
	b, err := d.envelope()
	if err != nil && t.err == nil {
		t.err = err
	}
	return b
}

// Changes that several rows need.

func endorsedBy(endorsers ...identity.Signer) change {
	return func(d *draft) { d.endorsers = endorsers }
}

// of makes it a transaction of another chaincode.
func of(chaincode string) change {
	return func(d *draft) {
		d.extension.ChaincodeId.Name, d.action.ChaincodeId.Name, d.event.ChaincodeId = chaincode, chaincode, chaincode
		d.rwset.NsRwset[0].Namespace = chaincode
	}
}

// rwset replaces what it has read and written in its own namespace.
func rwset(set *pb.KVRWSet, collections ...collectionSet) change {
	return func(d *draft) {
		ns := d.rwset.NsRwset[0]
		ns.Rwset = d.marshal(set)
		for _, c := range collections {
			b := d.marshal(c.set)
			hash := sha256.Sum256(b)
			ns.CollectionHashedRwset = append(ns.CollectionHashedRwset, &pb.CollectionHashedReadWriteSet{
				CollectionName: c.name, HashedRwset: b, PvtRwsetHash: hash[:],
			})
		}
	}
}

// raw replaces what a layer is marshalled to.
func raw(name Layer, replace func(b []byte) []byte) change {
	return func(d *draft) { d.raw[name] = replace }
}

// is is a replacement by something that is not a message. gone is one by nothing.
func is(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }

func gone([]byte) []byte { return nil }

// noMessage can't be decoded as a message: it ends within a field.
func noMessage() func([]byte) []byte { return is([]byte{0xff}) }

// collectionSet is what is read and written in a collection.
type collectionSet struct {
	name string
	set  *pb.HashedRWSet
}

func hashed(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func put(key string) *pb.KVRWSet {
	return &pb.KVRWSet{Writes: []*pb.KVWrite{{Key: key, Value: []byte("v")}}}
}

func putPrivate(collection, key string) collectionSet {
	return collectionSet{collection, &pb.HashedRWSet{HashedWrites: []*pb.KVWriteHash{{KeyHash: hashed(key), ValueHash: hashed("v")}}}}
}

// parameter is metadata that says who must endorse a key.
func parameter(value []byte) []*pb.KVMetadataEntry {
	return []*pb.KVMetadataEntry{{Name: "VALIDATION_PARAMETER", Value: value}}
}

// signedBy is such a parameter: peers of all these organizations.
func (t *table) signedBy(organizations ...string) []*pb.KVMetadataEntry {
	rules := []policies.Signature{}
	for _, mspID := range organizations {
		rules = append(rules, policies.SignedBy(identity.Principal{MSPID: mspID, Role: identity.Peer}))
	}
	b, err := policies.All(rules...).Marshal()
	if err != nil && t.err == nil {
		t.err = err
	}
	return parameter(b)
}

func setMetadata(key string, entries []*pb.KVMetadataEntry) *pb.KVRWSet {
	return &pb.KVRWSet{MetadataWrites: []*pb.KVMetadataWrite{{Key: key, Entries: entries}}}
}

// and joins read/write sets.
func and(sets ...*pb.KVRWSet) *pb.KVRWSet {
	joined := &pb.KVRWSet{}
	for _, s := range sets {
		proto.Merge(joined, s)
	}
	return joined
}
