// Package group runs a program so that it can be ended with every process that it has started, and reads what they print for
// as long as they live.
//
// The idea is that a program's processes are one thing to the system, which can be ended as a whole: whatever a chaincode
// has started, and whether it is still there to clean up or not.
//
//   - On Linux, that is a process group: SIGTERM asks, SIGKILL ends. The program is killed when the peer dies, however that
//     happens. What leaves the group (setsid, setpgid) can outlive Wait.
//   - On macOS and the BSDs it is the same, but that a program outlives a peer that is killed.
//   - On Windows, it is a Job Object, which nothing can leave, and which ends when the peer dies. CTRL_BREAK asks, if the peer
//     has a console; if it has none, nobody is asked, and all are killed at once.
//
// The program gets the environment that it is given and no more, nothing to read from, and none of the files that the peer has
// opened (descriptors that the peer was itself started with, beyond the standard three, are for whoever starts it to close).
package group

import (
	"context"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// lastMoment is how long a chaincode whose stream has ended by itself may take to exit, before it is told to: official
// shims exit within half a second.
const lastMoment = 500 * time.Millisecond

// ServerAddress is where a program listens that is dialled. It has a type of its own, so that only this library's packages
// can say it.
type ServerAddress string

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
	// Log gets each line that is printed, at the Level, without the colours that are for terminals. A program that prints more
	// than a log should take has the rest counted and left out. Required.
	Log   *zap.Logger
	Level zapcore.Level
	// Room is how much it may still have logged. Nil is a new one, of its own.
	Room *Room
	// LastLines is how many of the last lines on standard output, and as many on standard error, an Exit keeps.
	LastLines int
	// Grace is how long there is from asking the program to end to killing it, and then how long to wait for processes that
	// got away yet hold its output open. Required, as what is printed last is read within it, too.
	Grace time.Duration
}

// PassedOn returns what of the peer's own environment a program may see, as KEY=value: a few variables that every program
// needs, and the ones that are named. It is sorted, and never nil.
func PassedOn(names ...string) []string {
	env := []string{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(passedOn[:], names...)))) {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Process is a program that has been started, with all that it starts. Wait must be called.
type Process struct {
	cmd   *exec.Cmd
	tree  *tree
	out   *output
	grace time.Duration
	// exited is closed when the program has ended, and reap when nobody needs its ID any more; then reaped gets what
	// exec.Cmd's Wait returns.
	exited, reap chan struct{}
	reaped       chan error
}

// Start starts a program. It is not started if there is an error.
func Start(cfg Config) (*Process, error) {
	out, theirs, err := newOutput(&cfg)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Path, cfg.Args...)
	cmd.Env = append([]string{}, cfg.Env...) // nil would be the peer's
	cmd.Dir, cmd.Stdout, cmd.Stderr = cfg.Dir, theirs[0], theirs[1]
	p := &Process{cmd: cmd, out: out, grace: cfg.Grace, exited: make(chan struct{}), reap: make(chan struct{}), reaped: make(chan error, 1)}
	started := make(chan error)
	go p.own(started)
	err = <-started
	closeAll(theirs)
	if err != nil {
		out.close()
		return nil, explainStart(cfg.Path, err)
	}
	return p, nil
}

// longestPause is the longest of the pauses in which a program is waited for that somebody still has open for writing: half a
// second, and with the shorter ones before it, a second. A program that was written just now can be in that state although
// whoever wrote it has closed it: a process that was forked meanwhile has the file, too, until it executes something
// (https://go.dev/issue/22315).
const longestPause = 512 * time.Millisecond

// own starts the process and stays until it is reaped, on one thread: Linux sends a process its Pdeathsig when the
// thread that started it ends, not when the whole peer does.
func (p *Process) own(started chan<- error) {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	var err error
	p.tree, err = start(p.cmd)
	for pause := time.Millisecond; errors.Is(err, syscall.ETXTBSY) && pause <= longestPause; pause *= 2 {
		<-time.After(pause)
		p.cmd = &exec.Cmd{Path: p.cmd.Path, Args: p.cmd.Args, Env: p.cmd.Env, Dir: p.cmd.Dir, Stdout: p.cmd.Stdout, Stderr: p.cmd.Stderr}
		p.tree, err = start(p.cmd)
	}
	started <- err
	if err != nil {
		return
	}
	p.tree.awaitExit()
	close(p.exited)
	<-p.reap
	if p.cmd.ProcessState == nil {
		err = p.cmd.Wait()
	}
	p.tree.close()
	p.reaped <- err
}

// Pid is the process's ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait returns how the program ended, when it and every process that it has started have. When ctx ends, they are asked to
// end, and killed after the grace time; but where ctx has ended with runtime.ErrStreamEnded, the program has a moment to end
// by itself. The error says that the system has not told how it ended.
func (p *Process) Wait(ctx context.Context) (*Exit, error) {
	var exit Exit
	select {
	case <-p.exited:
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), runtime.ErrStreamEnded) || !allWithin(lastMoment, p.exited) {
			p.stop(&exit)
		}
	}
	// Also when the program has ended: it may have left children, and to be killed is not to be asked.
	p.tree.kill()
	<-p.exited
	allWithin(p.grace, p.out.ends[0], p.out.ends[1]) // which tells that the children have ended, too
	close(p.reap)
	err := <-p.reaped
	p.out.close()
	state := p.cmd.ProcessState
	if state == nil {
		return nil, errors.Wrap(err, "wait for process")
	}
	p.out.tell(&exit)
	exit.Code, exit.Signal = exitOf(state)
	return &exit, nil
}

// stop asks all processes to end, and returns when they have, or the grace time is over.
func (p *Process) stop(exit *Exit) {
	exit.Stopped = true
	if !p.tree.ask() {
		exit.Unasked = true
		return
	}
	if !allWithin(p.grace, p.exited, p.out.ends[0], p.out.ends[1]) && !isClosed(p.exited) {
		exit.Overdue = p.grace
	}
}

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
