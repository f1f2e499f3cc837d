package channelconfig

import (
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The names of groups and values.
const (
	channelGroup     = "Channel"
	applicationGroup = "Application"
	ordererGroup     = "Orderer"

	mspValue          = "MSP"
	anchorPeersValue  = "AnchorPeers"
	endpointsValue    = "Endpoints"
	capabilitiesValue = "Capabilities"
	aclsValue         = "ACLs"
	hashingValue      = "HashingAlgorithm"
	structureValue    = "BlockDataHashingStructure"
	addressesValue    = "OrdererAddresses"
	consensusValue    = "ConsensusType"
	batchSizeValue    = "BatchSize"
	batchTimeoutValue = "BatchTimeout"
	restrictionsValue = "ChannelRestrictions"
)

// What a channel has that doesn't say anything else.
const (
	defaultConsensus         = "solo"
	defaultMaxMessageCount   = 500
	defaultAbsoluteMaxBytes  = 10 << 20
	defaultPreferredMaxBytes = 2 << 20
	defaultTimeout           = 2 * time.Second
)

// ordererAdmins is whom addresses of orderers are left to.
const ordererAdmins = pathRoot + ordererGroup + "/" + Admins

// complete returns the channel with what was left zero.
func (c Channel) complete() Channel {
	if c.Policies == nil {
		c.Policies = implicit(nil)
	}
	if c.Capabilities == nil {
		c.Capabilities = []string{"V2_0"}
	}
	a := &c.Application
	if a.Policies == nil {
		most := Policy{Rule: policies.MajorityRule, Of: Endorsement}
		a.Policies = implicit(Policies{Endorsement: most, LifecycleEndorsement: most})
	}
	if a.Capabilities == nil {
		a.Capabilities = []string{"V2_5"}
	}
	a.Organizations = withPolicies(a.Organizations, MemberPolicies)
	o := &c.Orderer
	if o.Policies == nil {
		o.Policies = implicit(Policies{BlockValidation: {Rule: policies.AnyRule, Of: Writers}})
	}
	if o.Capabilities == nil {
		o.Capabilities = []string{"V2_0"}
	}
	if o.Consensus == "" {
		o.Consensus = defaultConsensus
	}
	o.Batch = o.Batch.complete()
	o.Organizations = withPolicies(o.Organizations, ordererPolicies)
	return c
}

func withPolicies(organizations []Organization, of func(mspID string) Policies) []Organization {
	organizations = slices.Clone(organizations)
	for i := range organizations {
		if o := &organizations[i]; o.Policies == nil {
			o.Policies = of(o.MSP.MSPID)
		}
	}
	return organizations
}

func (b Batch) complete() Batch {
	if b.MaxMessageCount == 0 {
		b.MaxMessageCount = defaultMaxMessageCount
	}
	if b.AbsoluteMaxBytes == 0 {
		b.AbsoluteMaxBytes = max(defaultAbsoluteMaxBytes, b.PreferredMaxBytes)
	}
	if b.PreferredMaxBytes == 0 {
		b.PreferredMaxBytes = min(defaultPreferredMaxBytes, b.AbsoluteMaxBytes)
	}
	if b.Timeout == 0 {
		b.Timeout = defaultTimeout
	}
	return b
}

// check returns an error for what Fabric refuses.
func (b Batch) check() error {
	switch {
	case b.MaxMessageCount == 0, b.AbsoluteMaxBytes == 0, b.PreferredMaxBytes == 0, b.Timeout <= 0:
		return errors.Errorf("batch is %+v, want nothing but positive numbers", b)
	case b.PreferredMaxBytes > b.AbsoluteMaxBytes:
		return errors.Errorf("batch has %d preferred bytes, want at most the absolute %d", b.PreferredMaxBytes, b.AbsoluteMaxBytes)
	}
	return nil
}

// Config returns the configuration in the form in which it is sent, as far as it was left zero with what Fabric's samples have.
func (c Channel) Config() (*pb.Config, error) {
	c = c.complete()
	if err := c.Orderer.Batch.check(); err != nil {
		return nil, errors.WithMessage(err, "make configuration")
	}
	w := &writer{}
	root := w.group(c.Policies)
	w.value(root, hashingValue, &pb.HashingAlgorithm{Name: "SHA256"})
	w.value(root, structureValue, &pb.BlockDataHashingStructure{Width: math.MaxUint32})
	w.value(root, capabilitiesValue, capabilities(c.Capabilities))
	if len(c.Addresses) > 0 {
		w.value(root, addressesValue, &pb.OrdererAddresses{Addresses: c.Addresses})
		root.Values[addressesValue].ModPolicy = ordererAdmins
	}
	root.Groups = map[string]*pb.ConfigGroup{applicationGroup: w.application(c.Application), ordererGroup: w.orderer(c.Orderer)}
	return &pb.Config{Sequence: c.Sequence, ChannelGroup: root}, errors.WithMessage(w.err, "make configuration")
}

// writer makes groups. It goes on after an error, and keeps the first one.
type writer struct{ err error }

func (w *writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) group(all Policies) *pb.ConfigGroup {
	g := &pb.ConfigGroup{Values: map[string]*pb.ConfigValue{}, Policies: map[string]*pb.ConfigPolicy{}, ModPolicy: Admins}
	for name, p := range all {
		m, err := p.message()
		w.keep(errors.WithMessagef(err, "policy %q", name))
		g.Policies[name] = &pb.ConfigPolicy{Policy: m, ModPolicy: Admins}
	}
	return g
}

func (w *writer) value(g *pb.ConfigGroup, name string, m proto.Message) {
	b, err := marshal(m)
	w.keep(err)
	g.Values[name] = &pb.ConfigValue{Value: b, ModPolicy: Admins}
}

func (w *writer) application(a Application) *pb.ConfigGroup {
	g := w.group(a.Policies)
	w.value(g, capabilitiesValue, capabilities(a.Capabilities))
	if len(a.ACLs) > 0 {
		acls := &pb.ACLs{Acls: map[string]*pb.APIResource{}}
		for resource, policy := range a.ACLs {
			acls.Acls[resource] = &pb.APIResource{PolicyRef: policy}
		}
		w.value(g, aclsValue, acls)
	}
	w.organizations(g, a.Organizations)
	return g
}

func (w *writer) orderer(o Orderer) *pb.ConfigGroup {
	g := w.group(o.Policies)
	w.value(g, consensusValue, &pb.ConsensusType{Type: o.Consensus, Metadata: o.ConsensusMetadata})
	w.value(g, batchSizeValue, &pb.BatchSize{
		MaxMessageCount: o.Batch.MaxMessageCount, AbsoluteMaxBytes: o.Batch.AbsoluteMaxBytes, PreferredMaxBytes: o.Batch.PreferredMaxBytes,
	})
	w.value(g, batchTimeoutValue, &pb.BatchTimeout{Timeout: o.Batch.Timeout.String()})
	w.value(g, restrictionsValue, &pb.ChannelRestrictions{})
	w.value(g, capabilitiesValue, capabilities(o.Capabilities))
	w.organizations(g, o.Organizations)
	return g
}

func (w *writer) organizations(g *pb.ConfigGroup, all []Organization) {
	g.Groups = map[string]*pb.ConfigGroup{}
	for _, o := range all {
		name := o.name()
		if name == "" || g.Groups[name] != nil {
			w.keep(errors.Errorf("organization %q is there twice, or has no name", name))
		}
		g.Groups[name] = w.organization(o)
	}
}

func (w *writer) organization(o Organization) *pb.ConfigGroup {
	g := w.group(o.Policies)
	config, err := marshal(MSP(o.MSP))
	w.keep(err)
	w.value(g, mspValue, &pb.MSPConfig{Type: fabricMSP, Config: config})
	if len(o.AnchorPeers) > 0 {
		peers := &pb.AnchorPeers{}
		for _, address := range o.AnchorPeers {
			host, port, err := splitAddress(address)
			w.keep(errors.WithMessage(err, "anchor peer"))
			peers.AnchorPeers = append(peers.AnchorPeers, &pb.AnchorPeer{Host: host, Port: port})
		}
		w.value(g, anchorPeersValue, peers)
	}
	if len(o.Endpoints) > 0 {
		w.value(g, endpointsValue, &pb.OrdererAddresses{Addresses: o.Endpoints})
	}
	return g
}

func splitAddress(address string) (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, errors.Wrap(err, "take address apart")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, int32(n), errors.Wrapf(err, "port of %s", address) //nolint:gosec // it has 16 bits
}

func capabilities(names []string) *pb.Capabilities {
	c := &pb.Capabilities{Capabilities: map[string]*pb.Capability{}}
	for _, name := range names {
		c.Capabilities[name] = &pb.Capability{}
	}
	return c
}
