package harness

import (
	"bufio"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ccpeer/ccpeer/internal/bench/child"
)

// Environment is where and how figures were measured.
type Environment struct {
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernel   string `json:"kernel"`
	CPU      string `json:"cpu"`
	CPUs     int    `json:"cpus"`
	Load     string `json:"load"` // the machine's load averages before anything was started
	Spinners string `json:"spinners"`
	// Others is the share of all CPUs' time, in percent, that went to other processes and to other virtual machines:
	// with 5 or more, measure again. 0 without spinners, which is when it is not known.
	Others float64       `json:"others"`
	Rounds int           `json:"rounds"`
	Window time.Duration `json:"window"`
}

func environment(cfg Config) Environment {
	return Environment{
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:   firstLine("/proc/sys/kernel/osrelease", ""),
		CPU:      firstLine("/proc/cpuinfo", "model name\t: "),
		CPUs:     runtime.NumCPU(),
		Load:     firstLine("/proc/loadavg", ""),
		Spinners: "none: latency depends on how fast an idle CPU wakes",
		Rounds:   cfg.Rounds,
		Window:   cfg.Window,
	}
}

// firstLine returns the rest of the first line of a file that begins with prefix: "unknown" without such a line.
func firstLine(path, prefix string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			return rest
		}
	}
	return "unknown"
}

// wakefulness is the spinners, if any, and what is needed to tell what they left to others.
type wakefulness struct {
	spinners *child.Spinners
	began    time.Time
	used     time.Duration
}

func keepAwake(spin bool) (wakefulness, error) {
	if !spin {
		return wakefulness{}, nil
	}
	used, err := child.EndedCPU()
	if err != nil {
		return wakefulness{}, err
	}
	w := wakefulness{began: time.Now(), used: used}
	w.spinners, err = child.StartSpinners()
	return w, err
}

// end ends the spinners and fills in what is known of them. All other children must have ended.
func (w wakefulness) end(env *Environment) error {
	if w.spinners == nil {
		return nil
	}
	env.Spinners = w.spinners.String()
	if err := w.spinners.Close(); err != nil {
		return err
	}
	used, err := child.EndedCPU()
	all := time.Since(w.began) * time.Duration(runtime.NumCPU())
	env.Others = 100 * max(0, 1-float64(used-w.used)/float64(all))
	return err
}
