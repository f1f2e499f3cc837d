//go:build unix

// Package group runs a program as a process group of its own: what it prints is read for as long as it lives, and it is
// ended with every process that it has started.
//
// The program gets the environment that it is given and no more, /dev/null to read from, and none of the files that the
// peer has opened (descriptors that the peer was itself started with, beyond the standard three, are for whoever starts it
// to close). On Linux it is killed when the peer dies, however that happens. Only a process that leaves the group (setsid,
// setpgid) can outlive Wait.
package group

import (
	"context"
	"os/exec"
	goruntime "runtime"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// lastMoment is how long a chaincode whose stream has ended by itself may take to exit, before it is told to: official
// shims exit within half a second.
const lastMoment = 500 * time.Millisecond

// Config says what to run, and how.
type Config struct {
	// Path is the absolute path of the program, which is run as it is, without a shell. Args are its arguments, without
	// its name.
	Path string
	Args []string
	// Env is the whole environment, as KEY=value. Nil is an empty one.
	Env []string
	// Dir is the working directory. Empty means the peer's.
	Dir string
	// Log gets each line that is printed, at level Info. Required.
	Log *zap.Logger
	// LastLines is how many of the last lines on standard output, and as many on standard error, an Exit keeps.
	LastLines int
	// Grace is how long there is from SIGTERM to SIGKILL, and then how long to wait for processes that left the group yet
	// hold its output open. Required, as what is printed last is read within it, too.
	Grace time.Duration
}

// Process is a program that has been started, the leader of its process group. Wait must be called.
type Process struct {
	cmd   *exec.Cmd
	out   *output
	grace time.Duration
	// exited is closed when the leader has ended, and reap when nobody needs its ID any more; then reaped gets what
	// exec.Cmd's Wait returns.
	exited, reap chan struct{}
	reaped       chan error
}

// Start starts a program. It is not started if there is an error.
func Start(cfg Config) (*Process, error) {
	out, theirs, err := newOutput(cfg.Log, cfg.LastLines)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Path, cfg.Args...)
	cmd.Env = append([]string{}, cfg.Env...) // nil would be the peer's
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = cfg.Dir, theirs[0], theirs[1], sysProcAttr()
	p := &Process{cmd: cmd, out: out, grace: cfg.Grace, exited: make(chan struct{}), reap: make(chan struct{}), reaped: make(chan error, 1)}
	started := make(chan error)
	go p.own(started)
	err = <-started
	closeAll(theirs)
	if err != nil {
		out.close()
		return nil, err
	}
	return p, nil
}

// own starts the process and stays until it is reaped, on one thread: Linux sends a process its Pdeathsig when the
// thread that started it ends, not when the whole peer does.
func (p *Process) own(started chan<- error) {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	awaitExit(p.cmd)
	close(p.exited)
	<-p.reap
	if p.cmd.ProcessState == nil {
		err = p.cmd.Wait()
	}
	p.reaped <- err
}

// Pid is the process's ID, and that of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait returns how the program ended, when it and every process of its group have. When ctx ends, the group gets SIGTERM,
// and SIGKILL after the grace time; but where ctx has ended with runtime.ErrStreamEnded, the program has a moment to end
// by itself. The error says that the system has not told how it ended.
func (p *Process) Wait(ctx context.Context) (*Exit, error) {
	var exit Exit
	select {
	case <-p.exited:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), runtime.ErrStreamEnded) && allWithin(lastMoment, p.exited) {
			break
		}
		exit.Stopped = true
		p.signal(syscall.SIGTERM)
		if !allWithin(p.grace, p.exited, p.out.ends[0], p.out.ends[1]) && !isClosed(p.exited) {
			exit.Overdue = p.grace
		}
	}
	// Also when the program has ended: it may have left children, and SIGKILL is not ignored.
	p.signal(syscall.SIGKILL)
	<-p.exited
	allWithin(p.grace, p.out.ends[0], p.out.ends[1]) // which tells that the children have ended, too
	close(p.reap)
	err := <-p.reaped
	p.out.close()
	state := p.cmd.ProcessState
	if state == nil {
		return nil, errors.Wrap(err, "wait for process")
	}
	exit.Code, exit.LastLines = state.ExitCode(), p.out.lastLines()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = ws.Signal()
		exit.Code = 128 + int(exit.Signal)
	}
	return &exit, nil
}

// signal sends sig to every process of the group. The only failure there can be is that none is left.
func (p *Process) signal(sig syscall.Signal) { _ = syscall.Kill(-p.Pid(), sig) }

// allWithin waits until all channels are closed, and returns false if they aren't within limit.
func allWithin(limit time.Duration, channels ...<-chan struct{}) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for _, c := range channels {
		select {
		case <-c:
		case <-t.C:
			return false
		}
	}
	return true
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
