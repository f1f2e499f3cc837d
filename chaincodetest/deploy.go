package chaincodetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// DeployOption is a setting of Net.Deploy.
type DeployOption func(*deploying) error

// deploying is what options say about a chaincode.
type deploying struct {
	definition   kvledger.Definition
	collections  bool // otherwise they are those of before
	indexes      bool // likewise
	endorsement  string
	initRequired bool
	id           string
}

// Collections defines the chaincode's collections by a file in the form of Fabric's collections_config.json.
func Collections(file string) DeployOption {
	return func(d *deploying) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return errors.Wrap(err, "read collections")
		}
		list, err := collections.Parse(b)
		if err != nil {
			return errors.Wrapf(err, "read collections of %s", file)
		}
		return CollectionConfigs(list...)(d)
	}
}

// CollectionConfigs defines the chaincode's collections. A collection that isn't defined doesn't exist, except for the implicit
// ones of organizations.
func CollectionConfigs(list ...ledger.CollectionConfig) DeployOption {
	return func(d *deploying) error {
		d.definition.Collections, d.collections = append(d.definition.Collections, list...), true
		return nil
	}
}

// MetaInf gives the chaincode the indexes of a folder META-INF, which has them as Fabric's packages do:
// statedb/couchdb/indexes/*.json, and statedb/couchdb/collections/<name>/indexes/*.json.
func MetaInf(folder string) DeployOption {
	return func(d *deploying) error {
		if filepath.Base(folder) != "META-INF" {
			folder = filepath.Join(folder, "META-INF")
		}
		if _, err := os.Stat(folder); err != nil {
			return errors.Wrap(err, "read indexes")
		}
		indexes, err := kvledger.LoadIndexes(os.DirFS(filepath.Dir(folder)))
		if err != nil {
			return errors.Wrapf(err, "read indexes of %s", folder)
		}
		d.definition.Indexes, d.indexes = append(d.definition.Indexes, indexes...), true
		return nil
	}
}

// Endorsement is the chaincode's endorsement policy: a signature policy such as AND('Org1MSP.peer', 'Org2MSP.peer'), or one over those of
// the organizations. Without it, it is MAJORITY Endorsement.
func Endorsement(policy string) DeployOption {
	return func(d *deploying) error {
		d.endorsement = policy
		return nil
	}
}

// InitRequired says that the chaincode has to be initialized before anything else: by Client.AsInit, once for each Deploy. It holds for
// later deployments under the name, too.
func InitRequired() DeployOption {
	return func(d *deploying) error {
		d.initRequired = true
		return nil
	}
}

// ChaincodeID is what the chaincode registers as, for one that knows it already. Otherwise it is made of the name and a number.
func ChaincodeID(id string) DeployOption {
	return func(d *deploying) error {
		d.id = id
		return nil
	}
}

// Deploy makes a chaincode known by a name, on all channels, and starts it. To deploy under a name that is taken is an upgrade: the
// old chaincode is stopped, and its state is kept. What options don't say stays as it was: collections, indexes, the endorsement
// policy, InitRequired.
func (n *Net) Deploy(name string, cc Chaincode, options ...DeployOption) {
	n.t.Helper()
	if name == "" || strings.ContainsAny(name, ":/\x00") {
		n.fatal("Deploy(%q): a chaincode's name is not empty, and has no colon and no slash", name)
	}
	if cc == nil {
		n.fatal("Deploy(%q): the chaincode is nil", name)
	}
	var with deploying
	for _, o := range options {
		if err := o(&with); err != nil {
			n.fatal("Deploy(%q): %v", name, err)
		}
	}
	if err := n.deploy(name, cc, with); err != nil {
		n.fatal("Deploy(%q): %v", name, err)
	}
}

func (n *Net) deploy(name string, cc Chaincode, with deploying) error {
	setMSPID(n.settings.organizations[0])
	n.mu.Lock()
	n.versions++
	d := &deployment{deploying: with, version: fmt.Sprint(n.versions), runtime: cc.Runtime, host: n.host(n.t.Output()), faults: &n.faults}
	n.mu.Unlock()
	if d.id == "" {
		d.id = name + ":" + d.version
	}
	if old := n.deployed.find(name); old != nil {
		d.keep(&old.deploying)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLeft(n.t))
	defer cancel()
	said, over := n.notes.deploying(d.id)
	defer over()
	err := n.backend.deploy(ctx, name, d)
	if err == nil {
		return nil
	}
	if lines := said.lines(""); said.begun {
		return errors.Errorf("%v\n  conversation (> chaincode, < peer)\n%s", err, indent(lines))
	}
	return err
}

// host is what is the same for all peers.
func (c *core) host(output io.Writer) Host {
	h := Host{Fell: c.notes.fell, Output: output}
	if !c.settings.nondeterministic {
		h.Clock = c.others.File
	}
	return h
}

// keep takes from the deployment before what no option has said.
func (d *deploying) keep(old *deploying) {
	if !d.collections {
		d.definition.Collections = old.definition.Collections
	}
	if !d.indexes {
		d.definition.Indexes = old.definition.Indexes
	}
	if d.endorsement == "" {
		d.endorsement = old.endorsement
	}
	d.initRequired = d.initRequired || old.initRequired
}

// setMSPID sets the variable that shims read the peer's organization from, unless it is set. It is the process's, so chaincode
// in this process can't tell the peers of two organizations apart.
func setMSPID(mspID string) {
	const variable = "CORE_PEER_LOCALMSPID"
	if _, ok := os.LookupEnv(variable); !ok {
		_ = os.Setenv(variable, mspID) // it fails for odd names only
	}
}
