package peer

// OrganizationFolder returns the folder of an organization, or "" if the network keeps nothing, or has no such organization. It has the
// MSP folders of the organization, of its peers and of its clients: msp, peers/peer0.Org1MSP/msp, users/alice/msp. Beside each of these
// is a folder tls, once its certificate was asked for.
func (n *Network) OrganizationFolder(mspID string) string {
	if o := n.organizations.of(mspID); o != nil {
		return string(o.folder)
	}
	return ""
}
