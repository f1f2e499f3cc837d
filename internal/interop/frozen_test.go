package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// frozenLimit is when the peer knows, by default, that chaincode which dials it has frozen.
const frozenLimit = 30 * time.Second

// signal sends a signal to a's process.
func (p watchedPeer) signal(s syscall.Signal) {
	p.t.Helper()
	pids := p.pids()
	if err := syscall.Kill(pids[len(pids)-1], s); err != nil {
		p.t.Fatal(err)
	}
}

// freeze stops a's process with nothing closed, and returns when it does nothing any more.
func (p watchedPeer) freeze() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	pids := p.pids()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for isRunning(p.t, pids[len(pids)-1]) {
		select {
		case <-again.C:
		case <-p.t.Context().Done():
			p.t.Fatal("the process doesn't stop")
		}
	}
}

// isRunning says whether a process has a thread that has not been stopped. Where the system doesn't tell, none has.
func isRunning(t testing.TB, pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		if _, after, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(after, "T") {
			return true
		}
	}
	return false
}

// wantRelaunch checks that the stream of a ends within limit, and that the next call runs in a new process.
func (p watchedPeer) wantRelaunch(limit time.Duration) {
	p.t.Helper()
	before := p.pids()
	took := p.awaitStatus("frozen", limit, func(s chaincodesupport.Status) bool { return s.State != chaincodesupport.Ready })
	p.t.Logf("noticed after %s", took)
	if got := p.text("GetTxID"); got == "" {
		p.t.Error("GetTxID: nothing")
	}
	pids := p.awaitPIDs(len(before) + 1)
	if len(pids) != len(before)+1 {
		p.t.Errorf("processes are %d, and were %d", pids, before)
	}
	if err := syscall.Kill(before[0], 0); err != syscall.ESRCH {
		p.t.Errorf("process %d is still there: %v", before[0], err)
	}
	if s := p.status(); s.LastError == nil || s.State != chaincodesupport.Ready {
		p.t.Errorf("a is %+v", s)
	}
}

// F29, F31: a chaincode that is idle is stopped (SIGSTOP), so that its connection is half open. The defaults notice it in
// time, and that takes real time.
func TestFrozen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 30 s")
	}
	t.Parallel()
	atOnce(t, overTCP(securedShims(t)), func(t *testing.T, s secured) {
		p := newWatched(t, s, func(c *process.Config) { c.Grace = time.Second })
		p.text("PutState k v")
		p.freeze()
		p.wantRelaunch(frozenLimit)
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
	})
}

func overTCP(some []secured) []secured {
	return slices.DeleteFunc(some, func(s secured) bool { return s.name == "unix" })
}

// F28: a chaincode that is stopped for less than that, in the middle of a transaction, goes on where it was. Nothing that
// was sent to it meanwhile is lost.
func TestPaused(t *testing.T) {
	t.Parallel()
	atOnce(t, slices.Concat(overTCP(securedShims(t)), secureServers(t)), func(t *testing.T, s secured) {
		p := newWatched(t, s, nil)
		p.text("PutState k v ; PutState j u")
		before := p.status()
		p.trace.take()
		first := p.start(t.Context(), "GetState k ; Wait go ; PutState k w ; GetState k")
		p.trace.await(t, `a< RESPONSE tx2 "v"`)
		p.freeze()
		second := p.start(t.Context(), "GetState j ; Signal go")
		elapse(t, 3*time.Second)
		if answers := matching(p.trace.take(), "a> .*tx3"); len(answers) > 0 {
			t.Errorf("while it was stopped, it said %q", answers)
		}
		p.signal(syscall.SIGCONT)
		wantSuccess(t, <-second, "u")
		wantSuccess(t, <-first, "v\nv")
		p.wantUndisturbed(before)
		if got := p.text("GetState k"); got != "w" {
			t.Errorf("GetState: %q", got)
		}
	})
}
