package script

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func serialize(mspID string, cert []byte) ([]byte, error) {
	b, err := proto.Marshal(&msp.SerializedIdentity{Mspid: mspID, IdBytes: cert})
	return b, errors.WithStack(err)
}

// marshal is a message's bytes.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		return []byte(err.Error()) // it can't be: all texts here are UTF-8
	}
	return b
}

// signature is a user's over bytes.
func (s *session) signature(name string, over []byte) []byte {
	digest := sha256.Sum256(over)
	b, err := s.users[name].sign(digest[:])
	if err != nil {
		s.t.Fatalf("%+v", err)
	}
	return b
}

// proposal is a proposal that can be wrong in any way.
type proposal struct {
	by         string // who signs
	chaincode  string
	channel    *common.ChannelHeader
	signer     *common.SignatureHeader
	extension  *peer.ChaincodeHeaderExtension
	invocation *peer.ChaincodeInvocationSpec
	transient  map[string][]byte
}

// propose is a proposal by the first organization's user, as clients make them.
func (s *session) propose(chaincode string, args ...string) *proposal {
	return s.proposeAs("User1@"+first, chaincode, args...)
}

func (s *session) proposeAs(by, chaincode string, args ...string) *proposal {
	nonce := make([]byte, 24)
	if _, err := rand.Read(nonce); err != nil {
		s.t.Fatalf("%+v", err)
	}
	creator := s.users[by].creator
	input := &peer.ChaincodeInput{}
	for _, a := range args {
		input.Args = append(input.Args, []byte(a))
	}
	id := &peer.ChaincodeID{Name: chaincode}
	return &proposal{
		by: by, chaincode: chaincode,
		channel: &common.ChannelHeader{
			Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: s.target.Channel, Timestamp: timestamppb.Now(), TxId: txID(nonce, creator),
		},
		signer:     &common.SignatureHeader{Creator: creator, Nonce: nonce},
		extension:  &peer.ChaincodeHeaderExtension{ChaincodeId: id},
		invocation: &peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{ChaincodeId: id, Input: input}},
	}
}

func txID(nonce, creator []byte) string {
	sum := sha256.Sum256(append(append([]byte{}, nonce...), creator...))
	return hex.EncodeToString(sum[:])
}

// bytes are the proposal's.
func (p *proposal) bytes() []byte {
	if p.extension != nil {
		p.channel.Extension = marshal(p.extension)
	}
	header := &common.Header{}
	if p.channel != nil {
		header.ChannelHeader = marshal(p.channel)
	}
	if p.signer != nil {
		header.SignatureHeader = marshal(p.signer)
	}
	payload := &peer.ChaincodeProposalPayload{TransientMap: p.transient}
	if p.invocation != nil {
		payload.Input = marshal(p.invocation)
	}
	return marshal(&peer.Proposal{Header: marshal(header), Payload: marshal(payload)})
}

// signed is the proposal, signed.
func (s *session) signed(p *proposal) *peer.SignedProposal { return s.signedBytes(p.by, p.bytes()) }

func (s *session) signedBytes(by string, proposal []byte) *peer.SignedProposal {
	return &peer.SignedProposal{ProposalBytes: proposal, Signature: s.signature(by, proposal)}
}

// envelope is a signed envelope with a payload.
func (s *session) envelope(by string, header *common.ChannelHeader, data []byte) *common.Envelope {
	payload := marshal(&common.Payload{
		Header: &common.Header{ChannelHeader: marshal(header), SignatureHeader: marshal(&common.SignatureHeader{Creator: s.users[by].creator, Nonce: []byte("24 bytes, of some nonce.")})},
		Data:   data,
	})
	return &common.Envelope{Payload: payload, Signature: s.signature(by, payload)}
}

func chaincodeID(name string) *peer.ChaincodeID { return &peer.ChaincodeID{Name: name} }

func extensionOf(chaincode string) *peer.ChaincodeHeaderExtension {
	return &peer.ChaincodeHeaderExtension{ChaincodeId: chaincodeID(chaincode)}
}
