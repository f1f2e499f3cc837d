//go:build !linux

package benchpeer

import (
	"time"

	"github.com/pkg/errors"
)

// errLinux is all that is known of other processes elsewhere.
var errLinux = errors.New("what other processes use is measured on Linux only")

func cpuTime(int) (time.Duration, error) { return 0, errLinux }

func resident(int) (int, error) { return 0, errLinux }
