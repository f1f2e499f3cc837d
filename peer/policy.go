package peer

import (
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

// The names of the policies that every organization has.
const (
	readers     = channelconfig.Readers
	writers     = channelconfig.Writers
	endorsement = channelconfig.Endorsement
	admins      = channelconfig.Admins
)

// defaultEndorsement is the policy of a chaincode that names none (Fabric: core/chaincode/lifecycle).
const defaultEndorsement = "MAJORITY " + endorsement

// rolesOf are the roles of which an organization's policies need one. A channel's configuration says the same.
var rolesOf = channelconfig.MemberRoles()

// channelPolicy is a policy of a channel over those of its organizations (Fabric: /Channel/Application).
func channelPolicy(rule policies.Rule, name string, organizations []string) (policies.Policy, error) {
	roles := rolesOf[name]
	if roles == nil {
		return nil, errors.Errorf("organizations have no policy %.64q, but %s, %s, %s and %s", name, readers, writers, endorsement, admins)
	}
	p := policies.ImplicitMeta{Rule: rule, Name: name}
	for _, mspID := range organizations {
		p.Policies = append(p.Policies, organizationPolicy(mspID, roles))
	}
	return p, nil
}

// organizationPolicy is a policy of an organization, which needs one of some roles.
func organizationPolicy(mspID string, roles []identity.Role) policies.Policy {
	var one []policies.Signature
	for _, role := range roles {
		one = append(one, policies.SignedBy(identity.Principal{MSPID: mspID, Role: role}))
	}
	return policies.Any(one...)
}

// endorsementPolicies are those of organizations, by the IDs of their MSPs.
func endorsementPolicies(organizations []string) map[string]policies.Policy {
	all := map[string]policies.Policy{}
	for _, mspID := range organizations {
		all[mspID] = organizationPolicy(mspID, rolesOf[endorsement])
	}
	return all
}

// parsePolicy reads an endorsement policy in either of its forms: MAJORITY Endorsement, or OR('Org1MSP.peer', …).
func parsePolicy(text string, organizations []string) (policies.Policy, error) {
	if rule, name, err := policies.ParseImplicitMeta(text); err == nil {
		return channelPolicy(rule, name, organizations)
	}
	return policies.Parse(text)
}
