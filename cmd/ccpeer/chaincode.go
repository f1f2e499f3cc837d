package main

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/server"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// defaultVersion is the one that chaincodes have unless they are given another: the chaincode ID of asset is asset:1.0.
const defaultVersion = "1.0"

// names matches the names of chaincodes that a channel may have (Fabric: core/chaincode/lifecycle, ChaincodeNameRegExp).
var names = regexp.MustCompile(`^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$`)

// nameForm says so.
const nameForm = "letters and digits, with single - and _ between them"

func isName(s string) bool { return names.MatchString(s) }

// chaincode is a chaincode that a node has, and how it is run: exactly one of process, server, pkg and attach is set. Only a
// server may have a process, too, which is what the peer starts.
type chaincode struct {
	id      string // its chaincode ID
	process *program
	server  *dial.Config
	pkg     *builder.Package
	attach  string // the folder for what whoever starts it needs; absolute
	restart chaincodesupport.RestartPolicy
}

// program is how a process is run.
type program struct {
	path string   // absolute
	args []string // as in process.Config
	env  []string // the same
	dir  string   // the same
}

// The kinds of runtime, as ccpeer chaincode list shows them.
const (
	byProcess = "process"
	byServer  = "server"
	byPackage = "package"
	byAttach  = "attach"
	byItself  = "dev" // connected to a peer in dev mode
)

func (c *chaincode) kind() string {
	switch {
	case c.server != nil:
		return byServer
	case c.pkg != nil:
		return byPackage
	case c.attach != "":
		return byAttach
	default:
		return byProcess
	}
}

// runtimes makes what runs each chaincode, by chaincode ID. The node must be listening.
func (n *node) runtimes(ctx context.Context) (map[string]runtime.Runtime, error) {
	packages, err := n.newBuilder(ctx)
	if err != nil {
		return nil, err
	}
	runtimes := map[string]runtime.Runtime{}
	for name, c := range n.cfg.chaincodes {
		r := runtime.Runtime(packages)
		if c.pkg == nil {
			r, err = n.runtime(name, &c)
		}
		if err != nil {
			return nil, errors.Wrapf(err, "chaincode %q", name)
		}
		runtimes[c.id] = r
	}
	return runtimes, nil
}

// runtime makes what runs a chaincode that is no package.
func (n *node) runtime(name string, c *chaincode) (runtime.Runtime, error) {
	switch {
	case c.server != nil && c.process != nil:
		return server.New(server.Config{Process: n.starting(c.process), Dial: n.dialling(*c.server)})
	case c.server != nil:
		return dial.New(n.dialling(*c.server))
	case c.attach != "":
		return n.attach(name, c)
	}
	cfg := n.starting(c.process)
	cfg.PeerAddress, cfg.TLS = n.cfg.peerAddress(), n.issuer()
	return process.New(cfg)
}

// starting returns how a program is started.
func (n *node) starting(p *program) process.Config {
	return process.Config{
		Command: p.path, Args: p.args, Env: p.env, Dir: p.dir,
		MSPID: mspID, Logger: n.cfg.log, OutputLevel: n.cfg.outputLevel,
	}
}

// attach makes what waits for a chaincode that is started by hand, and is closed with the node.
func (n *node) attach(name string, c *chaincode) (runtime.Runtime, error) {
	r, err := attach.New(attach.Config{
		ChaincodeID: c.id, PeerAddress: n.cfg.peerAddress(), TLS: n.issuer(), Dir: c.attach, MSPID: mspID, Logger: n.cfg.log,
	})
	if err != nil {
		return nil, err // and not a nil *attach.Runtime
	}
	n.attached[name] = r
	return r, nil
}

// detach ends what attach has made.
func (n *node) detach() (err error) {
	for name, r := range n.attached {
		if closing := r.Close(); err == nil {
			err = errors.WithMessagef(closing, "chaincode %q", name)
		}
	}
	return err
}

// issuer returns who makes the certificates of chaincode, or nil if it connects in plaintext.
func (n *node) issuer() runtime.Issuer {
	if n.auth == nil {
		return nil // and not a nil *accesscontrol.Authenticator
	}
	return n.auth
}

// dialling completes how a chaincode server is dialled.
func (n *node) dialling(c dial.Config) dial.Config {
	c.MaxRecvMsgSize, c.MaxSendMsgSize, c.Logger = n.cfg.support.MaxRecvMsgSize, n.cfg.support.MaxSendMsgSize, n.cfg.log
	return c
}

// newBuilder makes what runs packages, and has all of them built. It returns nil if there are none.
func (n *node) newBuilder(ctx context.Context) (*builder.Runtime, error) {
	var packages []string // the names of the chaincodes
	for _, name := range slices.Sorted(maps.Keys(n.cfg.chaincodes)) {
		if n.cfg.chaincodes[name].pkg != nil {
			packages = append(packages, name)
		}
	}
	if len(packages) == 0 {
		return nil, nil
	}
	r, err := builder.New(builder.Config{
		Builders: n.cfg.builders, Dir: n.cfg.builds, PeerAddress: n.cfg.peerAddress(), MSPID: mspID,
		TLS: n.issuer(), Dial: n.dialling(dial.Config{}), Logger: n.cfg.log, OutputLevel: n.cfg.outputLevel,
	})
	if err != nil {
		return nil, err
	}
	for _, name := range packages {
		if err := n.build(ctx, r, name); err != nil {
			return nil, errors.WithMessagef(err, "chaincode %q", name)
		}
	}
	return r, nil
}

// build builds a chaincode's package. The indexes that come of it are defined, unless others are configured.
func (n *node) build(ctx context.Context, r *builder.Runtime, name string) error {
	pkg := n.cfg.chaincodes[name].pkg
	b, err := r.Build(ctx, pkg)
	if err != nil {
		return err
	}
	n.cfg.log.Info("chaincode package is built", zap.String("chaincode", pkg.ID), zap.String("builder", b.Builder))
	indexes, err := kvledger.LoadIndexes(b.Metadata())
	if err != nil {
		return errors.WithMessage(err, "indexes of the package")
	}
	if d := n.cfg.definitions[name]; len(indexes) > 0 && len(d.Indexes) == 0 {
		d.Indexes = indexes
		n.cfg.definitions[name] = d
	}
	return nil
}
