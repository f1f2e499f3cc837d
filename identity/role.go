package identity

import "strings"

// Role is a role that an identity has in its MSP.
type Role string

// The roles that a policy can name. Everyone whom the MSP has certified is a member. The other roles follow from the
// certificate's organizational units (Fabric: NodeOUs). Their texts are those of Fabric's policies.
const (
	Member  Role = "member"
	Admin   Role = "admin"
	Client  Role = "client"
	Peer    Role = "peer"
	Orderer Role = "orderer"
)

// Principal is the group that a policy names. One of its three forms is set: a role, an organizational unit, or one identity.
// It may be combined with other groups. The zero Principal is nobody.
type Principal struct {
	// MSPID is the ID of the MSP that must have certified everyone in the group. It is empty if Creator is set.
	MSPID string
	// Role is the role that they have in it.
	Role Role
	// OU is, without a Role, an organizational unit in the subjects of their certificates. Certifiers is the hash of the CAs
	// that must have certified them: see Verified.Certifiers. If it is empty, nobody is in the group, as in Fabric.
	OU, Certifiers string
	// Creator is the only one in the group, in the form that Canonical returns. It is a string, so that principals can be
	// compared.
	Creator string
	// Also is another group that everyone in the group must belong to as well (Fabric: CombinedPrincipal). Nil is none. It is not
	// modified.
	Also *Principal
}

// String returns a role in the form that policies have, without quotes: Org1MSP.member. The other forms have no such text.
func (p Principal) String() string {
	if p.Also == nil {
		return p.alone()
	}
	var all []string
	for part := &p; part != nil; part = part.Also {
		if len(all) == mostShown {
			all = append(all, "others")
			break
		}
		all = append(all, part.alone())
	}
	return strings.Join(all, " and ")
}

// mostShown is how many groups are in a text. A policy that was sent may name thousands.
const mostShown = 10

// alone is the text without the groups in Also.
func (p Principal) alone() string {
	switch {
	case p.Role != "":
		return p.MSPID + "." + string(p.Role)
	case p.OU != "":
		return p.MSPID + " unit " + p.OU
	case p.Creator != "":
		return "one identity"
	}
	return "nobody"
}
