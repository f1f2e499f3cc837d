package ledgertest_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
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
	// These have all optional interfaces but the first, which has one: a Faulty does not show that, and the suite tests it.
	"metadata is merged": {"metadata", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &mergedMetadata{s, s.(ledger.MetadataState)}
	})},
	"keys are sorted": {"multiple_keys", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &sortedKeys{s.(full)}
	})},
	"private own writes are visible": {"private_data_of_one's_own", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &ownPrivateWrites{full: s.(full), written: map[string][]byte{}}
	})},
	"collections are one": {"collections", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &oneCollection{s.(full)}
	})},
	"hashes are values": {"private_data", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &valuesForHashes{s.(full)}
	})},
	"private metadata is forgotten": {"private_metadata", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &forgottenMetadata{s.(full)}
	})},
	"queries have one page": {"pages_of_a_rich_query", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &onePage{s.(full)}
	})},
	"private queries are public": {"private_rich_query", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &publicQueries{s.(full)}
	})},
	"own deletes are visible": {"own_deletes_are_not_visible", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &ownDeletes{s, map[string]bool{}}
	})},
	"private own deletes are visible": {"private_data_is_deleted", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &ownPurges{s.(full), map[string]bool{}}
	})},
	"private writes are reads": {"private_blind_writes", simulating(func(_ ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &readingWrites{s.(full)}
	})},
	"multiple keys are no reads": {"stale_read_of_multiple_keys", simulating(func(l ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &unnoted{s.(full), l}
	})},
	"private metadata is no read": {"private_conflicts", simulating(func(l ledger.Ledger, s ledger.Simulator) ledger.Simulator {
		return &unnotedMetadata{s.(full), l}
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
			tx.Simulator = tx.Simulator.(interface{ unbroken() ledger.Simulator }).unbroken()
			return commit(ctx, tx)
		}
		return f
	}
}

type brokenLedger struct {
	inner ledger.Ledger
	wrap  func(ledger.Ledger, ledger.Simulator) ledger.Simulator
}

// A broken simulator has the optional interfaces that breaking it has left.
type (
	brokenSimulator struct {
		ledger.Simulator
		inner ledger.Simulator
	}
	brokenMetadata struct {
		*mergedMetadata
		inner ledger.Simulator
	}
	brokenFull struct {
		full
		inner ledger.Simulator
	}
)

func (s *brokenSimulator) unbroken() ledger.Simulator { return s.inner }
func (s *brokenMetadata) unbroken() ledger.Simulator  { return s.inner }
func (s *brokenFull) unbroken() ledger.Simulator      { return s.inner }

func (l brokenLedger) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	sim, err := l.inner.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	switch s := l.wrap(l.inner, sim).(type) {
	case full:
		return &brokenFull{s, sim}, nil
	case *mergedMetadata:
		return &brokenMetadata{s, sim}, nil
	default:
		return &brokenSimulator{s, sim}, nil
	}
}

type mergedMetadata struct {
	ledger.Simulator
	ledger.MetadataState
}

func (s *mergedMetadata) SetStateMetadata(ctx context.Context, namespace, key string, metadata map[string][]byte) error {
	all, err := s.GetStateMetadata(ctx, namespace, key)
	if err != nil {
		return err
	}
	maps.Copy(all, metadata)
	return s.MetadataState.SetStateMetadata(ctx, namespace, key, all)
}

type sortedKeys struct{ full }

func (s *sortedKeys) GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error) {
	return s.full.GetStateMultipleKeys(ctx, namespace, slices.Sorted(slices.Values(keys)))
}

type ownPrivateWrites struct {
	full
	written map[string][]byte
}

func (s *ownPrivateWrites) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	s.written[namespace+"/"+collection+"/"+key] = value
	return s.full.SetPrivateData(ctx, namespace, collection, key, value)
}

func (s *ownPrivateWrites) GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	if value, ok := s.written[namespace+"/"+collection+"/"+key]; ok {
		return value, nil
	}
	return s.full.GetPrivateData(ctx, namespace, collection, key)
}

type oneCollection struct{ full }

func (s *oneCollection) GetPrivateData(ctx context.Context, namespace, _, key string) ([]byte, error) {
	return s.full.GetPrivateData(ctx, namespace, "secrets", key)
}

type valuesForHashes struct{ full }

func (s *valuesForHashes) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	return s.GetPrivateData(ctx, namespace, collection, key)
}

type forgottenMetadata struct{ full }

func (s *forgottenMetadata) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	if err := s.SetPrivateDataMetadata(ctx, namespace, collection, key, nil); err != nil {
		return err
	}
	return s.full.SetPrivateData(ctx, namespace, collection, key, value)
}

type onePage struct{ full }

func (s *onePage) ExecuteQuery(ctx context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	p.Bookmark = ""
	return s.full.ExecuteQuery(ctx, namespace, query, p)
}

type publicQueries struct{ full }

func (s *publicQueries) ExecuteQueryOnPrivateData(ctx context.Context, namespace, _, query string) (ledger.Iterator, error) {
	return s.ExecuteQuery(ctx, namespace, query, ledger.Page{})
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

type ownDeletes struct {
	ledger.Simulator
	deleted map[string]bool
}

func (s *ownDeletes) DeleteState(ctx context.Context, namespace, key string) error {
	s.deleted[namespace+"/"+key] = true
	return s.Simulator.DeleteState(ctx, namespace, key)
}

func (s *ownDeletes) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	if s.deleted[namespace+"/"+key] {
		return nil, nil
	}
	return s.Simulator.GetState(ctx, namespace, key)
}

type ownPurges struct {
	full
	purged map[string]bool
}

func (s *ownPurges) PurgePrivateData(ctx context.Context, namespace, collection, key string) error {
	s.purged[namespace+"/"+collection+"/"+key] = true
	return s.full.PurgePrivateData(ctx, namespace, collection, key)
}

func (s *ownPurges) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	if s.purged[namespace+"/"+collection+"/"+key] {
		return nil, nil
	}
	return s.full.GetPrivateDataHash(ctx, namespace, collection, key)
}

type readingWrites struct{ full }

func (s *readingWrites) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	if _, err := s.GetPrivateData(ctx, namespace, collection, key); err != nil {
		return err
	}
	return s.full.SetPrivateData(ctx, namespace, collection, key, value)
}

type unnoted struct {
	full
	ledger ledger.Ledger
}

func (s *unnoted) GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error) {
	now, err := s.ledger.NewSimulator(ctx, "now")
	if err != nil {
		return nil, err
	}
	defer now.Done()
	return now.(full).GetStateMultipleKeys(ctx, namespace, keys)
}

type unnotedMetadata struct {
	full
	ledger ledger.Ledger
}

func (s *unnotedMetadata) GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error) {
	now, err := s.ledger.NewSimulator(ctx, "now")
	if err != nil {
		return nil, err
	}
	defer now.Done()
	return now.(full).GetPrivateDataMetadata(ctx, namespace, collection, key)
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
