// Package process runs chaincode as a process of its own, which dials the peer.
//
// [New] takes what to run. [Runtime.Run] starts it, and reads its output into a logger for as long as it lives. When its
// context ends, Run ends the process, and every process that this one has started.
//
// A chaincode gets an environment with little more than what the protocol defines. It gets nothing to read from, and none of
// the files that the peer has opened. (The peer may itself have been started with descriptors beyond the standard three.
// Whatever starts the peer has to close those.)
//
// How well a chaincode is ended depends on the system:
//
//   - On Linux it leads a process group, which gets SIGTERM and then SIGKILL. It is killed when the peer dies, however that
//     happens. Only a process that leaves the group (setsid, setpgid) can outlive Run.
//   - On macOS and the BSDs it is the same while the peer lives. A chaincode outlives a peer that is killed, until it
//     notices that its stream has ended. Most shims exit then.
//   - On Windows it is in a Job Object, which no process can leave, and which the system ends with the peer. It is asked to
//     end by CTRL_BREAK, which needs a console that peer and chaincode share. If the peer has none, as a service, the
//     chaincode is killed at once.
package process

import (
	"context"
	"os"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
	"github.com/ccpeer/ccpeer/internal/lockdir"
	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// Runtime runs chaincode as a process. What it keeps from one run to the next is how much was logged. It is safe for concurrent
// use.
type Runtime struct {
	cfg     Config
	started loglimit.Lines // that say so; chaincode may start others as often as it likes
	rooms   group.Rooms    // for what each chaincode prints

	lock     func(dir string) (unlock func(), err error)
	unmarked sync.Once // it was said that folders can't be locked
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a Runtime, or an error that says which part of cfg is wrong.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.validate(); err != nil {
		return nil, errors.Wrap(err, "configure process runtime")
	}
	return &Runtime{cfg: cfg.complete(), lock: lockdir.Lock}, nil
}

// NewServer is as New, for a chaincode that listens at an address and is dialled. It is for package server, which knows that the
// address is good. The chaincode is told of no peer: cfg.PeerAddress and cfg.TLS are empty. Nil cfg.Args are no arguments. Where
// cfg has {{.PeerAddress}}, it stands for the server's own address.
func NewServer(cfg Config, at group.ServerAddress) (*Runtime, error) {
	cfg.server = at
	return New(cfg)
}

// Run starts the chaincode. It returns when the chaincode, and every process that it has started, have ended. It doesn't use
// the stream handler, because the chaincode dials the peer.
//
// When ctx ends, all of them are asked to end, and are killed after the grace time. If the chaincode ended by then, Run
// returns nil, whatever its exit status. If it was killed, or ended of its own accord, the error is an *ExitError. That
// holds even if it ended by itself within a moment after ctx has ended with runtime.ErrStreamEnded. If it could not be
// started, the error is "error starting container: <cause>", as in Fabric (core/chaincode).
func (r *Runtime) Run(ctx context.Context, chaincodeID string, _ runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	if chaincodeID == "" {
		return &runtime.StartError{Cause: errors.New("the chaincode ID is empty")}
	}
	log := r.cfg.Logger.Named("container").With(zap.String("chaincode", chaincodeID))
	s, forget, err := r.settings(chaincodeID)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	defer func() {
		if err := forget(); err != nil {
			log.Error("keys of a chaincode are left on disk", zap.String("folder", s.Dir), zap.Error(err))
		}
	}()
	p, err := group.Start(r.group(s))
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	r.started.Log(log, zap.InfoLevel, "started chaincode", zap.Int("pid", p.Pid()))
	exit, err := p.Wait(ctx)
	if err != nil {
		return err
	}
	return exit.Err(&ExitError{Exit: exit.Exit})
}

// settings returns what a run of a chaincode is told. With TLS it makes a new credential, which forget revokes and removes.
func (r *Runtime) settings(chaincodeID string) (s *shimenv.Settings, forget func() error, err error) {
	c := &r.cfg
	s = &shimenv.Settings{ChaincodeID: chaincodeID, PeerAddress: c.PeerAddress, MSPID: c.MSPID,
		LogLevel: c.LogLevel, ShimLogLevel: c.ShimLogLevel, LogFormat: c.LogFormat}
	if c.TLS == nil {
		return s, func() error { return nil }, nil
	}
	if s.Credential, err = c.TLS.Issue(chaincodeID); err != nil {
		return nil, nil, err
	}
	unlock, err := r.writeKeys(s)
	if err != nil {
		s.Credential.Revoke()
		return nil, nil, err
	}
	return s, func() error {
		defer unlock()
		s.Credential.Revoke()
		return os.RemoveAll(s.Dir)
	}, nil
}

func (r *Runtime) group(s *shimenv.Settings) group.Config {
	return group.Config{
		Path:      r.cfg.Command,
		Args:      r.cfg.fill(r.cfg.Args, s.ChaincodeID),
		Env:       r.cfg.environ(s),
		Dir:       r.cfg.Dir,
		Log:       r.cfg.Logger.Named("peer.chaincode." + s.ChaincodeID),
		Level:     r.cfg.OutputLevel,
		Room:      r.rooms.Room(s.ChaincodeID),
		LastLines: r.cfg.LastLines,
		Grace:     r.cfg.Grace,
	}
}
