package identity

import (
	"bytes"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ParsedProposal is what a client's proposal says. It shares no memory with the proposal.
type ParsedProposal struct {
	// ChannelID is the channel that the transaction is for. Empty for a call without one.
	ChannelID string
	// TxID is the transaction's ID. ParseProposal has checked that it is the one that follows from nonce and creator.
	TxID string
	// Chaincode is the name of the chaincode that is called, as the channel header's extension has it: that is the
	// one that Fabric's peers go by, whatever else the proposal says.
	Chaincode string
	// Args are the arguments of the call.
	Args [][]byte
	// IsInit says that the call is the one that initializes the chaincode.
	IsInit bool
	// Transient is what the chaincode gets besides its arguments and what is not recorded, by name.
	Transient map[string][]byte
	// Creator is who asks, a marshalled SerializedIdentity. ParseProposal does not look into it, and whether it asks at all
	// is for Verify to find out.
	Creator []byte
	// Nonce is what makes the transaction ID unique.
	Nonce []byte
	// Timestamp is when the proposal was made, as its creator says, in UTC. Zero if it doesn't.
	Timestamp time.Time
	// Binding is what Proposal.Binding says.
	Binding []byte

	proposalBytes []byte
	signature     []byte
}

// ParseProposal takes a signed proposal apart. The errors say which part of it is wrong; what is right to ParseProposal is right to
// Fabric's peers before they look at creator and signature (core/endorser, msgvalidation.go), and to shims.
func ParseProposal(signed *pb.SignedProposal) (*ParsedProposal, error) {
	if len(signed.GetProposalBytes()) == 0 {
		return nil, errors.New("parse proposal: it is empty")
	}
	var l layers
	if err := l.open(signed.GetProposalBytes()); err != nil {
		return nil, errors.WithMessage(err, "parse proposal")
	}
	if err := l.check(); err != nil {
		return nil, errors.WithMessage(err, "parse proposal")
	}
	input := l.call.GetChaincodeSpec().GetInput()
	p := &ParsedProposal{
		ChannelID:     l.channel.GetChannelId(),
		TxID:          l.channel.GetTxId(),
		Chaincode:     l.extension.GetChaincodeId().GetName(),
		Args:          input.GetArgs(),
		IsInit:        input.GetIsInit(),
		Transient:     l.payload.GetTransientMap(),
		Creator:       l.signature.GetCreator(),
		Nonce:         l.signature.GetNonce(),
		Binding:       computeBinding(l.signature.GetNonce(), l.signature.GetCreator(), l.channel.GetEpoch()),
		proposalBytes: bytes.Clone(signed.GetProposalBytes()),
		signature:     bytes.Clone(signed.GetSignature()),
	}
	if t := l.channel.GetTimestamp(); t != nil {
		p.Timestamp = t.AsTime()
	}
	return p, nil
}

// MSPID returns the ID of the MSP that Creator names: of which the proposal claims to be, until Verify says so.
func (p *ParsedProposal) MSPID() (string, error) {
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(p.Creator, &id); err != nil {
		return "", errors.Wrap(err, "decode creator")
	}
	return id.GetMspid(), nil
}

// layers are the messages of a proposal, which are nested as bytes.
type layers struct {
	channel   pb.ChannelHeader
	extension pb.ChaincodeHeaderExtension
	signature pb.SignatureHeader
	payload   pb.ChaincodeProposalPayload
	call      pb.ChaincodeInvocationSpec
}

func (l *layers) open(proposalBytes []byte) error {
	var (
		prop   pb.Proposal
		header pb.Header
	)
	for _, layer := range []struct {
		bytes func() []byte // of a message that is above
		into  proto.Message
	}{
		{func() []byte { return proposalBytes }, &prop},
		{prop.GetHeader, &header},
		{header.GetChannelHeader, &l.channel},
		{l.channel.GetExtension, &l.extension},
		{header.GetSignatureHeader, &l.signature},
		{prop.GetPayload, &l.payload},
		{l.payload.GetInput, &l.call},
	} {
		name := layer.into.ProtoReflect().Descriptor().Name()
		b := layer.bytes()
		if len(b) == 0 {
			return errors.Errorf("%s is missing", name)
		}
		if err := proto.Unmarshal(b, layer.into); err != nil {
			return errors.Wrapf(err, "decode %s", name)
		}
	}
	return nil
}

func (l *layers) check() error {
	switch t := pb.HeaderType(l.channel.GetType()); t {
	case pb.HeaderType_ENDORSER_TRANSACTION, pb.HeaderType_CONFIG: // Fabric and its shims accept both
	default:
		return errors.Errorf("header type is %s, want %s", t, pb.HeaderType_ENDORSER_TRANSACTION)
	}
	switch {
	case l.channel.GetEpoch() != 0:
		return errors.Errorf("epoch is %d, want 0", l.channel.GetEpoch())
	case len(l.signature.GetNonce()) == 0:
		return errors.New("nonce is empty")
	case len(l.signature.GetCreator()) == 0:
		return errors.New("creator is empty")
	case l.extension.GetChaincodeId().GetName() == "":
		return errors.New("ChaincodeHeaderExtension names no chaincode")
	case l.call.GetChaincodeSpec().GetInput() == nil:
		return errors.New("ChaincodeInvocationSpec has no input")
	}
	if t := l.channel.GetTimestamp(); t != nil && !t.IsValid() {
		return errors.Errorf("timestamp of %d s and %d ns is out of range", t.GetSeconds(), t.GetNanos())
	}
	if got, want := l.channel.GetTxId(), computeTxID(l.signature.GetNonce(), l.signature.GetCreator()); got != want {
		return errors.Errorf("transaction ID is %.64q, want %s, which follows from nonce and creator", got, want)
	}
	return nil
}
