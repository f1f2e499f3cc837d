//go:build unix

package process

import (
	"os/exec"
	goruntime "runtime"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

// process is a started chaincode, the leader of its process group.
type process struct {
	cmd *exec.Cmd
	out *output
	// exited is closed when the leader has ended.
	exited chan struct{}
	// reap is closed by release; reaped is closed after waitErr is set.
	reap, reaped chan struct{}
	waitErr      error
}

// start starts cmd and leaves a goroutine with it, which release waits for.
func start(cmd *exec.Cmd, out *output) (*process, error) {
	p := &process{cmd: cmd, out: out, exited: make(chan struct{}), reap: make(chan struct{}), reaped: make(chan struct{})}
	closeTheirs, err := out.attach(cmd)
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go p.own(started)
	err = <-started
	closeTheirs()
	if err != nil {
		out.close()
		return nil, err
	}
	return p, nil
}

// own starts the process and stays until it is reaped, on one thread: Linux sends a process its Pdeathsig when the
// thread that started it ends, not when the whole peer does.
func (p *process) own(started chan<- error) {
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
		p.waitErr = p.cmd.Wait()
	}
	close(p.reaped)
}

// signal sends sig to every process of the group. The only failure there can be is that none is left.
func (p *process) signal(sig syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, sig) }

// exitsWithin waits until the leader has ended, but no longer than limit, and says whether it has.
func (p *process) exitsWithin(limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
	}
	select { // it wins a tie
	case <-p.exited:
		return true
	default:
		return false
	}
}

// gone waits until the leader has ended and nobody holds its output open, which tells that its children have ended
// too, but no longer than limit.
func (p *process) gone(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	for _, c := range []<-chan struct{}{p.exited, p.out.stdoutEnd, p.out.stderrEnd} {
		select {
		case <-c:
		case <-t.C:
			return
		}
	}
}

// release gives up the process, which has ended, and its ID, and says how it ended.
func (p *process) release() (*ExitError, error) {
	close(p.reap)
	<-p.reaped
	p.out.close()
	state := p.cmd.ProcessState
	if state == nil {
		return nil, errors.Wrap(p.waitErr, "wait for chaincode process")
	}
	exit := &ExitError{Code: state.ExitCode(), LastLines: p.out.lastLines()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = ws.Signal()
		exit.Code = 128 + int(exit.Signal)
	}
	return exit, nil
}
