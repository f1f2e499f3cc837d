package gateway

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// proposal is what a gateway looks at in a proposal.
type proposal struct {
	signed    *pb.SignedProposal
	channelID string
	spec      *pb.ChaincodeSpec
	transient bool
}

// chaincode is the name of the chaincode that is called. Fabric's gateway takes it from here, and its endorser from the header.
func (p *proposal) chaincode() string { return p.spec.GetChaincodeId().GetName() }

// decode takes a proposal apart, with the texts of Fabric's protoutil.
func decode(signed *pb.SignedProposal) (*proposal, error) {
	var (
		outer   pb.Proposal
		header  pb.Header
		channel pb.ChannelHeader
		payload pb.ChaincodeProposalPayload
		call    pb.ChaincodeInvocationSpec
	)
	for _, layer := range []struct {
		bytes func() []byte // of the outer message, in which these bytes are
		into  proto.Message
	}{
		{signed.GetProposalBytes, &outer},
		{outer.GetHeader, &header},
		{header.GetChannelHeader, &channel},
		{outer.GetPayload, &payload},
		{payload.GetInput, &call},
	} {
		if err := proto.Unmarshal(layer.bytes(), layer.into); err != nil {
			return nil, errors.Wrapf(err, "error unmarshalling %s", layer.into.ProtoReflect().Descriptor().Name())
		}
	}
	return &proposal{signed: signed, channelID: channel.GetChannelId(), spec: call.GetChaincodeSpec(), transient: len(payload.GetTransientMap()) > 0}, nil
}

// decodeWhole is decode for proposals that must name a channel and a chaincode.
func decodeWhole(signed *pb.SignedProposal) (*proposal, error) {
	if len(signed.GetProposalBytes()) == 0 {
		return nil, errors.New("a signed proposal is required")
	}
	p, err := decode(signed)
	switch {
	case err != nil:
		return nil, err
	case p.channelID == "":
		return nil, errors.New("no channel id provided")
	case p.spec == nil:
		return nil, errors.Errorf("no chaincode spec is provided, channel id [%s]", p.channelID)
	case p.spec.GetChaincodeId() == nil:
		return nil, errors.Errorf("no chaincode id is provided, channel id [%s]", p.channelID)
	case p.chaincode() == "":
		return nil, errors.Errorf("no chaincode name is provided, channel id [%s]", p.channelID)
	}
	return p, nil
}
