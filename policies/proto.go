package policies

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// maxRules is how many rules a policy that was sent may have, gates included. Each is looked at for each block.
const maxRules = 10_000

// Unmarshal reads a marshalled SignaturePolicyEnvelope. The metadata VALIDATION_PARAMETER of a key has that form. Groups by
// role, organizational unit and identity are known, and those of whom each must belong to several of these. Other groups, such
// as those of idemix, are nobody here. A policy may be fulfilled without them.
func Unmarshal(envelope []byte) (Signature, error) {
	var e pb.SignaturePolicyEnvelope
	if err := proto.Unmarshal(envelope, &e); err != nil {
		return Signature{}, errors.Wrap(err, "decode SignaturePolicyEnvelope")
	}
	return FromEnvelope(&e)
}

// FromEnvelope returns the policy that e is.
func FromEnvelope(e *pb.SignaturePolicyEnvelope) (Signature, error) {
	if e.GetVersion() != 0 {
		return Signature{}, errors.Errorf("this evaluator only understands messages of version 0, but version was %d", e.GetVersion())
	}
	d := decoder{}
	for _, p := range e.GetIdentities() {
		d.principals = append(d.principals, principalOf(p))
	}
	return d.rule(e.GetRule(), 1)
}

// decoder reads the rules of a policy.
type decoder struct {
	principals []identity.Principal
	rules      int
}

func (d *decoder) rule(r *pb.SignaturePolicy, depth int) (Signature, error) {
	if d.rules++; d.rules > maxRules || depth > maxDepth+1 {
		return Signature{}, errors.Errorf("policy has more than %d rules, or they are nested more than %d deep", maxRules, maxDepth)
	}
	switch t := r.GetType().(type) {
	case *pb.SignaturePolicy_SignedBy:
		if t.SignedBy < 0 || int(t.SignedBy) >= len(d.principals) {
			return Signature{}, errors.Errorf("identity index out of range, requested %d, but identities length is %d", t.SignedBy, len(d.principals))
		}
		return SignedBy(d.principals[t.SignedBy]), nil
	case *pb.SignaturePolicy_NOutOf_:
		gate := OutOf(int(t.NOutOf.GetN()))
		for _, inner := range t.NOutOf.GetRules() {
			rule, err := d.rule(inner, depth+1)
			if err != nil {
				return Signature{}, err
			}
			gate.Rules = append(gate.Rules, rule)
		}
		return gate, nil
	}
	return Signature{}, errors.New("policy has an empty rule")
}

// roles are the roles of MSPRole.
func roles() map[pb.MSPRole_MSPRoleType]identity.Role {
	return map[pb.MSPRole_MSPRoleType]identity.Role{
		pb.MSPRole_MEMBER: identity.Member, pb.MSPRole_ADMIN: identity.Admin, pb.MSPRole_CLIENT: identity.Client,
		pb.MSPRole_PEER: identity.Peer, pb.MSPRole_ORDERER: identity.Orderer,
	}
}

// principalOf returns the group that p names. What can't be decoded, or isn't known, is nobody: a policy may be fulfilled
// without that group.
func principalOf(p *pb.MSPPrincipal) identity.Principal {
	switch p.GetPrincipalClassification() {
	case pb.MSPPrincipal_ROLE:
		var role pb.MSPRole
		if proto.Unmarshal(p.GetPrincipal(), &role) == nil && roles()[role.GetRole()] != "" {
			return identity.Principal{MSPID: role.GetMspIdentifier(), Role: roles()[role.GetRole()]}
		}
	case pb.MSPPrincipal_ORGANIZATION_UNIT:
		var unit pb.OrganizationUnit
		if proto.Unmarshal(p.GetPrincipal(), &unit) == nil && unit.GetOrganizationalUnitIdentifier() != "" && len(unit.GetCertifiersIdentifier()) > 0 {
			return identity.Principal{
				MSPID: unit.GetMspIdentifier(), OU: unit.GetOrganizationalUnitIdentifier(), Certifiers: string(unit.GetCertifiersIdentifier()),
			}
		}
	case pb.MSPPrincipal_IDENTITY:
		if creator, err := identity.Canonical(p.GetPrincipal()); err == nil {
			return identity.Principal{Creator: string(creator)}
		}
	case pb.MSPPrincipal_COMBINED:
		return combined(p.GetPrincipal())
	}
	return identity.Principal{}
}

// Envelope returns the policy in the form in which it is sent. Each group is in it once.
func (s Signature) Envelope() (*pb.SignaturePolicyEnvelope, error) {
	e := &encoder{positions: map[identity.Principal]int32{}}
	rule, err := e.rule(s)
	if err != nil {
		return nil, err
	}
	return &pb.SignaturePolicyEnvelope{Rule: rule, Identities: e.principals}, nil
}

// Marshal returns the marshalled Envelope, the same each time.
func (s Signature) Marshal() ([]byte, error) {
	e, err := s.Envelope()
	if err != nil {
		return nil, err
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	return b, errors.Wrap(err, "marshal SignaturePolicyEnvelope")
}

// encoder writes the rules of a policy.
type encoder struct {
	positions  map[identity.Principal]int32
	principals []*pb.MSPPrincipal
}

func (e *encoder) rule(s Signature) (*pb.SignaturePolicy, error) {
	if s.Rules == nil {
		position, ok := e.positions[s.Principal]
		if !ok {
			p, err := principalMessage(s.Principal)
			if err != nil {
				return nil, err
			}
			position = int32(len(e.principals)) //nolint:gosec // there are fewer than that many principals
			e.positions[s.Principal] = position
			e.principals = append(e.principals, p)
		}
		return &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{SignedBy: position}}, nil
	}
	gate := &pb.SignaturePolicy_NOutOf{N: int32(s.Needed)} //nolint:gosec // a number of rules
	for _, inner := range s.Rules {
		rule, err := e.rule(inner)
		if err != nil {
			return nil, err
		}
		gate.Rules = append(gate.Rules, rule)
	}
	return &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: gate}}, nil
}

func principalMessage(p identity.Principal) (*pb.MSPPrincipal, error) {
	var kind pb.MSPPrincipal_Classification
	var m proto.Message
	switch {
	case p.Also != nil:
		return combinedMessage(p)
	case p.Creator != "":
		return &pb.MSPPrincipal{PrincipalClassification: pb.MSPPrincipal_IDENTITY, Principal: []byte(p.Creator)}, nil
	case p.Role != "":
		role := &pb.MSPRole{MspIdentifier: p.MSPID, Role: -1}
		for number, name := range roles() {
			if name == p.Role {
				role.Role = number
			}
		}
		if role.Role < 0 {
			return nil, errors.Errorf("role %.64q is unknown", p.Role)
		}
		kind, m = pb.MSPPrincipal_ROLE, role
	default:
		kind, m = pb.MSPPrincipal_ORGANIZATION_UNIT, &pb.OrganizationUnit{
			MspIdentifier: p.MSPID, OrganizationalUnitIdentifier: p.OU, CertifiersIdentifier: []byte(p.Certifiers),
		}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, errors.Wrap(err, "marshal principal")
	}
	return &pb.MSPPrincipal{PrincipalClassification: kind, Principal: b}, nil
}
