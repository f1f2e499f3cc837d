package peer

// OrganizationFolder returns the folder of an organization in a network's Folder, or one below it. It has the MSP folders of the
// organization, of its peers and of its clients: msp, peers/peer0.Org1MSP/msp, users/alice/msp. Beside each of these is a folder tls, once
// its certificate was asked for. So the last one is that of "users", "alice", "msp".
func OrganizationFolder(networkFolder, mspID string, below ...string) string {
	return string(folder(networkFolder).in(append([]string{"organizations", mspID}, below...)...))
}
