//go:build unix

// Package process runs chaincode as a process of its own, which dials the peer.
//
// [New] takes what to run; [Runtime.Run] starts it, reads its output into a logger for as long as it lives, and
// ends it and every process it has started when its context ends.
//
// A chaincode gets a process group of its own, an environment with little more than what the protocol defines,
// /dev/null to read from, and none of the files that the peer has opened (descriptors that the peer was itself
// started with, beyond the standard three, are for whoever starts it to close). On Linux it is killed when the peer
// dies, however that happens. Only a process that leaves the group (setsid, setpgid) can outlive Run.
package process

import (
	"context"
	"os/exec"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Runtime runs chaincode as a process. It is safe for concurrent use; it holds nothing but its Config.
type Runtime struct{ cfg Config }

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a Runtime, or an error that says which part of cfg is wrong.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.validate(); err != nil {
		return nil, errors.Wrap(err, "configure process runtime")
	}
	return &Runtime{cfg: cfg.complete()}, nil
}

// lastMoment is how long a chaincode whose stream has ended by itself may take to exit, before it is told to: official
// shims exit within half a second.
const lastMoment = 500 * time.Millisecond

// Run starts the chaincode and returns when it and every process of its group have ended. The stream handler is
// not used, as chaincode of this kind dials the peer.
//
// When ctx ends, the group gets SIGTERM, and SIGKILL after the grace time; Run returns nil if the chaincode ended
// by then, whatever its exit status. A chaincode that was killed, or ended of its own accord, is an *ExitError: also if
// it did so within a moment after ctx has ended with runtime.ErrStreamEnded.
// One that could not be started is "error starting container: <cause>", as in Fabric (core/chaincode).
func (r *Runtime) Run(ctx context.Context, chaincodeID string, _ runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	if chaincodeID == "" {
		return &runtime.StartError{Cause: errors.New("the chaincode ID is empty")}
	}
	log := r.cfg.Logger.Named("container").With(zap.String("chaincode", chaincodeID))
	files, err := newTLSFiles(r.cfg.TLS, chaincodeID)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	defer func() {
		if err := files.remove(); err != nil {
			log.Error("remove the chaincode's TLS files", zap.Error(err))
		}
	}()
	out := newOutput(r.cfg.Logger.Named("peer.chaincode."+chaincodeID), r.cfg.LastLines)
	p, err := start(r.command(chaincodeID, files.env), out)
	if err != nil {
		return &runtime.StartError{Cause: err}
	}
	log.Info("started chaincode", zap.Int("pid", p.cmd.Process.Pid))
	return r.supervise(ctx, p)
}

func (r *Runtime) command(chaincodeID string, tls []string) *exec.Cmd {
	cmd := exec.Command(r.cfg.Command, r.cfg.args(chaincodeID)...)
	cmd.Env = r.cfg.environ(chaincodeID, tls)
	cmd.Dir = r.cfg.Dir
	cmd.SysProcAttr = sysProcAttr()
	return cmd
}

// supervise returns when the group is gone, because the chaincode ended or because ctx did.
func (r *Runtime) supervise(ctx context.Context, p *process) error {
	stopped, overdue := false, false
	select {
	case <-p.exited:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), runtime.ErrStreamEnded) && p.exitsWithin(lastMoment) {
			break
		}
		stopped = true
		p.signal(syscall.SIGTERM)
		p.gone(r.cfg.Grace)
		overdue = !p.exitsWithin(0)
	}
	// Also when the chaincode has ended: it may have left children, and SIGKILL is not ignored.
	p.signal(syscall.SIGKILL)
	<-p.exited
	p.gone(r.cfg.Grace)
	exit, err := p.release()
	switch {
	case err != nil:
		return err
	case overdue && exit.Signal == syscall.SIGKILL:
		return errors.WithMessagef(exit, "killed %s after SIGTERM", r.cfg.Grace)
	case !stopped, exit.Signal == syscall.SIGKILL: // by somebody else
		return exit
	default:
		return nil
	}
}
