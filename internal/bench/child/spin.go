package child

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/pkg/errors"
)

// SpinRole is the role of a process that keeps one CPU awake: see Spinners.
const SpinRole = "spin"

// Spinners are processes, one a CPU, that compute nothing at a priority at which they run only while the CPU has
// nothing else to do. An idle CPU of a virtual machine takes long to wake, which makes a round trip between two
// processes several times slower, or not, by chance.
type Spinners struct {
	policy string // how the processes give way: "SCHED_IDLE" or "nice 19"
	procs  []*Process
}

// StartSpinners starts a spinner on each CPU that this process may use.
func StartSpinners() (*Spinners, error) {
	s := new(Spinners)
	for i := range runtime.NumCPU() {
		p, err := StartSelf(SpinRole, strconv.Itoa(i))
		if err != nil {
			_ = s.Close() // that one did not start says more
			return nil, errors.WithMessage(err, "start spinners")
		}
		s.procs = append(s.procs, p)
		s.policy = p.Address
	}
	return s, nil
}

// String says how many there are, and their policy.
func (s *Spinners) String() string {
	return fmt.Sprintf("%d processes (%s) keep the CPUs awake", len(s.procs), s.policy)
}

// Close ends the spinners and returns the first error of doing so.
func (s *Spinners) Close() error {
	var first error
	for _, p := range s.procs {
		if err := p.Close(); first == nil {
			first = err
		}
	}
	s.procs = nil
	return first
}

// Spin is SpinRole: it takes the index of a CPU among those that the process may use. The service's Address is the
// policy. The spinning ends with the process, which is when the harness closes its standard input or dies.
func Spin(args []string) (Service, error) {
	if len(args) != 1 {
		return Service{}, errors.Errorf("spin takes the index of a CPU, got %q", args)
	}
	index, err := strconv.Atoi(args[0])
	if err != nil {
		return Service{}, errors.Wrap(err, "parse index of CPU")
	}
	type outcome struct {
		policy string
		err    error
	}
	started := make(chan outcome)
	go func() {
		runtime.LockOSThread() // the policy and the CPU are the thread's
		policy, err := giveWay(index)
		started <- outcome{policy, err}
		for err == nil { //nolint:staticcheck,revive // an empty loop is the point
		}
	}()
	o := <-started
	return Service{Address: o.policy}, o.err
}
