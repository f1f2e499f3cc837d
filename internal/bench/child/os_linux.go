package child

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/pkg/errors"
)

// schedIdle is SCHED_IDLE of sched_setscheduler(2), which package syscall does not name.
const schedIdle = 5

// cpuSet is the kernel's cpu_set_t: a bit for each of 1024 CPUs.
type cpuSet [1024 / 64]uint64

// dieWithParent has the kernel kill cmd's process when the thread that started it ends. Go keeps its threads for as
// long as the process lives, so that is when the harness does, however it ended.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func cpuTime() (time.Duration, error) { return rusage(syscall.RUSAGE_SELF) }

// EndedCPU returns the CPU time that all children which have ended have used.
func EndedCPU() (time.Duration, error) { return rusage(syscall.RUSAGE_CHILDREN) }

func rusage(who int) (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		return 0, errors.Wrap(err, "read CPU time")
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// giveWay binds the calling thread to the index-th CPU of those that it may use, and lets it run only when nothing
// else wants that CPU. It returns the name of the policy.
func giveWay(index int) (string, error) {
	allowed, err := allowedCPUs()
	if err != nil {
		return "", err
	}
	one, ok := allowed.nth(index)
	if !ok {
		return "", errors.Errorf("there is no CPU with index %d among the allowed ones", index)
	}
	if err := bindThread(0, one); err != nil {
		return "", err
	}
	var priority int32
	if _, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETSCHEDULER, 0, schedIdle, uintptr(unsafe.Pointer(&priority))); errno == 0 {
		return "SCHED_IDLE", nil
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19); err != nil {
		return "", errors.Wrap(err, "lower own priority")
	}
	return "nice 19", nil
}

// allowedCPUs are the CPUs that the calling thread may use.
func allowedCPUs() (cpuSet, error) {
	var set cpuSet
	if _, _, errno := syscall.Syscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set))); errno != 0 {
		return set, errors.Wrap(errno, "read allowed CPUs")
	}
	return set, nil
}

// bindProcess lets all threads of this process use the CPUs in set only. Threads that are started later inherit it.
func bindProcess(set cpuSet) error {
	// A thread may start another one before it is bound itself; that one is seen the second time.
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return errors.Wrap(err, "list own threads")
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return errors.Wrap(err, "list own threads")
			}
			if err := bindThread(id, set); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// bindThread lets a thread, 0 for the calling one, use the CPUs in set only.
func bindThread(id int, set cpuSet) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id), unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set))); errno != 0 {
		return errors.Wrapf(errno, "bind thread %d to CPUs", id)
	}
	return nil
}

// nth returns a set of the n-th CPU of s alone.
func (s cpuSet) nth(n int) (one cpuSet, ok bool) {
	for word, w := range s {
		for ; w != 0; w &= w - 1 {
			if n == 0 {
				one[word] = w & -w
				return one, true
			}
			n--
		}
	}
	return one, false
}
