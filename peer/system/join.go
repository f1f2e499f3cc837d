package system

import (
	"fmt"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// joinChain takes the peer to a channel by its first block. As in Fabric, the block comes before the question who asks.
func (c *call) joinChain(encoded []byte) *pb.Response {
	genesis := new(pb.Block)
	if err := proto.Unmarshal(encoded, genesis); err != nil {
		return shim.Error(fmt.Sprintf("Failed to reconstruct the genesis block, error unmarshalling Block: %s", err))
	}
	_, header, err := open(genesis)
	if err != nil {
		return shim.Error(fmt.Sprintf("\"JoinChain\" request failed to extract channel id from the block due to [%s]", err))
	}
	channelID := header.GetChannelId()
	if err := checkGenesis(genesis); err != nil {
		return shim.Error(fmt.Sprintf("\"JoinChain\" for channelID = %s failed because of validation of configuration block, because of %s", channelID, err))
	}
	if err := c.check("cscc/JoinChain", ""); err != nil {
		return shim.Error(fmt.Sprintf("access denied for [JoinChain][%s]: [%s]", channelID, err))
	}
	switch {
	case c.cfg.Channel(channelID) != nil:
		err = errors.Errorf("ledger [%s] already exists with state [ACTIVE]", channelID)
	case c.cfg.Join == nil:
		err = errors.New("this peer can't be taken to a channel by a client")
	default:
		err = c.cfg.Join(c.ctx, channelID, genesis)
	}
	if err != nil {
		return shim.Error("cannot create ledger from genesis block: " + err.Error())
	}
	return shim.Success(nil)
}

// joinBySnapshot refuses: snapshots of ledgers are nothing that this library has.
func (c *call) joinBySnapshot(folder string) *pb.Response {
	if folder == "" {
		return shim.Error("Cannot join the channel, no snapshot directory provided")
	}
	if err := c.check("cscc/JoinChainBySnapshot", ""); err != nil {
		return shim.Error(fmt.Sprintf("access denied for [JoinChainBySnapshot]: [%s]", err))
	}
	return shim.Error(fmt.Sprintf("cannot create ledger from snapshot %s: this peer reads no snapshots", folder))
}

// open returns the payload and the channel header of a block's first envelope. The texts are Fabric's (protoutil,
// GetChannelIDFromBlock).
func open(b *pb.Block) (*pb.Payload, *pb.ChannelHeader, error) {
	if len(b.GetData().GetData()) == 0 {
		return nil, nil, errors.New("failed to retrieve channel id - block is empty")
	}
	var (
		envelope pb.Envelope
		payload  = new(pb.Payload)
		header   = new(pb.ChannelHeader)
	)
	if err := proto.Unmarshal(b.GetData().GetData()[0], &envelope); err != nil {
		return nil, nil, errors.Wrap(err, "error unmarshalling Envelope")
	}
	if err := proto.Unmarshal(envelope.GetPayload(), payload); err != nil {
		return nil, nil, errors.Wrap(err, "error unmarshalling Payload")
	}
	if payload.GetHeader() == nil {
		return nil, nil, errors.New("failed to retrieve channel id - payload header is empty")
	}
	err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), header)
	return payload, header, errors.Wrap(err, "error unmarshalling ChannelHeader")
}

// checkGenesis returns why a block can't be the first one of a channel, or nil.
func checkGenesis(b *pb.Block) error {
	payload, header, err := open(b)
	if err != nil {
		return err
	}
	if t := pb.HeaderType(header.GetType()); t != pb.HeaderType_CONFIG {
		return errors.Errorf("Bad configuration envelope: invalid type %s, expected %s", t, pb.HeaderType_CONFIG)
	}
	var config pb.ConfigEnvelope
	if err := proto.Unmarshal(payload.GetData(), &config); err != nil {
		return errors.Errorf("Bad configuration envelope: error unmarshalling message for type %s: %s", pb.HeaderType_CONFIG, err)
	}
	group := config.GetConfig().GetChannelGroup()
	switch {
	case config.GetConfig() == nil:
		return errors.New("Nil config envelope Config")
	case group == nil:
		return errors.New("Nil channel group")
	case len(group.GetGroups()) == 0:
		return errors.New("No channel configuration groups are available")
	case group.GetGroups()["Application"] == nil:
		return errors.New("Invalid configuration block, missing Application configuration group")
	}
	return nil
}
