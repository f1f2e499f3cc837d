//go:build unix

package builder

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

// lastMoment is how long a chaincode whose stream has ended by itself may take to exit, before it is told to, as in package
// process.
const lastMoment = 500 * time.Millisecond

// command is a script and how to run it: as a process group of its own, with /dev/null to read from, and killed when the
// peer dies where the system can do that.
type command struct {
	builder *Builder
	script  string
	args    []string
	grace   time.Duration
	log     *zap.Logger
}

// run runs the script, and returns how it ended when it and every process of its group have. When ctx ends, the group gets
// SIGTERM, and SIGKILL after the grace time. The error says that it could not be started.
func (c *command) run(ctx context.Context) (*ScriptError, error) {
	// Linux sends a process its Pdeathsig when the thread that started it ends, so this one must stay.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	cmd := exec.Command(c.builder.script(c.script), c.args...)
	cmd.Env = c.builder.environ()
	cmd.SysProcAttr = sysProcAttr()
	out, err := startWithOutput(cmd, c.log)
	if err != nil {
		return nil, errors.WithMessagef(err, "start bin/%s of builder %q", c.script, c.builder.Name)
	}
	end := &ScriptError{Builder: c.builder.Name, Script: c.script}
	c.supervise(ctx, cmd, out, end)
	if cmd.ProcessState == nil {
		err = cmd.Wait()
	}
	end.LastLines = out.end()
	if cmd.ProcessState == nil {
		return nil, errors.Wrapf(err, "wait for bin/%s of builder %q", c.script, c.builder.Name)
	}
	end.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		end.Signal = ws.Signal()
		end.Code = 128 + int(end.Signal)
	}
	end.overdue = end.overdue && end.Signal == syscall.SIGKILL
	return end, nil
}

// supervise returns when the group is gone, because the script ended or because ctx did.
func (c *command) supervise(ctx context.Context, cmd *exec.Cmd, out *output, end *ScriptError) {
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		awaitExit(cmd)
	}()
	select {
	case <-exited:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), runtime.ErrStreamEnded) && allWithin(lastMoment, exited) {
			break
		}
		end.stopped = true
		signal(cmd, syscall.SIGTERM)
		end.overdue = !allWithin(c.grace, exited, out.stdout, out.stderr) && !isClosed(exited)
	}
	// Also when the script has ended: it may have left children, and SIGKILL is not ignored.
	signal(cmd, syscall.SIGKILL)
	<-exited
	allWithin(c.grace, out.stdout, out.stderr) // which tells that the children have ended, too
}

// signal sends sig to every process of the group. The only failure there can be is that none is left.
func signal(cmd *exec.Cmd, sig syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, sig) }

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
