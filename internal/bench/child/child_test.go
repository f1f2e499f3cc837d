package child_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/bench/child"
)

const allocated = 100_000

// sink keeps the compiler from leaving allocations out.
var sink []*int

// roles are what this test binary does when it is started as a child.
var roles = map[string]func([]string) (child.Service, error){
	child.SpinRole: child.Spin,
	"worker": func(args []string) (child.Service, error) {
		return child.Service{Address: strings.Join(args, " "), Run: work, Close: func() error { return nil }}, nil
	},
	"idle":    func([]string) (child.Service, error) { return child.Service{}, nil },
	"refuser": func([]string) (child.Service, error) { return child.Service{}, errors.New("no such network") },
	"leaver": func([]string) (child.Service, error) {
		return child.Service{Close: func() error { return errors.New("cannot leave") }}, nil
	},
}

// work allocates as much as it says; its summary allocates more, which must not count.
func work(l child.Load) (func() child.Sample, error) {
	switch l.Op {
	case "allocate":
		allocate(allocated)
		return func() child.Sample {
			allocate(5 * allocated)
			return child.Sample{Ops: l.Callers, Elapsed: l.Window, P50: 1, P99: 2}
		}, nil
	case "count free threads":
		n, err := freeThreads()
		return func() child.Sample { return child.Sample{Ops: n} }, err
	}
	return nil, errors.Errorf("unknown operation %q", l.Op)
}

// freeThreads counts the threads of this process that may use more than one CPU.
func freeThreads() (int, error) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	n := 0
	for _, name := range files {
		status, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		if _, list, _ := strings.Cut(string(status), "Cpus_allowed_list:\t"); strings.ContainsAny(strings.SplitN(list, "\n", 2)[0], ",-") {
			n++
		}
	}
	return n, err
}

func allocate(n int) {
	sink = make([]*int, n)
	for i := range sink {
		sink[i] = new(int)
	}
}

func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != child.Marker {
		if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil { // for the children, which otherwise take a second to end
			os.Exit(1)
		}
		goleak.VerifyTestMain(m)
		return
	}
	service, err := roles[os.Args[2]](os.Args[3:])
	if err := child.Serve(os.Stdin, os.Stdout, service, err); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start(t *testing.T, role string, args ...string) *child.Process {
	t.Helper()
	p, err := child.StartSelf(role, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestRun(t *testing.T) {
	p := start(t, "worker", "at", "home")
	if p.Address != "at home" {
		t.Errorf("address %q, want %q", p.Address, "at home")
	}
	s, err := p.Run(child.Load{Op: "allocate", Callers: 3, Window: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if s.Usage.Mallocs < allocated || s.Usage.Mallocs > 2*allocated {
		t.Errorf("%d allocations, want %d: those of Run, without those of the summary", s.Usage.Mallocs, allocated)
	}
	if s.Usage.CPU <= 0 {
		t.Errorf("CPU time %s, want some", s.Usage.CPU)
	}
	s.Usage = child.Usage{}
	if want := (child.Sample{Ops: 3, Elapsed: time.Millisecond, P50: 1, P99: 2}); s != want {
		t.Errorf("sample %+v, want %+v", s, want)
	}
	if u, err := p.Usage(); err != nil || u.Mallocs < 6*allocated {
		t.Errorf("usage since the start: %+v, %v, want at least %d allocations", u, err, 6*allocated)
	}
}

func TestBind(t *testing.T) {
	if runtime.NumCPU() == 1 {
		t.Skip("there is only one CPU")
	}
	p := start(t, "worker")
	for _, one := range []bool{true, false, true} {
		if err := p.Bind(one); err != nil {
			t.Fatal(err)
		}
		s, err := p.Run(child.Load{Op: "count free threads"})
		if err != nil {
			t.Fatal(err)
		}
		if free := s.Ops > 0; free == one {
			t.Errorf("after Bind(%v), %d threads may use more than one CPU", one, s.Ops)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T) error
		want string
	}{
		"does not start": {func(*testing.T) error { _, err := child.StartSelf("refuser"); return err }, "refuser: no such network"},
		"run fails": {func(t *testing.T) error {
			_, err := start(t, "worker").Run(child.Load{Op: "rest"})
			return err
		}, `worker: run "rest": unknown operation "rest"`},
		"drives no load": {func(t *testing.T) error {
			_, err := start(t, "idle").Run(child.Load{Op: "allocate"})
			return err
		}, `idle: this process cannot run "allocate": it drives no load`},
		"does not end well": {func(t *testing.T) error {
			p, err := child.StartSelf("leaver")
			if err != nil {
				t.Fatal(err)
			}
			return p.Close()
		}, "end leaver: exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.do(t); err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestSpinners(t *testing.T) {
	s, err := child.StartSpinners()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); !strings.Contains(got, "SCHED_IDLE") && !strings.Contains(got, "nice 19") {
		t.Errorf("%q does not name the policy", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSpinRefusesBadIndex(t *testing.T) {
	for _, args := range [][]string{nil, {"one"}, {"1000000"}, {"0", "1"}} {
		if _, err := child.Spin(args); err == nil {
			t.Errorf("Spin(%q) did not refuse", args)
		}
	}
}
