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
func (h *home) runtimes(ctx context.Context) (map[string]runtime.Runtime, error) {
	packages, err := h.newBuilder(ctx)
	if err != nil {
		return nil, err
	}
	runtimes := map[string]runtime.Runtime{}
	for name, c := range h.cfg.chaincodes {
		r := runtime.Runtime(packages)
		if c.pkg == nil {
			r, err = h.runtime(name, &c)
		}
		if err != nil {
			return nil, errors.Wrapf(err, "chaincode %q", name)
		}
		runtimes[c.id] = r
	}
	return runtimes, nil
}

// runtime makes what runs a chaincode that is no package.
func (h *home) runtime(name string, c *chaincode) (runtime.Runtime, error) {
	switch {
	case c.server != nil && c.process != nil:
		return server.New(server.Config{Process: h.starting(c.process), Dial: h.dialling(*c.server)})
	case c.server != nil:
		return dial.New(h.dialling(*c.server))
	case c.attach != "":
		return h.attach(name, c)
	}
	cfg := h.starting(c.process)
	cfg.PeerAddress, cfg.TLS = h.cfg.peerAddress(), h.issuer()
	return process.New(cfg)
}

// starting returns how a program is started.
func (h *home) starting(p *program) process.Config {
	return process.Config{
		Command: p.path, Args: p.args, Env: p.env, Dir: p.dir,
		MSPID: h.mspID, Logger: h.cfg.log, OutputLevel: h.cfg.outputLevel,
	}
}

// attach makes what waits for a chaincode that is started by hand, and is closed with the home.
func (h *home) attach(name string, c *chaincode) (runtime.Runtime, error) {
	r, err := attach.New(attach.Config{
		ChaincodeID: c.id, PeerAddress: h.cfg.peerAddress(), TLS: h.issuer(), Dir: c.attach, MSPID: h.mspID, Logger: h.cfg.log,
	})
	if err != nil {
		return nil, err // and not a nil *attach.Runtime
	}
	h.attached[name] = r
	return r, nil
}

// detach ends what attach has made.
func (h *home) detach() (err error) {
	for name, r := range h.attached {
		if closing := r.Close(); err == nil {
			err = errors.WithMessagef(closing, "chaincode %q", name)
		}
	}
	return err
}

// issuer returns who makes the certificates of chaincode, or nil if it connects in plaintext.
func (h *home) issuer() runtime.Issuer {
	if h.auth == nil {
		return nil // and not a nil *accesscontrol.Authenticator
	}
	return h.auth
}

// dialling completes how a chaincode server is dialled.
func (h *home) dialling(c dial.Config) dial.Config {
	c.MaxRecvMsgSize, c.MaxSendMsgSize, c.Logger = h.cfg.support.MaxRecvMsgSize, h.cfg.support.MaxSendMsgSize, h.cfg.log
	return c
}

// newBuilder makes what runs packages, and has all of them built. It returns nil if there are none.
func (h *home) newBuilder(ctx context.Context) (*builder.Runtime, error) {
	var packages []string // the names of the chaincodes
	for _, name := range slices.Sorted(maps.Keys(h.cfg.chaincodes)) {
		if h.cfg.chaincodes[name].pkg != nil {
			packages = append(packages, name)
		}
	}
	if len(packages) == 0 {
		return nil, nil
	}
	r, err := builder.New(builder.Config{
		Builders: h.cfg.builders, Dir: h.cfg.builds, PeerAddress: h.cfg.peerAddress(), MSPID: h.mspID,
		TLS: h.issuer(), Dial: h.dialling(dial.Config{}), Logger: h.cfg.log, OutputLevel: h.cfg.outputLevel,
	})
	if err != nil {
		return nil, err
	}
	for _, name := range packages {
		if err := h.build(ctx, r, name); err != nil {
			return nil, errors.WithMessagef(err, "chaincode %q", name)
		}
	}
	return r, nil
}

// build builds a chaincode's package. The indexes that come of it are defined, unless others are configured.
func (h *home) build(ctx context.Context, r *builder.Runtime, name string) error {
	pkg := h.cfg.chaincodes[name].pkg
	b, err := r.Build(ctx, pkg)
	if err != nil {
		return err
	}
	h.cfg.log.Info("chaincode package is built", zap.String("chaincode", pkg.ID), zap.String("builder", b.Builder))
	indexes, err := kvledger.LoadIndexes(b.Metadata())
	if err != nil {
		return errors.WithMessage(err, "indexes of the package")
	}
	if d := h.cfg.definitions[name]; len(indexes) > 0 && len(d.Indexes) == 0 {
		d.Indexes = indexes
		h.cfg.definitions[name] = d
	}
	return nil
}
