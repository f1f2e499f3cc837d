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
	// ChannelID is the channel that the transaction is for. It is empty for a call without a channel.
	ChannelID string
	// TxID is the transaction's ID. ParseProposal has checked that it follows from nonce and creator.
	TxID string
	// Chaincode is the name of the chaincode that is called. It is taken from the channel header's extension, because
	// Fabric's peers go by that, whatever else the proposal says.
	Chaincode string
	// Args are the arguments of the call.
	Args [][]byte
	// IsInit says that the call initializes the chaincode.
	IsInit bool
	// Transient is data that the chaincode gets beside its arguments, by name. It is not recorded.
	Transient map[string][]byte
	// Creator says who asks: a marshalled SerializedIdentity. ParseProposal does not look into it. Use Verify to find out
	// whether the proposal is really the creator's.
	Creator []byte
	// Nonce makes the transaction ID unique.
	Nonce []byte
	// Timestamp is when the proposal was made, as its creator says, in UTC. It is zero if the creator doesn't say.
	Timestamp time.Time
	// Binding ties the transient map to the proposal. It is SHA-256 over nonce, creator and the epoch.
	Binding []byte

	proposalBytes []byte
	signature     []byte
}

// ParseProposal takes a signed proposal apart. An error says which part of it is wrong. It accepts what Fabric's peers
// accept before they look at creator and signature (core/endorser, msgvalidation.go), and what shims accept.
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

// MSPID returns the ID of the MSP that Creator names. It is only a claim until Verify has checked it.
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
		bytes func() []byte // of the outer message, in which these bytes are
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
	if got, want := l.channel.GetTxId(), ComputeTxID(l.signature.GetNonce(), l.signature.GetCreator()); got != want {
		return errors.Errorf("transaction ID is %.64q, want %s, which follows from nonce and creator", got, want)
	}
	return nil
}
