package ordering

import (
	"crypto/rand"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// seal fills in the metadata of a block that an orderer has to say: where the last configuration is, for new readers and old
// ones, and the orderer's signature (Fabric: orderer/common/multichannel, blockwriter.go).
func (c *channel) seal(b *pb.Block) error {
	last := &pb.LastConfig{Index: c.Head.LastConfig}
	value, err := proto.Marshal(last)
	if err != nil {
		return errors.Wrap(err, "marshal LastConfig")
	}
	slots := b.GetMetadata().GetMetadata()
	if slots[pb.BlockMetadataIndex_LAST_CONFIG], err = proto.Marshal(&pb.Metadata{Value: value}); err != nil {
		return errors.Wrap(err, "marshal Metadata")
	}
	signed := &pb.Metadata{}
	if signed.Value, err = proto.Marshal(&pb.OrdererBlockMetadata{LastConfig: last}); err != nil {
		return errors.Wrap(err, "marshal OrdererBlockMetadata")
	}
	if c.orderer.Signer != nil {
		signature, err := c.sign(b, signed.GetValue())
		if err != nil {
			return err
		}
		signed.Signatures = append(signed.Signatures, signature)
	}
	slots[pb.BlockMetadataIndex_SIGNATURES], err = proto.Marshal(signed)
	return errors.Wrap(err, "marshal Metadata")
}

// nonceSize is Fabric's.
const nonceSize = 24

// sign signs a block's header and a value.
func (c *channel) sign(b *pb.Block, value []byte) (*pb.MetadataSignature, error) {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, errors.Wrap(err, "make nonce")
	}
	by, err := proto.Marshal(&pb.SignatureHeader{Creator: c.orderer.Signer.Creator(), Nonce: nonce})
	if err != nil {
		return nil, errors.Wrap(err, "marshal SignatureHeader")
	}
	header, err := block.HeaderBytes(b.GetHeader())
	if err != nil {
		return nil, err
	}
	signature, err := c.orderer.Signer.Sign(slices.Concat(value, by, header))
	if err != nil {
		return nil, errors.WithMessage(err, "sign block")
	}
	return &pb.MetadataSignature{SignatureHeader: by, Signature: signature}, nil
}
