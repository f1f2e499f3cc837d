package channelconfig

import (
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Read returns what a configuration says, of this package or of Fabric's. It refuses what would keep a peer of Fabric from the
// channel: certificates and policies that can't be read, and numbers that mean nothing. What it doesn't know is overlooked, so look
// at Capabilities if it matters. Organizations are in the order of their names.
func Read(config *pb.Config) (*Channel, error) {
	c, err := read(config)
	if err != nil {
		return nil, errors.WithMessage(err, "read configuration")
	}
	return c, nil
}

func read(config *pb.Config) (*Channel, error) {
	root := config.GetChannelGroup()
	if root == nil {
		return nil, errors.New("there is no channel group")
	}
	c := &Channel{Sequence: config.GetSequence()}
	var (
		hashing   pb.HashingAlgorithm
		structure pb.BlockDataHashingStructure
		addresses pb.OrdererAddresses
	)
	r := &reader{msps: map[string][]byte{}}
	r.value(root, hashingValue, &hashing)
	r.value(root, structureValue, &structure)
	r.value(root, addressesValue, &addresses)
	c.Addresses, c.Capabilities, c.Policies = addresses.GetAddresses(), r.capabilities(root), r.policies(root)
	if name := hashing.GetName(); name != "SHA256" && name != "SHA3_256" { // which nobody uses: blocks are hashed with SHA-256
		r.keep(errors.Errorf("hashing algorithm is %.64q, want SHA256", name))
	}
	if width := structure.GetWidth(); width != math.MaxUint32 {
		r.keep(errors.Errorf("the width of hashing is %d, want %d", width, uint32(math.MaxUint32)))
	}
	for name, g := range root.GetGroups() {
		switch name {
		case applicationGroup:
			c.Application = r.application(g)
		case ordererGroup:
			c.Orderer = r.orderer(g)
		default:
			r.keep(errors.Errorf("there is a group %.64q: only channels of applications are known", name))
		}
	}
	return c, r.err
}

// reader reads groups. It goes on after an error, and keeps the first one.
type reader struct {
	err  error
	msps map[string][]byte // values, by the IDs of the MSPs
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// value decodes a value if it is there.
func (r *reader) value(g *pb.ConfigGroup, name string, into proto.Message) {
	if err := proto.Unmarshal(g.GetValues()[name].GetValue(), into); err != nil {
		r.keep(errors.Wrapf(err, "decode value %s", name))
	}
}

func (r *reader) capabilities(g *pb.ConfigGroup) []string {
	var c pb.Capabilities
	r.value(g, capabilitiesValue, &c)
	return append([]string{}, slices.Sorted(maps.Keys(c.GetCapabilities()))...)
}

func (r *reader) policies(g *pb.ConfigGroup) Policies {
	all := Policies{}
	for name, m := range g.GetPolicies() {
		p, err := readPolicy(m.GetPolicy())
		r.keep(errors.WithMessagef(err, "policy %.64q", name))
		all[name] = p
	}
	return all
}

func (r *reader) application(g *pb.ConfigGroup) (a Application) {
	var acls pb.ACLs
	r.value(g, aclsValue, &acls)
	for resource, of := range acls.GetAcls() {
		if policy := of.GetPolicyRef(); policy != "" {
			if a.ACLs == nil {
				a.ACLs = map[string]string{}
			}
			if policy[0] != '/' { // as Fabric has it (acls.go)
				policy = pathRoot + applicationGroup + "/" + policy
			}
			a.ACLs[resource] = policy
		}
	}
	a.Capabilities, a.Policies, a.Organizations = r.capabilities(g), r.policies(g), r.organizations(g)
	return a
}

func (r *reader) orderer(g *pb.ConfigGroup) (o Orderer) {
	var (
		consensus pb.ConsensusType
		size      pb.BatchSize
		timeout   pb.BatchTimeout
	)
	r.value(g, consensusValue, &consensus)
	r.value(g, batchSizeValue, &size)
	r.value(g, batchTimeoutValue, &timeout)
	o = Orderer{Consensus: consensus.GetType(), ConsensusMetadata: consensus.GetMetadata(), Batch: Batch{
		MaxMessageCount: size.GetMaxMessageCount(), AbsoluteMaxBytes: size.GetAbsoluteMaxBytes(), PreferredMaxBytes: size.GetPreferredMaxBytes(),
	}}
	var err error
	if o.Batch.Timeout, err = time.ParseDuration(timeout.GetTimeout()); err != nil {
		r.keep(errors.Wrap(err, "batch timeout"))
	}
	r.keep(o.Batch.check())
	o.Capabilities, o.Policies, o.Organizations = r.capabilities(g), r.policies(g), r.organizations(g)
	return o
}

func (r *reader) organizations(g *pb.ConfigGroup) (all []Organization) {
	for _, name := range slices.Sorted(maps.Keys(g.GetGroups())) {
		o, err := r.organization(g.GetGroups()[name])
		r.keep(errors.WithMessagef(err, "organization %.64q", name))
		o.Name = name
		all = append(all, o)
	}
	return all
}

func (r *reader) organization(g *pb.ConfigGroup) (o Organization, err error) {
	if n := len(g.GetGroups()); n > 0 {
		return o, errors.Errorf("it has %d groups below it, want none", n)
	}
	if o.MSP, err = r.msp(g.GetValues()[mspValue].GetValue()); err != nil {
		return o, err
	}
	var (
		peers     pb.AnchorPeers
		endpoints pb.OrdererAddresses
	)
	r.value(g, anchorPeersValue, &peers)
	r.value(g, endpointsValue, &endpoints)
	for _, p := range peers.GetAnchorPeers() {
		o.AnchorPeers = append(o.AnchorPeers, net.JoinHostPort(p.GetHost(), strconv.Itoa(int(p.GetPort()))))
	}
	o.Endpoints, o.Policies = endpoints.GetAddresses(), r.policies(g)
	return o, nil
}

// msp reads an MSP. An organization that orders may be a member, too, but can't have another MSP there.
func (r *reader) msp(value []byte) (identity.Organization, error) {
	o, err := readMSPConfig(value)
	if err != nil {
		return o, err
	}
	if before, ok := r.msps[o.MSPID]; ok && !sameMessage(before, value) {
		return o, errors.Errorf("attempted to define two different versions of MSP: %s", o.MSPID)
	}
	r.msps[o.MSPID] = value
	return o, nil
}

// sameMessage reports whether two values, which can be decoded, are the same MSP.
func sameMessage(a, b []byte) bool {
	var one, other pb.MSPConfig
	return proto.Unmarshal(a, &one) == nil && proto.Unmarshal(b, &other) == nil && proto.Equal(&one, &other)
}
