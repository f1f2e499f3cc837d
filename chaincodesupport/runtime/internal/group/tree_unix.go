//go:build unix

package group

import (
	"os"
	"os/exec"
	"syscall"
)

// howAsked is what a program is asked to end with, as errors say it.
const howAsked = "SIGTERM"

// passedOn names the variables of the peer's environment that every program gets: the ones that Fabric's external launchers
// pass on (core/container/externalbuilder). HOME is not among them: it would lead chaincode to the keys and settings of the
// user who runs the peer.
var passedOn = [...]string{"LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"}

// tree is a program's processes: the process group that it leads.
type tree struct{ cmd *exec.Cmd }

// start starts the program.
func start(cmd *exec.Cmd) (*tree, error) {
	cmd.SysProcAttr = sysProcAttr()
	return &tree{cmd}, cmd.Start()
}

// ask asks every process to end. It returns false if there is no way to ask.
func (t *tree) ask() bool {
	t.signal(syscall.SIGTERM)
	return true
}

// kill ends every process.
func (t *tree) kill() { t.signal(syscall.SIGKILL) }

// signal sends sig to every process of the group. The only failure there can be is that none is left.
func (t *tree) signal(sig syscall.Signal) { _ = syscall.Kill(-t.cmd.Process.Pid, sig) }

// close gives back what the tree needed of the system. Its processes have ended.
func (t *tree) close() {}

// exitOf says how a process ended, in the way of a shell.
func exitOf(state *os.ProcessState) (code int, sig syscall.Signal) {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return state.ExitCode(), 0
}
