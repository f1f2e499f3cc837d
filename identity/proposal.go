// Package identity knows who somebody is. It makes MSPs, and identities with X.509 certificates. It also makes the signed
// proposals by which these ask for transactions. A stub reads its creator, transient map, timestamp and binding from a
// proposal.
//
//	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
//	alice, err := msp.Issue(identity.Config{CommonName: "alice", Attributes: map[string]string{"role": "buyer"}})
//	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Args: args, Signer: alice})
//	cs.Execute(ctx, "asset:1.0", handler.TxParams{ChannelID: "mychannel", TxID: p.TxID, SignedProposal: p.Signed, …}, input)
//
// Making proposals is for peers and tests that get none from clients. If your peer gets proposals from clients, pass those
// on instead. [ParseProposal] takes them apart, and [ParsedProposal.Verify] checks who they are from.
package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// nonceSize is the number of bytes in a nonce that NewProposal makes. It is Fabric's (protoutil.CreateNonce).
const nonceSize = 24

// ProposalParams are what a proposal says. NewProposal only reads them, and keeps nothing of them.
type ProposalParams struct {
	// ChannelID is the channel that the transaction is for.
	ChannelID string
	// Chaincode is the name of the chaincode that is called. Required.
	Chaincode string
	// Args are the arguments of the call. By convention the first one is the function's name.
	Args [][]byte
	// IsInit says that the call initializes the chaincode.
	IsInit bool
	// Transient is data that the chaincode gets beside its arguments, by name. It is not recorded.
	Transient map[string][]byte
	// Signer says who asks, and signs the proposal. Required, unless Creator is set.
	Signer Signer
	// Creator says who asks if nobody can sign: a marshalled SerializedIdentity. The signature is then empty. Chaincode does
	// not see that, but a peer that verifies proposals must not accept such a proposal. Set either Creator or Signer.
	Creator []byte
	// Nonce makes the transaction ID unique. Nil means 24 random bytes.
	Nonce []byte
	// Timestamp is when the proposal was made, as its creator says. Zero means now.
	Timestamp time.Time
}

// Proposal is a proposal, together with what identifies it.
type Proposal struct {
	// TxID is the transaction's ID: SHA-256 over nonce and creator, in lower-case hex (protoutil.ComputeTxID).
	TxID string
	// Timestamp is the timestamp in the proposal, in UTC.
	Timestamp time.Time
	// Binding ties the transient map to the proposal. It is SHA-256 over nonce, creator and the epoch, which is 0, as 8
	// bytes little-endian. Stubs return it from GetBinding.
	Binding []byte
	// Signed is the proposal. Its signature is the Signer's over its ProposalBytes, or empty if there is no Signer.
	Signed *pb.SignedProposal
}

// NewProposal makes a proposal in the form that Fabric's clients give it. It has a header of type ENDORSER_TRANSACTION, and
// a ChaincodeProposalPayload that holds the call and the transient map.
func NewProposal(p ProposalParams) (*Proposal, error) {
	switch {
	case p.Chaincode == "":
		return nil, errors.New("make proposal: ProposalParams.Chaincode is empty, want the name of the chaincode to call")
	case p.Signer != nil && p.Creator != nil:
		return nil, errors.New("make proposal: ProposalParams.Signer and ProposalParams.Creator are both set, want one of them")
	case p.Signer != nil:
		p.Creator = p.Signer.Creator()
	}
	if len(p.Creator) == 0 {
		return nil, errors.New("make proposal: ProposalParams.Creator is empty, want a ProposalParams.Signer or a marshalled SerializedIdentity")
	}
	if p.Nonce == nil {
		p.Nonce = make([]byte, nonceSize)
		rand.Read(p.Nonce) // never fails
	}
	if p.Timestamp.IsZero() {
		p.Timestamp = time.Now()
	}
	txID := ComputeTxID(p.Nonce, p.Creator)
	b, err := p.marshal(txID)
	if err != nil {
		return nil, errors.Wrap(err, "make proposal")
	}
	signed := &pb.SignedProposal{ProposalBytes: b}
	if p.Signer != nil {
		if signed.Signature, err = p.Signer.Sign(b); err != nil {
			return nil, errors.Wrap(err, "make proposal: sign")
		}
	}
	return &Proposal{
		TxID:      txID,
		Timestamp: p.Timestamp.UTC(),
		Binding:   computeBinding(p.Nonce, p.Creator, 0),
		Signed:    signed,
	}, nil
}

// ComputeTxID returns the transaction ID that follows from nonce and creator: SHA-256 over both, in lower-case hex (Fabric:
// protoutil.ComputeTxID). It only reads them.
func ComputeTxID(nonce, creator []byte) string {
	h := sha256.New()
	h.Write(nonce)
	h.Write(creator)
	return hex.EncodeToString(h.Sum(nil))
}

func computeBinding(nonce, creator []byte, epoch uint64) []byte {
	h := sha256.New()
	h.Write(nonce)
	h.Write(creator)
	h.Write(binary.LittleEndian.AppendUint64(nil, epoch))
	return h.Sum(nil)
}

// marshal returns the bytes of the proposal, in which messages are nested as bytes.
func (p *ProposalParams) marshal(txID string) ([]byte, error) {
	var m nested
	id := &pb.ChaincodeID{Name: p.Chaincode}
	header := m.marshal(&pb.Header{
		ChannelHeader: m.marshal(&pb.ChannelHeader{
			Type:      int32(pb.HeaderType_ENDORSER_TRANSACTION),
			Timestamp: timestamppb.New(p.Timestamp),
			ChannelId: p.ChannelID,
			TxId:      txID,
			Extension: m.marshal(&pb.ChaincodeHeaderExtension{ChaincodeId: id}),
		}),
		SignatureHeader: m.marshal(&pb.SignatureHeader{Creator: p.Creator, Nonce: p.Nonce}),
	})
	payload := m.marshal(&pb.ChaincodeProposalPayload{
		Input: m.marshal(&pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{
			ChaincodeId: id,
			Input:       &pb.ChaincodeInput{Args: p.Args, IsInit: p.IsInit},
		}}),
		TransientMap: p.Transient,
	})
	return m.marshal(&pb.Proposal{Header: header, Payload: payload}), m.err
}

// nested marshals messages that are nested in one another, and keeps the first error.
type nested struct{ err error }

func (n *nested) marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil && n.err == nil {
		n.err = errors.Wrapf(err, "marshal %s", m.ProtoReflect().Descriptor().Name())
	}
	return b
}
