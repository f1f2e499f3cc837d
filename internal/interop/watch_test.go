package interop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// watched is what a way's processes print, and what their runtime says of them.
type watched struct{ logs *observer.ObservedLogs }

// pids are those of all chaincodes that have been started, in their order.
func (w *watched) pids() []int {
	var pids []int
	for _, e := range w.logs.FilterMessage("started chaincode").All() {
		if pid, ok := e.ContextMap()["pid"].(int64); ok {
			pids = append(pids, int(pid))
		}
	}
	return pids
}

// said are the lines that chaincodes have printed that have a text in them.
func (w *watched) said(text string) []string {
	var lines []string
	for _, e := range w.logs.All() {
		if strings.HasPrefix(e.LoggerName, "peer.chaincode.") && strings.Contains(e.Message, text) {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

// watch makes the runtime that has this configuration write to a log of the test's.
func (w *watched) watch(cfg *process.Config) {
	core, logs := observer.New(zap.InfoLevel)
	cfg.Logger, w.logs = zap.New(core), logs
}

// watchedPeer is a peer whose chaincode runs in processes that the test can see.
type watchedPeer struct {
	*testPeer
	*watched
}

// newWatched starts a peer whose chaincode runs as s says, by mutual TLS. spoil may change how; nil: nothing.
func newWatched(t testing.TB, s secured, spoil func(*process.Config), settings ...setting) watchedPeer {
	t.Helper()
	w, seen, identify := s.watchedWay(t, spoil)
	return newPeer(t, w, slices.Concat([]setting{identify}, settings)...).watchedBy(seen)
}

// watchedBy returns a peer whose chaincode has been launched, once its runtime has said as which process.
func (p *testPeer) watchedBy(seen *watched) watchedPeer {
	p.t.Helper()
	watched := watchedPeer{p, seen}
	watched.awaitPIDs(1)
	return watched
}

// awaitPIDs returns the processes when so many have been started, or more: chaincode may be ready before its runtime has
// said that it has started it.
func (p watchedPeer) awaitPIDs(n int) []int {
	p.t.Helper()
	again, limit := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer again.Stop()
	for len(p.pids()) < n {
		select {
		case <-again.C:
		case <-limit:
			p.t.Fatalf("processes are %d, want %d of them", p.pids(), n)
		}
	}
	return p.pids()
}

// watchedWay is s.way, or s.served, with processes that the test can see.
func (s secured) watchedWay(t testing.TB, spoil func(*process.Config)) (way, *watched, setting) {
	t.Helper()
	seen := new(watched)
	change := func(cfg *process.Config) {
		seen.watch(cfg)
		if spoil != nil {
			spoil(cfg)
		}
	}
	if s.listen == nil {
		return s.served(t, serverTLS{ca: newAuthority(t)}, change), seen, func(*chaincodesupport.Config) {}
	}
	w, identify := s.way(t, change)
	return w, seen, identify
}

// status is a's.
func (p watchedPeer) status() chaincodesupport.Status {
	p.t.Helper()
	for _, s := range p.List() {
		if s.ChaincodeID == "a:1" {
			return s
		}
	}
	p.t.Fatalf("there is no a:1 in %v", p.List())
	return chaincodesupport.Status{}
}

// awaitStatus returns when a's status is as wanted, and how long that took. It fails the test if that is longer than limit.
func (p watchedPeer) awaitStatus(what string, limit time.Duration, wanted func(chaincodesupport.Status) bool) time.Duration {
	p.t.Helper()
	return p.awaitList(what, limit, func([]chaincodesupport.Status) bool { return wanted(p.status()) })
}

// awaitList is awaitStatus for all chaincodes.
func (p watchedPeer) awaitList(what string, limit time.Duration, wanted func([]chaincodesupport.Status) bool) time.Duration {
	p.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !wanted(p.List()) {
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("%s: chaincodes are %+v after %s", what, p.List(), limit)
		}
	}
	return time.Since(began)
}

// wantUndisturbed checks that a has run since it had this status, in one process, and says nothing but what it should.
func (p watchedPeer) wantUndisturbed(since chaincodesupport.Status) {
	p.t.Helper()
	got := p.status()
	got.QueuedBytes, since.QueuedBytes = 0, 0 // a KEEPALIVE may be on its way
	if got != since {
		p.t.Errorf("a is %+v, and was %+v", got, since)
	}
	if pids := p.pids(); len(pids) != 1 {
		p.t.Errorf("it was launched as processes %d", pids)
	}
	if again := matching(p.trace.take(), "REGISTER|fault"); len(again) > 0 {
		p.t.Errorf("on its stream was %q", again)
	}
	if lines := p.said("too_many_pings"); len(lines) > 0 {
		p.t.Errorf("it printed %q", lines)
	}
}

// elapse returns when a time has passed in which nothing is to happen.
func elapse(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// atOnce runs a test for each of some, all at the same time. With t.Parallel it would be as many as there are processors;
// these wait, most of the time.
func atOnce[T fmt.Stringer](t *testing.T, some []T, test func(*testing.T, T)) {
	var all sync.WaitGroup
	for _, s := range some {
		all.Go(func() { t.Run(s.String(), func(t *testing.T) { test(t, s) }) })
	}
	all.Wait()
}

// String implements fmt.Stringer.
func (s secured) String() string { return s.family.name + "/" + s.name }
