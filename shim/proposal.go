package shim

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// proposal is what a transaction can tell of the proposal that it is run for. The zero value is that of a
// transaction without one.
type proposal struct {
	signed    *pb.SignedProposal
	creator   []byte
	nonce     []byte
	epoch     uint64
	timestamp *timestamppb.Timestamp
	transient map[string][]byte
}

// parseProposal takes a signed proposal apart. Its errors are the official shim's.
func parseProposal(signed *pb.SignedProposal) (proposal, error) {
	if signed == nil {
		return proposal{}, nil
	}
	var (
		prop      pb.Proposal
		header    pb.Header
		channel   pb.ChannelHeader
		signature pb.SignatureHeader
		payload   pb.ChaincodeProposalPayload
	)
	if err := proto.Unmarshal(signed.GetProposalBytes(), &prop); err != nil {
		return proposal{}, errors.Wrap(err, "failed to extract Proposal from SignedProposal")
	}
	if len(prop.GetHeader()) == 0 {
		return proposal{}, errors.New("failed to extract Proposal fields: proposal header is nil")
	}
	if err := proto.Unmarshal(prop.GetHeader(), &header); err != nil {
		return proposal{}, errors.Wrap(err, "failed to extract proposal header")
	}
	if err := proto.Unmarshal(header.GetChannelHeader(), &channel); err != nil {
		return proposal{}, errors.Wrap(err, "failed to extract channel header")
	}
	if typ := pb.HeaderType(channel.GetType()); typ != pb.HeaderType_ENDORSER_TRANSACTION && typ != pb.HeaderType_CONFIG {
		return proposal{}, errors.Errorf("invalid channel header type. Expected %s or %s, received %s",
			pb.HeaderType_ENDORSER_TRANSACTION, pb.HeaderType_CONFIG, typ)
	}
	if err := proto.Unmarshal(header.GetSignatureHeader(), &signature); err != nil {
		return proposal{}, errors.Wrap(err, "failed to extract signature header")
	}
	if err := proto.Unmarshal(prop.GetPayload(), &payload); err != nil {
		return proposal{}, errors.Wrap(err, "failed to extract proposal payload")
	}
	return proposal{
		signed:    signed,
		creator:   signature.GetCreator(),
		nonce:     signature.GetNonce(),
		epoch:     channel.GetEpoch(),
		timestamp: channel.GetTimestamp(),
		transient: payload.GetTransientMap(),
	}, nil
}

// binding is SHA-256(nonce, creator, epoch as 8 bytes little-endian).
func (p *proposal) binding() []byte {
	if p.signed == nil {
		return nil
	}
	b := make([]byte, 0, len(p.nonce)+len(p.creator)+8)
	b = append(append(b, p.nonce...), p.creator...)
	digest := sha256.Sum256(binary.LittleEndian.AppendUint64(b, p.epoch))
	return digest[:]
}
