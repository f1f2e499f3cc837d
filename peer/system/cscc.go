package system

import (
	"fmt"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// The functions of cscc that need no second argument.
const (
	getChannels          = "GetChannels"
	joinBySnapshotStatus = "JoinBySnapshotStatus"
)

// cscc runs a function, whose arguments are its name and in most cases a channel's ID (Fabric: core/scc/cscc, configure.go).
func cscc(c *call) *pb.Response {
	if len(c.args) < 1 || len(c.args) < 2 && c.function() != getChannels && c.function() != joinBySnapshotStatus {
		return shim.Error(fmt.Sprintf("Incorrect number of arguments, %d", len(c.args)))
	}
	if c.err != nil {
		return shim.Error(fmt.Sprintf("Failed getting signed proposal from stub: [%s]", c.err))
	}
	name, err := c.invoked()
	switch {
	case err != nil:
		return shim.Error(fmt.Sprintf("Failed to identify the called chaincode: %s", err))
	case name != CSCC:
		return shim.Error(fmt.Sprintf("Rejecting invoke of CSCC from another chaincode, original invocation for '%s'", name))
	}
	switch function := c.function(); function {
	case "JoinChain":
		return c.joinChain(c.args[1])
	case "JoinChainBySnapshot":
		return c.joinBySnapshot(string(c.args[1]))
	case joinBySnapshotStatus:
		return c.peerWide(func() *pb.Response { return shim.Success(nil) }) // an empty message: none is in progress
	case "GetConfigBlock":
		return c.configBlock(string(c.args[1]))
	case "GetChannelConfig":
		return c.channelConfig(string(c.args[1]))
	case getChannels:
		return c.peerWide(c.channels)
	default:
		return shim.Error(fmt.Sprintf("Requested function %s not found.", function))
	}
}

// peerWide runs a function that isn't about a channel.
func (c *call) peerWide(do func() *pb.Response) *pb.Response {
	if err := c.check("cscc/"+c.function(), ""); err != nil {
		return shim.Error(fmt.Sprintf("access denied for [%s]: %s", c.function(), err))
	}
	return do()
}

func (c *call) channels() *pb.Response {
	all := new(pb.ChannelQueryResponse)
	for _, id := range c.cfg.ChannelIDs() {
		all.Channels = append(all.Channels, &pb.ChannelInfo{ChannelId: id})
	}
	return answer(all, nil)
}

// configuration is that of a channel, if the client may see it. unknown is the text for a channel that isn't there.
func (c *call) configuration(channelID, unknown string) (Configuration, error) {
	if err := c.check("cscc/"+c.function(), channelID); err != nil {
		return nil, errors.Errorf("access denied for [%s][%s]: %s", c.function(), channelID, err)
	}
	channel := c.cfg.Channel(channelID)
	switch {
	case channel == nil:
		return nil, errors.New(unknown + channelID)
	case channel.Configuration == nil:
		return nil, errors.Errorf("channel %s has no configuration", channelID)
	}
	return channel.Configuration, nil
}

func (c *call) configBlock(channelID string) *pb.Response {
	configuration, err := c.configuration(channelID, "Unknown channel ID, ")
	if err != nil {
		return shim.Error(err.Error())
	}
	b, err := configuration.ConfigBlock(c.ctx)
	return answer(b, err)
}

func (c *call) channelConfig(channelID string) *pb.Response {
	if channelID == "" {
		return shim.Error("empty channel name provided")
	}
	configuration, err := c.configuration(channelID, "unknown channel ID, ")
	if err != nil {
		return shim.Error(err.Error())
	}
	b, err := configuration.ConfigBlock(c.ctx)
	if err != nil {
		return shim.Error(err.Error())
	}
	config, err := configOf(b)
	return answer(config.GetConfig(), err)
}

// configOf returns the configuration that a block has.
func configOf(b *pb.Block) (*pb.ConfigEnvelope, error) {
	payload, _, err := open(b)
	if err != nil {
		return nil, err
	}
	config := new(pb.ConfigEnvelope)
	return config, errors.Wrap(proto.Unmarshal(payload.GetData(), config), "decode ConfigEnvelope")
}
