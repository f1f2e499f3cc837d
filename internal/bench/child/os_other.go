//go:build !linux

package child

import (
	"os/exec"
	"runtime"
	"time"

	"github.com/pkg/errors"
)

func dieWithParent(*exec.Cmd) {}

func cpuTime() (time.Duration, error) { return 0, unsupported("read CPU time") }

// EndedCPU is not supported here.
func EndedCPU() (time.Duration, error) { return 0, unsupported("read CPU time") }

func giveWay(int) (string, error) { return "", unsupported("give way to other processes") }

type cpuSet struct{}

func (cpuSet) nth(int) (cpuSet, bool) { return cpuSet{}, false }

func allowedCPUs() (cpuSet, error) { return cpuSet{}, unsupported("read allowed CPUs") }

func bindProcess(cpuSet) error { return unsupported("bind to CPUs") }

func unsupported(what string) error {
	return errors.Errorf("%s: not supported on %s, run the benchmark on Linux", what, runtime.GOOS)
}
