package committer_test

import (
	"crypto/sha256"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// transaction is the envelope of a transaction of a chaincode that has read and written a set, and its ID.
func (n *network) transaction(chaincode string, set *pb.NsReadWriteSet, endorsers ...*identity.Identity) (envelope []byte, txID string) {
	n.t.Helper()
	proposal, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: chaincode, Signer: n.table.Client})
	if err != nil {
		n.t.Fatal(err)
	}
	var p pb.Proposal
	if err := proto.Unmarshal(proposal.Signed.GetProposalBytes(), &p); err != nil {
		n.t.Fatal(err)
	}
	hash, err := block.ProposalHash(&p)
	if err != nil {
		n.t.Fatal(err)
	}
	set.Namespace = chaincode
	action := &pb.ChaincodeAction{
		Results:  marshal(n.t, &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{set}}),
		Response: &pb.Response{Status: 200}, ChaincodeId: &pb.ChaincodeID{Name: chaincode, Version: "1.0"},
	}
	payload := marshal(n.t, &pb.ProposalResponsePayload{ProposalHash: hash, Extension: marshal(n.t, action)})
	var responses []*pb.ProposalResponse
	for _, e := range endorsers {
		signature, err := e.Sign(slices.Concat(payload, e.Creator()))
		if err != nil {
			n.t.Fatal(err)
		}
		responses = append(responses, &pb.ProposalResponse{
			Response: action.GetResponse(), Payload: payload, Endorsement: &pb.Endorsement{Endorser: e.Creator(), Signature: signature},
		})
	}
	if envelope, err = block.NewTransaction(proposal.Signed, responses, n.table.Client); err != nil {
		n.t.Fatal(err)
	}
	return envelope, proposal.TxID
}

// puts is a set that puts a key.
func puts(t testing.TB, key string) *pb.NsReadWriteSet {
	t.Helper()
	return &pb.NsReadWriteSet{Rwset: marshal(t, &pb.KVRWSet{Writes: []*pb.KVWrite{{Key: key, Value: []byte("v")}}})}
}

// putsPrivately is a set that puts a key in a collection, and the private set that belongs to it.
func putsPrivately(t testing.TB, chaincode, collection, key, value string) (set *pb.NsReadWriteSet, private []byte) {
	t.Helper()
	hash := func(b []byte) []byte { h := sha256.Sum256(b); return h[:] }
	secret := marshal(t, &pb.KVRWSet{Writes: []*pb.KVWrite{{Key: key, Value: []byte(value)}}})
	set = &pb.NsReadWriteSet{CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{{
		CollectionName: collection, PvtRwsetHash: hash(secret), HashedRwset: marshal(t, &pb.HashedRWSet{
			HashedWrites: []*pb.KVWriteHash{{KeyHash: hash([]byte(key)), ValueHash: hash([]byte(value))}},
		}),
	}}}
	return set, marshal(t, &pb.TxPvtReadWriteSet{NsPvtRwset: []*pb.NsPvtReadWriteSet{{Namespace: chaincode, CollectionPvtRwset: []*pb.CollectionPvtReadWriteSet{
		{CollectionName: collection, Rwset: secret},
	}}}})
}

// configuration is the envelope of a config transaction that nobody has signed, or somebody.
func (n *network) configuration(txID string, by *identity.Identity) []byte {
	n.t.Helper()
	header := &pb.Header{ChannelHeader: marshal(n.t, &pb.ChannelHeader{Type: int32(pb.HeaderType_CONFIG), ChannelId: "mychannel", TxId: txID})}
	if by != nil {
		header.SignatureHeader = marshal(n.t, &pb.SignatureHeader{Creator: by.Creator(), Nonce: []byte("n")})
	}
	e := &pb.Envelope{Payload: marshal(n.t, &pb.Payload{Header: header, Data: []byte("configuration")})}
	if by != nil {
		var err error
		if e.Signature, err = by.Sign(e.GetPayload()); err != nil {
			n.t.Fatal(err)
		}
	}
	return marshal(n.t, e)
}
