package acl

import "maps"

// The policies that guard resources unless a channel says otherwise.
const (
	readers = "/Channel/Application/Readers"
	writers = "/Channel/Application/Writers"
)

// The policies of the peer's own organization, for resources that belong to no channel.
const (
	admins  = "Admins"
	members = "Members"
)

// ofChannels are the resources of channels (Fabric: core/aclmgmt, defaultaclprovider.go).
var ofChannels = map[string]string{
	"peer/Propose":              writers,
	"peer/ChaincodeToChaincode": writers,

	"event/Block":         readers,
	"event/FilteredBlock": readers,

	"gateway/CommitStatus":    readers,
	"gateway/ChaincodeEvents": readers,

	"qscc/GetChainInfo":       readers,
	"qscc/GetBlockByNumber":   readers,
	"qscc/GetBlockByHash":     readers,
	"qscc/GetTransactionByID": readers,
	"qscc/GetBlockByTxID":     readers,

	"cscc/GetConfigBlock":   readers,
	"cscc/GetChannelConfig": readers,

	"lscc/ChaincodeExists":           readers,
	"lscc/GetDeploymentSpec":         readers,
	"lscc/GetChaincodeData":          readers,
	"lscc/GetInstantiatedChaincodes": readers,
	"lscc/GetCollectionsConfig":      readers,

	"_lifecycle/CommitChaincodeDefinition": writers,
	"_lifecycle/QueryChaincodeDefinition":  writers,
	"_lifecycle/QueryChaincodeDefinitions": writers,
	"_lifecycle/CheckCommitReadiness":      writers,
}

// ofPeers are the resources of a peer. A channel has no say in them.
var ofPeers = map[string]string{
	"cscc/JoinChain":            admins,
	"cscc/JoinChainBySnapshot":  admins,
	"cscc/JoinBySnapshotStatus": admins,
	"cscc/GetChannels":          members,

	"lscc/Install":                admins,
	"lscc/GetInstalledChaincodes": admins,

	"snapshot/submitrequest": admins,
	"snapshot/cancelrequest": admins,
	"snapshot/listpending":   admins,

	"_lifecycle/InstallChaincode":                   admins,
	"_lifecycle/QueryInstalledChaincode":            admins,
	"_lifecycle/GetInstalledChaincodePackage":       admins,
	"_lifecycle/QueryInstalledChaincodes":           admins,
	"_lifecycle/ApproveChaincodeDefinitionForMyOrg": admins,
	"_lifecycle/QueryApprovedChaincodeDefinition":   admins,
}

// Resources returns the resources that a peer knows, with the policies that guard them unless a channel says otherwise. Policies
// without a slash are those of the peer's organization. The map is a new one.
func Resources() map[string]string {
	all := maps.Clone(ofChannels)
	maps.Copy(all, ofPeers)
	return all
}
