package group

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"github.com/pkg/errors"
	"golang.org/x/sys/windows"
)

// howAsked is what a program is asked to end with, as errors say it.
const howAsked = "CTRL_BREAK"

// killed is the exit status of a program that kill has ended: what a shell elsewhere says of SIGKILL, as Windows has no signals.
const killed = 128 + uint32(syscall.SIGKILL)

// passedOn names the variables of the peer's environment that every program gets: where it finds programs and their
// libraries, and where it may put temporary files. os/exec adds SYSTEMROOT, without which few programs start.
var passedOn = [...]string{"PATH", "PATHEXT", "TEMP", "TMP"}

// tree is a program's processes: those in a Job Object of its own. Processes that are started by one of them are in it, too,
// and can't leave it. When its last handle is closed, as the system does when the peer dies, all of them are killed.
//
// A process is put into its job just after it was started: what it had started by then, if it was that quick, isn't in it.
type tree struct {
	cmd         *exec.Cmd
	job, leader windows.Handle
}

// start starts the program.
func start(cmd *exec.Cmd) (*tree, error) {
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	t := &tree{cmd: cmd, job: job}
	// A process group of its own, so that ask doesn't reach the peer.
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	if err := cmd.Start(); err != nil {
		t.close()
		return nil, err
	}
	if err := t.adopt(); err != nil {
		_ = cmd.Process.Kill() // the first error says more
		_ = cmd.Wait()
		t.close()
		return nil, err
	}
	return t, nil
}

// newJob returns a Job Object whose processes are killed when its last handle is closed.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, errors.Wrap(err, "create job object")
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, errors.Wrap(err, "set limits of job object")
	}
	return job, nil
}

// adopt puts the program into the job. As long as there is a handle to its process, no other one can be given its ID.
func (t *tree) adopt() (err error) {
	const access = windows.SYNCHRONIZE | windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE
	t.leader, err = windows.OpenProcess(access, false, uint32(t.cmd.Process.Pid))
	if err != nil {
		return errors.Wrap(err, "open process")
	}
	err = windows.AssignProcessToJobObject(t.job, t.leader)
	if ended, _ := windows.WaitForSingleObject(t.leader, 0); ended == windows.WAIT_OBJECT_0 {
		return nil // which is why it could not be put there
	}
	return errors.Wrap(err, "assign process to job object")
}

// awaitExit returns when the program has ended.
func (t *tree) awaitExit() { _, _ = windows.WaitForSingleObject(t.leader, windows.INFINITE) }

// ask asks every process of the group to end. It returns false if there is no way to ask: the event goes through a console,
// and a peer that is a service has none.
func (t *tree) ask() bool {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(t.cmd.Process.Pid)) == nil
}

// kill ends every process. The only failure there can be is that none is left.
func (t *tree) kill() { _ = windows.TerminateJobObject(t.job, killed) }

// close gives back what the tree needed of the system. Its processes have ended, or do so now.
func (t *tree) close() {
	_ = windows.CloseHandle(t.job) // fails for no handle only
	if t.leader != 0 {
		_ = windows.CloseHandle(t.leader)
	}
}

// exitOf says how a process ended. Windows tells no more than its exit status.
func exitOf(state *os.ProcessState) (code int, sig syscall.Signal) {
	code = state.ExitCode()
	if uint32(code) == killed {
		sig = syscall.SIGKILL
	}
	return code, sig
}
