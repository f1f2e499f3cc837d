package discovery

import (
	"net"
	"strconv"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// The names that groups and values have in a channel's configuration (Fabric: channelconfig).
const (
	ordererGroup     = "Orderer"
	applicationGroup = "Application"
	mspValue         = "MSP"
	endpointsValue   = "Endpoints"
	addressesValue   = "OrdererAddresses"
)

// fabricMSP is the type of MSPs whose members have X.509 certificates. Others are left out, as in Fabric.
const fabricMSP = 0

// FromConfig returns what clients are told of a channel's configuration: the MSPs of all its organizations, and where the orderers are
// (Fabric: discovery/support/config). Orderers whose organization names no endpoints have those of the channel, if no other
// organization names any.
func FromConfig(c *pb.Config) (*pb.ConfigResult, error) {
	groups := c.GetChannelGroup().GetGroups()
	for _, name := range []string{ordererGroup, applicationGroup} {
		if groups[name] == nil {
			return nil, errors.Errorf("config is invalid: key Config.ChannelGroup.Groups[%s] is missing", name)
		}
	}
	result := &pb.ConfigResult{Msps: map[string]*pb.FabricMSPConfig{}, Orderers: map[string]*pb.Endpoints{}}
	named := false
	for _, g := range groups[ordererGroup].GetGroups() {
		m, err := mspOf(g)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		result.Msps[m.GetName()] = m
		own, err := addresses(g.GetValues()[endpointsValue])
		if err != nil {
			return nil, err
		}
		named = named || len(own) > 0
		result.Orderers[m.GetName()] = Endpoints(own...)
	}
	for _, g := range groups[applicationGroup].GetGroups() {
		m, err := mspOf(g)
		if err != nil {
			return nil, err
		}
		if m != nil && result.Msps[m.GetName()] == nil {
			result.Msps[m.GetName()] = m
		}
	}
	common, err := addresses(c.GetChannelGroup().GetValues()[addressesValue])
	if err != nil || named {
		return result, err
	}
	for mspID := range result.Orderers {
		result.Orderers[mspID] = Endpoints(common...)
	}
	return result, nil
}

// Endpoints returns addresses in the form in which clients get them. Those that are no host:port are left out.
func Endpoints(addresses ...string) *pb.Endpoints {
	all := new(pb.Endpoints)
	for _, a := range addresses {
		host, text, err := net.SplitHostPort(a)
		if err != nil {
			continue
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			continue
		}
		all.Endpoint = append(all.Endpoint, &pb.Endpoint{Host: host, Port: uint32(port)})
	}
	return all
}

// mspOf returns the MSP of an organization, or nil if it is one that clients can't use.
func mspOf(g *pb.ConfigGroup) (*pb.FabricMSPConfig, error) {
	var m pb.MSPConfig
	if err := proto.Unmarshal(g.GetValues()[mspValue].GetValue(), &m); err != nil {
		return nil, errors.Wrap(err, "failed parsing MSPConfig")
	}
	if m.GetType() != fabricMSP {
		return nil, nil
	}
	f := new(pb.FabricMSPConfig)
	if err := proto.Unmarshal(m.GetConfig(), f); err != nil {
		return nil, errors.Wrap(err, "failed marshaling FabricMSPConfig")
	}
	return f, nil
}

// addresses are those that a value has.
func addresses(v *pb.ConfigValue) ([]string, error) {
	var all pb.OrdererAddresses
	err := proto.Unmarshal(v.GetValue(), &all)
	return all.GetAddresses(), errors.Wrap(err, "failed unmarshalling orderer addresses")
}
