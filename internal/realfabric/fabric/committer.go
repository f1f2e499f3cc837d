package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/core/chaincode/implicitcollection"
	"github.com/hyperledger/fabric/core/committer/txvalidator/plugin"
	validator "github.com/hyperledger/fabric/core/committer/txvalidator/v20"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api/state"
	"github.com/hyperledger/fabric/core/handlers/validation/builtin"
	"github.com/hyperledger/fabric/core/ledger"
	"github.com/hyperledger/fabric/core/ledger/ledgermgmt"
	"github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/hyperledger/fabric/msp"
	mspmgmt "github.com/hyperledger/fabric/msp/mgmt"
	"github.com/hyperledger/fabric/protoutil"
	"github.com/pkg/errors"
)

// channel is what the oracle is told of a channel whose blocks it commits.
type channel struct {
	ID string
	// Chaincodes are the endorsement policies of chaincodes, and of their collections. An empty one is that of the chaincode.
	Chaincodes map[string]chaincode
}

type chaincode struct {
	Policy      string
	Collections map[string]string
}

// peerChannel is a channel as a peer of Fabric has it: its validator and its ledger. What the channel's configuration and the
// lifecycle would say is said by the methods.
type peerChannel struct {
	channel
	msps      msp.MSPManager
	dir       string
	manager   *ledgermgmt.LedgerMgr
	ledger    ledger.PeerLedger
	validator *validator.TxValidator
}

// join opens a channel with an empty ledger. Block 0 is there.
func (o *oracle) join(of channel) error {
	flogging.ActivateSpec("fatal") // what is wrong with envelopes is answered
	dir, err := os.MkdirTemp("", "fabric-ledger-")
	if err != nil {
		return err
	}
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	if err != nil {
		return err
	}
	c := &peerChannel{channel: of, msps: o.msps, dir: dir}
	o.channels = append(o.channels, c)
	mspmgmt.XXXSetMSPManager(c.ID, o.msps)
	c.manager = ledgermgmt.NewLedgerMgr(&ledgermgmt.Initializer{
		Config: &ledger.Config{
			RootFSPath: dir, StateDBConfig: &ledger.StateDBConfig{}, HistoryDBConfig: &ledger.HistoryDBConfig{Enabled: true},
			PrivateDataConfig: &ledger.PrivateDataConfig{MaxBatchSize: 5000, BatchesInterval: 1000, PurgeInterval: 100},
			SnapshotsConfig:   &ledger.SnapshotsConfig{RootDir: filepath.Join(dir, "snapshots")},
		},
		MetricsProvider: &disabled.Provider{}, DeployedChaincodeInfoProvider: c.collections(), HashProvider: csp,
		HealthCheckRegistry: &mock.HealthCheckRegistry{}, ChaincodeLifecycleEventProvider: &mock.ChaincodeLifecycleEventProvider{},
	})
	if c.ledger, err = c.manager.CreateLedger(c.ID, genesis(c.ID)); err != nil {
		return err
	}
	c.validator = c.newValidator(csp)
	return nil
}

func genesis(channelID string) *common.Block {
	b := protoutil.NewBlock(0, nil)
	b.Data.Data = [][]byte{protoutil.MarshalOrPanic(&common.Envelope{Payload: protoutil.MarshalOrPanic(&common.Payload{Header: &common.Header{
		ChannelHeader: protoutil.MarshalOrPanic(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG), ChannelId: channelID}),
	}})})}
	b.Header.DataHash = protoutil.BlockDataHash(b.Data)
	b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = make([]byte, 1)
	return b
}

func (c *peerChannel) newValidator(csp bccsp.BCCSP) *validator.TxValidator {
	manager := policies.PolicyManagerGetterFunc(func(string) policies.Manager { return &policies.ManagerImpl{} })
	plugins := plugin.MapBasedMapper{"vscc": &builtin.DefaultValidationFactory{}}
	return validator.NewTxValidator(c.ID, make(semaphore, 10), c, c.ledger, c, c, plugins, manager, csp)
}

// commit validates a block and commits it, as a peer does. It returns the codes.
func (o *oracle) commit(marshalled []byte) (a answer, err error) {
	c := o.channels[len(o.channels)-1]
	b, err := protoutil.UnmarshalBlock(marshalled)
	if err != nil {
		return a, err
	}
	info, err := c.ledger.GetBlockchainInfo()
	if err != nil {
		return a, err
	}
	b.Header.Number, b.Header.PreviousHash = info.Height, info.CurrentBlockHash
	if err := c.validator.Validate(b); err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	if err := c.ledger.CommitLegacy(&ledger.BlockAndPvtData{Block: b}, &ledger.CommitOptions{}); err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // as above
	}
	return answer{Codes: b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER]}, nil
}

// close removes what the oracle keeps of channels.
func (o *oracle) close() (err error) {
	for _, c := range o.channels {
		c.manager.Close()
		if removed := os.RemoveAll(c.dir); err == nil {
			err = removed
		}
	}
	return err
}

// semaphore limits how many envelopes are validated at once.
type semaphore chan struct{}

func (s semaphore) Acquire(context.Context) error { s <- struct{}{}; return nil }
func (s semaphore) Release()                      { <-s }

// What a validator asks of a channel.

func (c *peerChannel) MSPManager() msp.MSPManager { return c.msps }

func (c *peerChannel) Apply(*common.ConfigEnvelope) error {
	return errors.New("this channel's configuration doesn't change")
}

func (c *peerChannel) GetMSPIDs() []string { return nil }

func (c *peerChannel) Capabilities() channelconfig.ApplicationCapabilities {
	return capabilities.NewApplicationProvider(map[string]*common.Capability{"V2_0": {}, "V2_5": {}})
}

// ValidationInfo is what the lifecycle knows of a chaincode.
func (c *peerChannel) ValidationInfo(_, name string, _ ledger.SimpleQueryExecutor) (plugin string, args []byte, unexpected, invalid error) {
	defined, ok := c.Chaincodes[name]
	if !ok {
		return "", nil, nil, errors.New("chaincode " + name + " not found")
	}
	args, unexpected = applicationPolicy(defined.Policy)
	return "vscc", args, unexpected, nil
}

// CollectionValidationInfo is what it knows of a collection.
func (c *peerChannel) CollectionValidationInfo(name, collection string, _ validation.State) (args []byte, unexpected, invalid error) {
	if implicit, mspID := implicitcollection.MspIDIfImplicitCollection(collection); implicit {
		msps, err := c.msps.GetMSPs()
		if err != nil {
			return nil, err, nil
		}
		if msps[mspID] == nil {
			return nil, nil, errors.New("no org found in channel with MSPID " + mspID)
		}
		args, unexpected = applicationPolicy("OR('" + mspID + ".peer')")
		return args, unexpected, nil
	}
	policy, ok := c.Chaincodes[name].Collections[collection]
	if !ok {
		return nil, nil, errors.New("no such collection " + collection)
	}
	if policy == "" {
		policy = c.Chaincodes[name].Policy
	}
	args, unexpected = applicationPolicy(policy)
	return args, unexpected, nil
}

func applicationPolicy(text string) ([]byte, error) {
	p, err := policydsl.FromString(text)
	if err != nil {
		return nil, err
	}
	return protoutil.Marshal(&peer.ApplicationPolicy{Type: &peer.ApplicationPolicy_SignaturePolicy{SignaturePolicy: p}})
}

// collections is what the ledger is told of collections.
func (c *peerChannel) collections() ledger.DeployedChaincodeInfoProvider {
	all := func(_, name string, _ ledger.SimpleQueryExecutor) (*peer.CollectionConfigPackage, error) {
		names := []string{}
		for collection := range c.Chaincodes[name].Collections {
			names = append(names, collection)
		}
		msps, err := c.msps.GetMSPs()
		if err != nil {
			return nil, err
		}
		for id := range msps {
			names = append(names, implicitcollection.NameForOrg(id))
		}
		p := &peer.CollectionConfigPackage{}
		for _, n := range names {
			p.Config = append(p.Config, &peer.CollectionConfig{Payload: &peer.CollectionConfig_StaticCollectionConfig{
				StaticCollectionConfig: &peer.StaticCollectionConfig{Name: n},
			}})
		}
		return p, nil
	}
	p := &mock.DeployedChaincodeInfoProvider{}
	p.AllCollectionsConfigPkgCalls(all)
	p.CollectionInfoCalls(func(channelID, name, collection string, qe ledger.SimpleQueryExecutor) (*peer.StaticCollectionConfig, error) {
		pkg, err := all(channelID, name, qe)
		for _, config := range pkg.GetConfig() {
			if config.GetStaticCollectionConfig().GetName() == collection {
				return config.GetStaticCollectionConfig(), nil
			}
		}
		return nil, err
	})
	return p
}
