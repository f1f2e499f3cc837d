// Package builder runs chaincode from Fabric's chaincode packages. It follows Fabric's contract for external builders and
// launchers (core/container/externalbuilder, and "External Builders and Launchers" in its documentation). These are folders
// of scripts that an operator trusts. They decide how a package is built and run.
//
//	rt, err := builder.New(builder.Config{Builders: []builder.Builder{{Name: "ccaas", Path: "/opt/ccaas"}}, Dir: dir})
//	p, err := builder.ParsePackage(file, builder.Limits{})
//	build, err := rt.Build(ctx, p)  // p.ID is the chaincode ID that rt runs
//
// The scripts, in the builder's folder bin, and what they are called with:
//
//	detect  SOURCE METADATA          exits with 0 if this builder is the one for the package; the first such one is
//	build   SOURCE METADATA OUTPUT   makes of the source what the other two need
//	release OUTPUT RELEASE           may be missing; gives the peer chaincode/server/connection.json and statedb/…
//	run     OUTPUT RUN_METADATA      starts the chaincode, and ends when it has ended
//
// SOURCE is what code.tar.gz has. METADATA has metadata.json. RUN_METADATA has chaincode.json: {"chaincode_id",
// "peer_address", "client_cert", "client_key", "root_cert", "mspid"}. If release leaves a connection.json, the chaincode is
// a server that runs without the peer's help. It is dialled (package dial), and bin/run is not used.
//
// A build is kept in a folder below the configured one, laid out as Fabric's peer does it. It is used again after a restart.
// A script is ended together with all that it has started, as well as the system allows, in the same way as chaincode in
// package process. It gets little of the peer's environment.
package builder

import (
	"context"
	"os"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
	"github.com/ccpeer/ccpeer/internal/lockdir"
	"github.com/ccpeer/ccpeer/internal/ondisk"
	"github.com/ccpeer/ccpeer/internal/privatedir"
)

// Runtime builds chaincode packages, and runs the chaincode. It is safe for concurrent use.
type Runtime struct {
	cfg   Config
	rooms group.Rooms // for what the scripts of each package print
	disk  disk
	locks locks

	mu sync.Mutex
	// building has a channel for each package that is being built. It is closed when the package is no longer being built.
	building map[string]chan struct{}
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a Runtime, or an error that says which part of cfg is wrong. A peer that was killed may have left unfinished
// builds and keys of chaincode in Config.Dir. New removes these, and leaves alone what another Runtime is using.
//
// If there is anything else in Config.Dir, which is nobody's folder for builds then, New refuses it and leaves it as it is. If
// others than its owner have access to Config.Dir, New takes it from them, and logs that. Whoever can write there can have
// the peer run what they like.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.validate(); err != nil {
		return nil, errors.Wrap(err, "configure builder runtime")
	}
	cfg = cfg.complete()
	if err := makeFolder(cfg.Dir, ondisk.Sync); err != nil {
		return nil, errors.Wrap(err, "make folder for builds")
	}
	if err := checkFolder(cfg.Dir); err != nil {
		return nil, errors.WithMessage(err, "configure builder runtime")
	}
	log := cfg.Logger.Named("chaincode.externalbuilder")
	before, err := privatedir.Tighten(cfg.Dir)
	if err != nil {
		return nil, errors.Wrap(err, "keep folder for builds from others")
	}
	if before != 0 {
		log.Warn("others had access to the folder for builds: now only its owner has",
			zap.String("folder", cfg.Dir), zap.Stringer("mode", before))
	}
	r := &Runtime{cfg: cfg, disk: disk{ondisk.Sync, os.Rename}, building: map[string]chan struct{}{}}
	r.locks.wait, r.locks.log = lockdir.Wait, log
	if err := r.clearScratch(); err != nil {
		return nil, errors.Wrap(err, "remove what an earlier peer has left")
	}
	return r, nil
}

// Run runs the chaincode that was built of the package chaincodeID, and returns when nothing of it is left running. If the
// package has not been built, Run builds it first, with what Config.Packages returns.
//
// If the chaincode is a server, it is dialled, and Run does and returns what dial.Runtime.Run does. Otherwise bin/run is the
// chaincode. When ctx ends, bin/run and all that it has started are asked to end, and are killed after the grace time. If it
// ended by then, Run returns nil, whatever its exit status. If it was killed, or ended of its own accord, the error is a
// *ScriptError. That holds even if it ended by itself within a moment after ctx has ended with runtime.ErrStreamEnded.
func (r *Runtime) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	b, err := r.forRun(ctx, chaincodeID)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	server, err := b.server()
	switch {
	case err != nil:
		return &runtime.StartError{Cause: err}
	case server != nil:
		return server.Run(ctx, chaincodeID, handle)
	default:
		return b.launch(ctx)
	}
}

// forRun returns the build that Run is to run.
func (r *Runtime) forRun(ctx context.Context, chaincodeID string) (*Build, error) {
	b, err := r.Built(chaincodeID)
	if !errors.Is(err, ErrNotBuilt) || r.cfg.Packages == nil {
		return b, err
	}
	p, err := r.cfg.Packages(ctx, chaincodeID)
	switch {
	case err != nil:
		return nil, errors.WithMessagef(err, "get package %s", chaincodeID)
	case p == nil:
		return nil, errors.Errorf("Config.Packages has returned no package for %s", chaincodeID)
	case p.ID != chaincodeID:
		return nil, errors.Errorf("Config.Packages has returned package %s for %s", p.ID, chaincodeID)
	}
	return r.Build(ctx, p)
}
