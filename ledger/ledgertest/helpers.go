package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
)

// suite is one test of Run. It has a ledger of its own, which is watched.
type suite struct {
	*testing.T
	fixture Fixture
	ledger  *Faulty
	commits int
}

func (s *suite) simulator(txID string) ledger.Simulator {
	s.Helper()
	sim, err := s.ledger.NewSimulator(s.Context(), txID)
	if err != nil || sim == nil {
		s.Fatalf("NewSimulator: %v, %v", sim, err)
	}
	return sim
}

func (s *suite) set(sim ledger.Simulator, key, value string) {
	s.Helper()
	if err := sim.SetState(s.Context(), ns, key, []byte(value)); err != nil {
		s.Fatalf("set %q: %v", key, err)
	}
}

// write commits pairs of key and value. A key without a value is deleted.
func (s *suite) write(pairs ...string) {
	s.Helper()
	s.commit("write", func(sim ledger.Simulator) {
		for _, p := range pairs {
			key, value := split(p)
			if value != "" {
				s.set(sim, key, value)
			} else if err := sim.DeleteState(s.Context(), ns, key); err != nil {
				s.Fatalf("delete %q: %v", key, err)
			}
		}
	})
}

func (s *suite) commit(txID string, simulate func(ledger.Simulator)) {
	s.Helper()
	sim := s.simulator(txID)
	defer sim.Done()
	simulate(sim)
	s.wantValid(sim, txID, true)
}

// wantValid commits what was simulated, and expects it to be valid or not. txID may have a suffix that makes it unique; the
// suffix is also the timestamp, in seconds.
func (s *suite) wantValid(sim ledger.Simulator, txID string, want bool) {
	s.Helper()
	s.commits++
	valid, err := s.fixture.Commit(s.Context(), Tx{
		ID: fmt.Sprintf("%s-%d", txID, s.commits), Timestamp: time.Unix(int64(s.commits), 1), Simulator: ledger.Unwrap(sim),
	})
	if err != nil {
		s.Fatalf("commit of %q: %v", txID, err)
	}
	if valid != want {
		s.Errorf("commit of %q: valid is %v, want %v", txID, valid, want)
	}
}

func (s *suite) wantState(sim ledger.Simulator, namespace, key, want string) {
	s.Helper()
	value, err := sim.GetState(s.Context(), namespace, key)
	if err != nil || string(value) != want || (want == "" && value != nil) {
		s.Errorf("%q in %q is %q (nil: %v), %v, want %q", key, namespace, value, value == nil, err, want)
	}
}

func (s *suite) open(sim ledger.Simulator, r ledger.Range) ledger.Iterator {
	s.Helper()
	it, err := sim.GetStateRange(s.Context(), ns, r)
	if err != nil || it == nil {
		s.Fatalf("range %+v: %v, %v", r, it, err)
	}
	return it
}

func (s *suite) wantNext(it ledger.Iterator, want string) {
	s.Helper()
	kv, err := it.Next(s.Context())
	if err != nil || pair(kv) != want {
		s.Errorf("next is %q, %v, want %q", pair(kv), err, want)
	}
	if kv != nil && kv.Namespace != ns {
		s.Errorf("%q is of namespace %q, want %q", kv.Key, kv.Namespace, ns)
	}
}

// wantRange compares a range with the pairs in want, which are separated by spaces.
func (s *suite) wantRange(sim ledger.Simulator, r ledger.Range, want string) {
	s.Helper()
	s.wantPairs(sim, r, strings.Fields(want))
}

func (s *suite) wantPairs(sim ledger.Simulator, r ledger.Range, want []string) {
	s.Helper()
	it := s.open(sim, r)
	defer it.Close()
	var got []string
	for {
		kv, err := it.Next(s.Context())
		if err != nil {
			s.Fatalf("range %+v: %v", r, err)
		}
		if kv == nil {
			break
		}
		got = append(got, pair(kv))
	}
	if !slices.Equal(got, want) {
		s.Errorf("range %+v has %q, want %q", r, got, want)
	}
}

// wantHistory compares the history of a key with values. The newest comes first, and "" is a delete.
func (s *suite) wantHistory(sim ledger.Simulator, key string, want ...string) {
	s.Helper()
	it, err := sim.(ledger.HistoryReader).GetHistoryForKey(s.Context(), ns, key)
	if err != nil || it == nil {
		s.Fatalf("history of %q: %v, %v", key, it, err)
	}
	defer it.Close()
	var got []string
	last := int64(s.commits) + 1
	for {
		m, err := it.Next(s.Context())
		if err != nil {
			s.Fatalf("history of %q: %v", key, err)
		}
		if m == nil {
			break
		}
		got = append(got, string(m.Value))
		at := m.Timestamp.Unix()
		if m.TxID != fmt.Sprintf("write-%d", at) || m.Timestamp.Nanosecond() != 1 || m.IsDelete != (len(m.Value) == 0) || at >= last {
			s.Errorf("history of %q: %+v is not as it was committed, or not in order", key, m)
		}
		last = at
	}
	if !slices.Equal(got, want) {
		s.Errorf("history of %q is %q, want %q", key, got, want)
	}
}
