package channelconfig

import (
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The names of the policies that Fabric's samples have.
const (
	Readers              = "Readers"
	Writers              = "Writers"
	Admins               = "Admins"
	Endorsement          = "Endorsement"
	LifecycleEndorsement = "LifecycleEndorsement"
	BlockValidation      = "BlockValidation"
)

// MemberRoles are the roles of which the policies of an organization that is a member need one, as in Fabric's test network
// (configtx.yaml).
func MemberRoles() map[string][]identity.Role {
	return map[string][]identity.Role{
		Readers:     {identity.Admin, identity.Peer, identity.Client},
		Writers:     {identity.Admin, identity.Client},
		Admins:      {identity.Admin},
		Endorsement: {identity.Peer},
	}
}

// MemberPolicies are the policies of an organization that is a member, by MemberRoles.
func MemberPolicies(mspID string) Policies { return byRoles(mspID, MemberRoles()) }

// ordererPolicies are those of an organization that orders, as in Fabric's test network.
func ordererPolicies(mspID string) Policies {
	return byRoles(mspID, map[string][]identity.Role{Readers: {identity.Member}, Writers: {identity.Member}, Admins: {identity.Admin}})
}

func byRoles(mspID string, roles map[string][]identity.Role) Policies {
	all := Policies{}
	for name, any := range roles {
		var one []policies.Signature
		for _, role := range any {
			one = append(one, policies.SignedBy(identity.Principal{MSPID: mspID, Role: role}))
		}
		all[name] = Policy{Signature: policies.Any(one...)}
	}
	return all
}

// implicit returns policies that count those of the groups below: ANY Readers, and so on. more has further ones.
func implicit(more Policies) Policies {
	all := Policies{
		Readers: {Rule: policies.AnyRule, Of: Readers}, Writers: {Rule: policies.AnyRule, Of: Writers}, Admins: {Rule: policies.MajorityRule, Of: Admins},
	}
	maps.Copy(all, more)
	return all
}

// rules are the rules of ImplicitMetaPolicy.
var rules = map[policies.Rule]pb.ImplicitMetaPolicy_Rule{
	policies.AnyRule: pb.ImplicitMetaPolicy_ANY, policies.AllRule: pb.ImplicitMetaPolicy_ALL, policies.MajorityRule: pb.ImplicitMetaPolicy_MAJORITY,
}

// message returns the policy in the form in which it is sent.
func (p Policy) message() (*pb.Policy, error) {
	if p.Rule == "" {
		b, err := p.Signature.Marshal()
		return &pb.Policy{Type: int32(pb.Policy_SIGNATURE), Value: b}, err
	}
	rule, ok := rules[p.Rule]
	if !ok {
		return nil, errors.Errorf("rule %q is unknown", p.Rule)
	}
	b, err := marshal(&pb.ImplicitMetaPolicy{SubPolicy: p.Of, Rule: rule})
	return &pb.Policy{Type: int32(pb.Policy_IMPLICIT_META), Value: b}, err
}

// readPolicy reads a policy, as Fabric does (common/policies, policy.go).
func readPolicy(m *pb.Policy) (p Policy, err error) {
	switch pb.Policy_PolicyType(m.GetType()) {
	case pb.Policy_SIGNATURE:
		p.Signature, err = policies.Unmarshal(m.GetValue())
		return p, err
	case pb.Policy_IMPLICIT_META:
		var meta pb.ImplicitMetaPolicy
		if err := proto.Unmarshal(m.GetValue(), &meta); err != nil {
			return p, errors.Wrap(err, "decode ImplicitMetaPolicy")
		}
		for rule, number := range rules {
			if number == meta.GetRule() {
				return Policy{Rule: rule, Of: meta.GetSubPolicy()}, nil
			}
		}
		return p, errors.Errorf("rule %d is unknown", meta.GetRule())
	}
	return p, errors.Errorf("policy type %d is unknown", m.GetType())
}

// pathRoot is what paths of policies begin with.
const pathRoot = "/" + channelGroup + "/"

// Policy returns the policy at a path, such as /Channel/Application/Readers. An error says that there is none, in Fabric's words.
func (c Channel) Policy(path string) (policies.Policy, error) {
	if name, ok := strings.CutPrefix(path, pathRoot); ok {
		if p := c.node().find(name); p != nil {
			return p, nil
		}
	}
	return nil, errors.Errorf("no such policy: '%s'", path)
}

// node is a group, as far as policies go by it.
type node struct {
	policies Policies
	below    map[string]node
}

func (c Channel) node() node {
	of := func(organizations []Organization) map[string]node {
		all := map[string]node{}
		for _, o := range organizations {
			all[o.name()] = node{policies: o.Policies}
		}
		return all
	}
	c = c.complete()
	return node{c.Policies, map[string]node{
		applicationGroup: {c.Application.Policies, of(c.Application.Organizations)}, ordererGroup: {c.Orderer.Policies, of(c.Orderer.Organizations)},
	}}
}

// find returns the policy at a path below the node, or nil.
func (n node) find(path string) policies.Policy {
	group, rest, ok := strings.Cut(path, "/")
	if ok {
		return n.below[group].find(rest)
	}
	p, ok := n.policies[path]
	if !ok {
		return nil
	}
	if p.Rule == "" {
		return p.Signature
	}
	all := policies.ImplicitMeta{Rule: p.Rule, Name: p.Of}
	for _, name := range slices.Sorted(maps.Keys(n.below)) {
		all.Policies = append(all.Policies, n.below[name].find(p.Of)) // nil is never fulfilled
	}
	return all
}
