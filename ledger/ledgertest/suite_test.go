package ledgertest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// The suite asks no more of a ledger than it has.
func TestRunOnLittle(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Fixture {
		return ledgertest.Fixture{Ledger: plainLedger{reference(t).Ledger}}
	})
}

// brokenEnv names the ledger that TestBroken runs the suite on.
const brokenEnv = "LEDGERTEST_BROKEN"

// broken are ledgers that the suite must find fault with, and the first test to do so.
var broken = map[string]struct {
	test string
	make func(ledgertest.Fixture) ledgertest.Fixture
}{
	"own writes are visible": {"own_writes_are_not_visible", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &ownWrites{Simulator: s, written: map[string][]byte{}}
	})},
	"no snapshot": {"snapshot", simulating(func(l ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &noSnapshot{Simulator: s, ledger: l}
	})},
	"end is in the range": {"ranges", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &inclusive{s}
	})},
	"namespaces are one": {"namespaces", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &oneNamespace{s}
	})},
	"conflicts are ignored": {"stale_read", func(f ledgertest.Fixture) ledgertest.Fixture {
		commit := f.Commit
		f.Commit = func(ctx context.Context, tx ledgertest.Tx) (bool, error) {
			_, err := commit(ctx, tx)
			return true, err
		}
		return f
	}},
}

func TestSuiteFindsFaults(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBroken/"+b.test+" ") {
				t.Errorf("the suite did not fail in %s: %v\n%s", b.test, err, out)
			}
		})
	}
}

// TestBroken is run by TestSuiteFindsFaults, in a process of its own.
func TestBroken(t *testing.T) {
	b, ok := broken[os.Getenv(brokenEnv)]
	if !ok {
		t.Skip("runs in a process that TestSuiteFindsFaults starts")
	}
	ledgertest.Run(t, func(t *testing.T) ledgertest.Fixture { return b.make(reference(t)) })
}

// simulating breaks a fixture's simulators.
func simulating(wrap func(ledger.Ledger, ledger.Simulator) ledger.Simulator) func(ledgertest.Fixture) ledgertest.Fixture {
	return func(f ledgertest.Fixture) ledgertest.Fixture {
		inner, commit := f.Ledger, f.Commit
		f.Ledger = brokenLedger{inner, wrap}
		f.Commit = func(ctx context.Context, tx ledgertest.Tx) (bool, error) {
			tx.Simulator = tx.Simulator.(*brokenSimulator).inner
			return commit(ctx, tx)
		}
		return f
	}
}

type brokenLedger struct {
	inner ledger.Ledger
	wrap  func(ledger.Ledger, ledger.Simulator) ledger.Simulator
}

type brokenSimulator struct {
	ledger.Simulator
	inner ledger.Simulator
}

func (l brokenLedger) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	sim, err := l.inner.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	return &brokenSimulator{Simulator: l.wrap(l.inner, sim), inner: sim}, nil
}

type ownWrites struct {
	ledger.Simulator
	written map[string][]byte
}

func (s *ownWrites) SetState(ctx context.Context, namespace, key string, value []byte) error {
	s.written[namespace+"/"+key] = value
	return s.Simulator.SetState(ctx, namespace, key, value)
}

func (s *ownWrites) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	if value, ok := s.written[namespace+"/"+key]; ok {
		return value, nil
	}
	return s.Simulator.GetState(ctx, namespace, key)
}

type noSnapshot struct {
	ledger.Simulator
	ledger ledger.Ledger
}

func (s *noSnapshot) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	now, err := s.ledger.NewSimulator(ctx, "now")
	if err != nil {
		return nil, err
	}
	defer now.Done()
	return now.GetState(ctx, namespace, key)
}

type inclusive struct{ ledger.Simulator }

func (s *inclusive) GetStateRange(ctx context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	if r.End != "" {
		r.End += "\x00"
	}
	return s.Simulator.GetStateRange(ctx, namespace, r)
}

type oneNamespace struct{ ledger.Simulator }

func (s *oneNamespace) GetState(ctx context.Context, _, key string) ([]byte, error) {
	return s.Simulator.GetState(ctx, ns, key)
}
