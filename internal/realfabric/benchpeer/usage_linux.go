package benchpeer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// ticks is how many there are a second in the files that the kernel shows (USER_HZ). It is the same on all systems that Go runs on.
const ticks = 100

// cpuTime returns for how long a process has computed.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, errors.WithStack(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var sum int
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, errors.WithStack(err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

// resident returns how many bytes of memory a process has.
func resident(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, errors.WithStack(err)
	}
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after + " 0 kB")[0])
	return kib << 10, errors.WithStack(err)
}
