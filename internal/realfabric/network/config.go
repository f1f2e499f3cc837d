package network

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// PreferredMaxBytes is how large the envelopes of a block are together. An envelope that is larger cuts what is pending, and is in a
// block of its own.
const PreferredMaxBytes = 64 << 10

// configtx says what the channel's first block is to have.
func (n *Network) configtx() string {
	organizations, policies := n.organizations()
	return fmt.Sprintf(`Organizations:
%[1]sProfiles:
  channel:
    Capabilities: {V2_0: true}
    Policies: %[2]s
    Orderer:
      OrdererType: etcdraft
      BatchTimeout: %[8]s
      BatchSize: {MaxMessageCount: %[9]d, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: %[3]d}
      Capabilities: {V2_0: true}
      EtcdRaft:
        Options: {TickInterval: 50ms, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 MB}
        Consenters: [{Host: 127.0.0.1, Port: %[4]d, ClientTLSCert: %[5]s/cert.pem, ServerTLSCert: %[5]s/cert.pem}]
      Organizations: [*OrdererMSP]
      Policies: %[6]s
    Application:
      Capabilities: {V2_5: true}
      Organizations: [*Org1MSP, *Org2MSP]
      Policies: %[7]s
`, organizations, meta(policies), PreferredMaxBytes, n.orderer.port, n.path("tls"),
		meta(policies, `BlockValidation: {Type: ImplicitMeta, Rule: "ANY Writers"}`),
		meta(policies, `Endorsement: {Type: ImplicitMeta, Rule: "MAJORITY Endorsement"}`, `LifecycleEndorsement: {Type: ImplicitMeta, Rule: "MAJORITY Endorsement"}`),
		cmp.Or(n.cfg.Timeout, 30*time.Second), cmp.Or(n.cfg.MaxMessages, 500))
}

func meta(rules []string, more ...string) string {
	return "{" + strings.Join(append(append([]string{}, rules...), more...), ", ") + "}"
}

// organizations are the organizations with their policies, which are those of Fabric's examples, and the policies over them.
func (n *Network) organizations() (yaml string, over []string) {
	for _, o := range []struct{ mspID, readers, writers, endorser, more string }{
		{"OrdererMSP", "OR('OrdererMSP.member')", "OR('OrdererMSP.member')", "orderer", fmt.Sprintf(`  OrdererEndpoints: ["%s"]`, n.orderer.address())},
		n.application(0), n.application(1),
	} {
		yaml += fmt.Sprintf(`- &%[1]s
  Name: %[1]s
  ID: %[1]s
  MSPDir: %[2]s
  Policies:
    Readers: {Type: Signature, Rule: "%[6]s"}
    Writers: {Type: Signature, Rule: "%[3]s"}
    Admins: {Type: Signature, Rule: "OR('%[1]s.admin')"}
    Endorsement: {Type: Signature, Rule: "OR('%[1]s.%[4]s')"}
%[5]s
`, o.mspID, n.path(o.mspID, "msp"), o.writers, o.endorser, o.more, o.readers)
	}
	return yaml, []string{
		`Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}`, `Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}`,
		`Admins: {Type: ImplicitMeta, Rule: "MAJORITY Admins"}`,
	}
}

func (n *Network) application(i int) struct{ mspID, readers, writers, endorser, more string } {
	o := n.Organizations[i]
	id := o.MSP.ID()
	return struct{ mspID, readers, writers, endorser, more string }{
		id, fmt.Sprintf("OR('%[1]s.admin', '%[1]s.peer', '%[1]s.client')", id), fmt.Sprintf("OR('%[1]s.admin', '%[1]s.client')", id), "peer", fmt.Sprintf("  AnchorPeers: [{Host: 127.0.0.1, Port: %d}]", o.peer.port),
	}
}

// ordererConfig is orderer.yaml. Where nothing is said, Fabric has no defaults, or ones that don't fit.
func (n *Network) ordererConfig() string {
	return fmt.Sprintf(`General:
  ListenAddress: 127.0.0.1
  ListenPort: %[1]d
  TLS: {Enabled: true, PrivateKey: %[2]s/key.pem, Certificate: %[2]s/cert.pem, RootCAs: [%[2]s/ca.pem]}
  Cluster: {ClientCertificate: %[2]s/cert.pem, ClientPrivateKey: %[2]s/key.pem}
  LocalMSPDir: %[3]s
  LocalMSPID: OrdererMSP
FileLedger: {Location: data}
Operations: {ListenAddress: "127.0.0.1:0"}
Admin:
  ListenAddress: 127.0.0.1:%[4]d
  TLS: {Enabled: true, PrivateKey: %[2]s/key.pem, Certificate: %[2]s/cert.pem, ClientAuthRequired: true, ClientRootCAs: [%[2]s/ca.pem]}
ChannelParticipation: {Enabled: true, MaxRequestBodySize: 1 MB}
Consensus: {WALDir: wal, SnapDir: snap}
`, n.orderer.port, n.path("tls"), n.path("OrdererMSP", "orderer"), n.admin.port)
}

// peerConfig is core.yaml of an organization's peer.
func (n *Network) peerConfig(o *Organization) string {
	return fmt.Sprintf(`peer:
  id: %[1]s
  listenAddress: %[2]s
  address: %[2]s
  chaincodeListenAddress: 127.0.0.1:%[3]d
  localMspId: %[1]s
  mspConfigPath: %[4]s
  fileSystemPath: %[5]s
  handlers:
    authFilters: [{name: DefaultAuth}, {name: ExpirationCheck}]
    endorsers: {escc: {name: DefaultEndorsement}}
    validators: {vscc: {name: DefaultValidation}}
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
  tls:
    enabled: true
    cert: {file: %[6]s/cert.pem}
    key: {file: %[6]s/key.pem}
    rootcert: {file: %[6]s/ca.pem}
    clientAuthRequired: %[9]t
    clientRootCAs: {files: [%[6]s/ca.pem]}
  gossip:
    bootstrap: %[2]s
    endpoint: %[2]s
    externalEndpoint: %[2]s
    useLeaderElection: false
    orgLeader: true
    pvtData:
      pullRetryThreshold: %[8]s
      pushAckTimeout: 30s
      transientstoreMaxBlockRetention: 1000
      btlPullMargin: 10
      reconciliationEnabled: false
      implicitCollectionDisseminationPolicy: {requiredPeerCount: 0, maxPeerCount: 1}
  discovery: {enabled: true}
  gateway: {enabled: true, endorsementTimeout: 30s, broadcastTimeout: 30s, dialTimeout: 30s}
chaincode:
  executetimeout: 30s
  startuptimeout: 30s
  installTimeout: 60s
  externalBuilders: [{name: ccaas, path: %[7]s}]
  system: {_lifecycle: enable, cscc: enable, lscc: enable, qscc: enable}
ledger:
  state: {stateDatabase: goleveldb}
  history: {enableHistoryDatabase: true}
  pvtdataStore: {collElgProcMaxDbBatchSize: 5000, collElgProcDbBatchesInterval: 1000, deprioritizedDataReconcilerInterval: 60m, purgeInterval: 100}
  snapshots: {rootDir: %[5]s/snapshots}
operations: {listenAddress: "127.0.0.1:0"}
metrics: {provider: disabled}
`, o.MSP.ID(), o.peer.address(), o.chaincode.port, n.path(o.MSP.ID(), "peer"), n.path(o.MSP.ID(), "data"), n.path("tls"), n.path("builder"),
		cmp.Or(n.cfg.PullTimeout, 10*time.Millisecond), n.cfg.ClientCertificates)
}

// builder is an external builder for chaincode that is a service.
func builder() map[string]string {
	return map[string]string{
		"detect":  "#!/bin/sh\ngrep -q '\"type\":\"ccaas\"' \"$2/metadata.json\"\n",
		"build":   "#!/bin/sh\ncp \"$1/connection.json\" \"$3/\"\n",
		"release": "#!/bin/sh\nmkdir -p \"$2/chaincode/server\" && cp \"$1/connection.json\" \"$2/chaincode/server/\"\n",
	}
}

func (n *Network) path(elements ...string) string {
	return filepath.Join(append([]string{n.dir}, elements...)...)
}
