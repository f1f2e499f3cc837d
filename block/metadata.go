package block

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// LastConfig returns the number of the block that has the channel's configuration, as the ordering service says it in a later block,
// or in that one. It takes the block's metadata: they say it in one slot, and those from before Fabric 1.4.2 in another. What
// nothing is said of is block 0 (Fabric: protoutil, GetLastConfigIndexFromBlock).
func LastConfig(metadata [][]byte) (uint64, error) {
	var ordered pb.OrdererBlockMetadata
	if err := metadataValue(metadata, pb.BlockMetadataIndex_SIGNATURES, &ordered); err != nil {
		return 0, err
	}
	if ordered.GetLastConfig() != nil {
		return ordered.GetLastConfig().GetIndex(), nil
	}
	var last pb.LastConfig
	err := metadataValue(metadata, pb.BlockMetadataIndex_LAST_CONFIG, &last)
	return last.GetIndex(), err
}

// metadataValue decodes what is in a slot, if there is anything.
func metadataValue(metadata [][]byte, slot pb.BlockMetadataIndex, into proto.Message) error {
	if int(slot) >= len(metadata) {
		return nil
	}
	var m pb.Metadata
	if err := proto.Unmarshal(metadata[slot], &m); err != nil {
		return errors.Wrapf(err, "decode Metadata in slot %s", slot)
	}
	return errors.Wrapf(proto.Unmarshal(m.GetValue(), into), "decode %s", into.ProtoReflect().Descriptor().Name())
}
