package ledgertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
)

// Fixture is a ledger to test, together with what only its peer can do with it.
type Fixture struct {
	// Ledger is the ledger, which is empty.
	Ledger ledger.Ledger
	// Commit commits what was simulated, as a block of its own, and says whether the transaction was valid. Nil skips the
	// tests that need it.
	Commit func(ctx context.Context, tx Tx) (valid bool, err error)
	// Validates says that Commit finds conflicts. A transaction is then not valid if a key or a range that it read has
	// changed since it was simulated. The same holds for metadata and private data, if the ledger has them. Reading metadata
	// counts as reading the key, and writing it as writing the key.
	Validates bool
	// Query returns a rich query, in the ledger's language, for the JSON documents whose field has the value. Nil skips the
	// tests of rich queries.
	Query func(field, value string) string
}

// Tx is a transaction to commit.
type Tx struct {
	ID        string
	Timestamp time.Time
	// Simulator was made by the fixture's ledger. It is still open: the suite calls Done after Commit.
	Simulator ledger.Simulator
}

// Run tests that a ledger does what package ledger says. open returns a fixture with an empty ledger, and releases it by
// t.Cleanup. Optional interfaces are tested if the ledger's simulators implement them.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, test := range append(required(), optionals()...) {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			if !test.needs(f) {
				t.Skip("the fixture has not what this test needs")
			}
			watched := NewFaulty(f.Ledger)
			test.run(&suite{T: t, fixture: f, ledger: watched})
			watched.Check(t)
		})
	}
}

// row is one test of the suite.
type row struct {
	name  string
	needs func(Fixture) bool
	run   func(s *suite)
}

func required() []row {
	return []row{
		{"absent key", anyLedger, testAbsent},
		{"own writes are not visible", anyLedger, testOwnWrites},
		{"own deletes are not visible", commits, testOwnDeletes},
		{"empty range", anyLedger, testEmptyRange},
		{"commit", commits, testCommit},
		{"namespaces", commits, testNamespaces},
		{"empty value deletes", commits, testEmptyValue},
		{"keys", commits, testKeys},
		{"ranges", commits, testRanges},
		{"large range", commits, testLargeRange},
		{"iterators", commits, testIterators},
		{"snapshot", commits, testSnapshot},
		{"values are kept", commits, testValuesKept},
		{"many at once", commits, testConcurrent},
		{"stale read", validates, testStaleRead},
		{"phantom", validates, testPhantom},
		{"blind writes", validates, testBlindWrites},
	}
}

func anyLedger(Fixture) bool   { return true }
func commits(f Fixture) bool   { return f.Commit != nil }
func validates(f Fixture) bool { return f.Commit != nil && f.Validates }

const ns = "asset"

func testAbsent(s *suite) {
	sim := s.simulator("tx")
	defer sim.Done()
	s.wantState(sim, ns, "absent", "")
	if err := sim.DeleteState(s.Context(), ns, "absent"); err != nil {
		s.Errorf("delete of an absent key: %v", err)
	}
}

func testOwnWrites(s *suite) {
	sim := s.simulator("tx")
	defer sim.Done()
	s.set(sim, "k", "v")
	s.wantState(sim, ns, "k", "")
	s.wantRange(sim, ledger.Range{}, "")
}

func testOwnDeletes(s *suite) {
	s.write("a=1", "b=1")
	sim := s.simulator("tx")
	defer sim.Done()
	if err := sim.DeleteState(s.Context(), ns, "a"); err != nil {
		s.Error(err)
	}
	s.set(sim, "b", "")
	s.wantState(sim, ns, "a", "1")
	s.wantState(sim, ns, "b", "1")
	s.wantRange(sim, ledger.Range{}, "a=1 b=1")
}

func testEmptyRange(s *suite) {
	sim := s.simulator("tx")
	defer sim.Done()
	for _, r := range []ledger.Range{{}, {Start: "a", End: "b"}, {Start: "b", End: "a"}} {
		s.wantRange(sim, r, "")
	}
}

func testCommit(s *suite) {
	s.write("a=1", "b=1")
	s.write("a=2", "c=2")
	s.write("b")
	sim := s.simulator("tx")
	defer sim.Done()
	s.wantState(sim, ns, "a", "2")
	s.wantState(sim, ns, "b", "")
	s.wantRange(sim, ledger.Range{}, "a=2 c=2")
}

// testNamespaces uses namespaces of which one begins with the name of another, and one follows it.
func testNamespaces(s *suite) {
	names := []string{ns, ns + "2", ns[:3], "basset"}
	s.commit("tx", func(sim ledger.Simulator) {
		for _, name := range names {
			if err := sim.SetState(s.Context(), name, "k", []byte(name)); err != nil {
				s.Errorf("set in %q: %v", name, err)
			}
		}
	})
	sim := s.simulator("read")
	defer sim.Done()
	for _, name := range names {
		s.wantState(sim, name, "k", name)
	}
	s.wantRange(sim, ledger.Range{}, "k="+ns)
}

// F77
func testEmptyValue(s *suite) {
	for _, empty := range [][]byte{nil, {}} {
		s.write("k=v")
		s.commit("empty", func(sim ledger.Simulator) {
			if err := sim.SetState(s.Context(), ns, "k", empty); err != nil {
				s.Errorf("set of an empty value: %v", err)
			}
		})
		sim := s.simulator("read")
		s.wantState(sim, ns, "k", "")
		s.wantRange(sim, ledger.Range{}, "")
		sim.Done()
	}
}

// testKeys uses keys that an encoding might get wrong (F70). Composite keys come before simple ranges, and don't show in
// them.
func testKeys(s *suite) {
	keys := []string{
		"\x00a\x00", "\x00a\x00b\x00", "\x00a\x00b\x00c\x00", "\x00a\x00\U0010ffff", "\x00ab\x00",
		"\x01", "\x01\x00", " ", "_design", "a", "a\x00", "a\x00b", "a\x01", "aa", "b", "é", "\ue000", "\U0010ffff",
	}
	var writes []string
	for i := range keys {
		writes = append(writes, fmt.Sprintf("%s=%d", keys[len(keys)-1-i], len(keys)-1-i))
	}
	s.write(writes...)
	sim := s.simulator("read")
	defer sim.Done()
	var all []string
	for i, key := range keys {
		s.wantState(sim, ns, key, fmt.Sprint(i))
		all = append(all, fmt.Sprintf("%s=%d", key, i))
	}
	s.wantPairs(sim, ledger.Range{}, all)
	s.wantPairs(sim, ledger.Range{Start: "\x01"}, all[5:])
	s.wantPairs(sim, ledger.Range{Start: "\x00a\x00", End: "\x00a\x00\U0010ffff"}, all[:3])
}

func testRanges(s *suite) {
	s.write("a=1", "b=2", "c=3", "d=4")
	sim := s.simulator("read")
	defer sim.Done()
	for _, test := range []struct{ start, end, want string }{
		{"", "", "a=1 b=2 c=3 d=4"},
		{"b", "", "b=2 c=3 d=4"},
		{"", "c", "a=1 b=2"},
		{"b", "d", "b=2 c=3"},
		{"aa", "c\x00", "b=2 c=3"},
		{"b", "b", ""},
		{"c", "b", ""},
		{"e", "", ""},
	} {
		s.wantRange(sim, ledger.Range{Start: test.start, End: test.end}, test.want)
	}
	sim2 := s.simulator("page")
	defer sim2.Done()
	// The page size is a hint: up to one result more may be asked for.
	it := s.open(sim2, ledger.Range{Start: "b", PageSize: 2})
	for _, want := range []string{"b=2", "c=3", "d=4"} {
		s.wantNext(it, want)
	}
	it.Close()
}

func testLargeRange(s *suite) {
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("k%04d=%d", i, i))
	}
	s.write(want...)
	sim := s.simulator("read")
	defer sim.Done()
	s.wantPairs(sim, ledger.Range{}, want)
	s.wantPairs(sim, ledger.Range{Start: "k0100", End: "k0901"}, want[100:901])
}

func testIterators(s *suite) {
	s.write("a=1", "b=2", "c=3")
	sim := s.simulator("read")
	defer sim.Done()
	one, two := s.open(sim, ledger.Range{}), s.open(sim, ledger.Range{Start: "b"})
	s.wantNext(one, "a=1")
	s.wantNext(two, "b=2")
	s.set(sim, "b", "changed")
	s.wantNext(one, "b=2")
	one.Close()
	s.wantNext(two, "c=3")
	s.wantNext(two, "")
	s.wantNext(two, "")
	two.Close()
	s.wantState(sim, ns, "a", "1")
}

func testSnapshot(s *suite) {
	s.write("a=1", "b=1")
	sim := s.simulator("old")
	defer sim.Done()
	it := s.open(sim, ledger.Range{})
	s.wantNext(it, "a=1")
	s.write("a=2", "b", "c=2")
	s.wantNext(it, "b=1")
	s.wantNext(it, "")
	it.Close()
	s.wantState(sim, ns, "a", "1")
	s.wantState(sim, ns, "c", "")
	s.wantRange(sim, ledger.Range{}, "a=1 b=1")
}

func testValuesKept(s *suite) {
	s.write("a=1")
	sim := s.simulator("read")
	value, err := sim.GetState(s.Context(), ns, "a")
	sim.Done()
	s.write("a=2")
	if err != nil || string(value) != "1" {
		s.Errorf("a value that was read before is now %q, %v", value, err)
	}
}

// testConcurrent runs simulators while blocks are committed. Each must see one of the states between two blocks.
func testConcurrent(s *suite) {
	s.write("a=0", "b=0")
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 4 {
		wg.Go(func() {
			for range 50 {
				sim, err := s.ledger.NewSimulator(s.Context(), "read")
				if err != nil {
					s.Errorf("NewSimulator: %v", err)
					return
				}
				a, err1 := sim.GetState(s.Context(), ns, "a")
				b, err2 := sim.GetState(s.Context(), ns, "b")
				if err1 != nil || err2 != nil || string(a) != string(b) {
					s.Errorf("a is %q (%v), b, always written with it, is %q (%v)", a, err1, b, err2)
				}
				sim.Done()
			}
		})
	}
	for i := range 50 {
		s.write(fmt.Sprintf("a=%d", i), fmt.Sprintf("b=%d", i))
	}
}

func testStaleRead(s *suite) {
	for name, change := range map[string]string{"changed": "k=2", "deleted": "k", "written again": "k=1", "created": "new=1"} {
		s.write("k=1", "new")
		sim := s.simulator("stale")
		s.wantState(sim, ns, "k", "1")
		s.wantState(sim, ns, "new", "")
		s.set(sim, "result", name)
		s.write(change)
		s.wantValid(sim, "stale", false)
		sim.Done()
	}
	sim := s.simulator("read")
	defer sim.Done()
	s.wantState(sim, ns, "result", "")
}

func testPhantom(s *suite) {
	for change, valid := range map[string]bool{"b": false, "b=3": false, "bb=1": false, "c=1": true, "a=1": true} {
		s.write("b=1", "c", "a", "bb")
		sim := s.simulator("range")
		s.wantRange(sim, ledger.Range{Start: "aa", End: "c"}, "b=1")
		s.set(sim, "result", "1")
		s.write(change)
		s.wantValid(sim, "range", valid)
		sim.Done()
	}
}

func testBlindWrites(s *suite) {
	one, two := s.simulator("one"), s.simulator("two")
	s.set(one, "k", "1")
	s.set(two, "k", "2")
	s.wantValid(one, "one", true)
	s.wantValid(two, "two", true)
	one.Done()
	two.Done()
	sim := s.simulator("read")
	defer sim.Done()
	s.wantState(sim, ns, "k", "2")
}

// pair returns a key and its value in the form in which the suite writes them.
func pair(kv *ledger.KV) string {
	if kv == nil {
		return ""
	}
	return kv.Key + "=" + string(kv.Value)
}

// split takes a pair apart. If there is only a key, the value is "".
func split(p string) (key, value string) {
	key, value, _ = strings.Cut(p, "=")
	return key, value
}
