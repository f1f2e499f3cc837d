package ledgertest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/ccpeer/ccpeer/ledger"
)

const coll = "secrets"

func queries(f Fixture) bool { return f.Commit != nil && f.Query != nil }

func optionals() []row {
	return []row{
		{"history", commits, testHistory},
		{"multiple keys", commits, testMultipleKeys},
		{"stale read of multiple keys", validates, testStaleMultipleKeys},
		{"metadata", commits, testMetadata},
		{"metadata of one's own", commits, testOwnMetadata},
		{"metadata conflicts", validates, testMetadataConflicts},
		{"private data", commits, testPrivateData},
		{"private data of one's own", anyLedger, testOwnPrivateData},
		{"private data is deleted", commits, testPrivateDeletes},
		{"collections", commits, testCollections},
		{"private ranges", commits, testPrivateRanges},
		{"private snapshot", commits, testPrivateSnapshot},
		{"private conflicts", validates, testPrivateConflicts},
		{"private blind writes", validates, testPrivateBlindWrites},
		{"private metadata", commits, testPrivateMetadata},
		{"rich query", queries, testRichQuery},
		{"rich query conflicts", func(f Fixture) bool { return queries(f) && f.Validates }, testRichQueryConflicts},
		{"pages of a rich query", queries, testRichPages},
		{"private rich query", queries, testPrivateRichQuery},
	}
}

// having returns a simulator as the optional interface that the test needs. It skips the test if the simulator doesn't have
// that.
func having[T any](s *suite, txID string) (ledger.Simulator, T) {
	s.Helper()
	sim := s.simulator(txID)
	t, ok := optional[T](sim)
	if !ok {
		sim.Done()
		s.Skip("the ledger has not what this test needs")
	}
	return sim, t
}

// commitHaving commits what simulate does with an optional interface.
func commitHaving[T any](s *suite, txID string, simulate func(T)) {
	s.Helper()
	sim, t := having[T](s, txID)
	defer sim.Done()
	simulate(t)
	s.wantValid(sim, txID, true)
}

func testHistory(s *suite) {
	probe, _ := having[ledger.HistoryReader](s, "probe")
	probe.Done()
	s.write("k=1", "k2=other")
	s.write("other=1")
	s.write("k=2")
	s.write("k")
	sim := s.simulator("read")
	defer sim.Done()
	s.set(sim, "k", "not committed")
	s.wantHistory(sim, "k", "", "2", "1")
	s.wantHistory(sim, "k2", "other")
	s.wantHistory(sim, "absent")
}

func testMultipleKeys(s *suite) {
	s.write("a=1", "b=2", "c=3")
	sim, m := having[ledger.MultiGetter](s, "read")
	defer sim.Done()
	s.set(sim, "b", "not committed")
	for keys, want := range map[string]string{"": "[]", "b": `["2"]`, "c absent a c b": `["3" "" "1" "3" "2"]`} {
		got, err := m.GetStateMultipleKeys(s.Context(), ns, strings.Fields(keys))
		if err != nil || fmt.Sprintf("%q", got) != want {
			s.Errorf("%q are %q, %v, want %s", keys, got, err, want)
		}
		if i := slices.Index(strings.Fields(keys), "absent"); i >= 0 && i < len(got) && got[i] != nil {
			s.Error("an absent key is not nil")
		}
	}
}

func testStaleMultipleKeys(s *suite) {
	for change, valid := range map[string]bool{"k=1": false, "new=1": false, "other=1": true} {
		s.write("k=1", "new")
		sim, m := having[ledger.MultiGetter](s, "stale")
		if _, err := m.GetStateMultipleKeys(s.Context(), ns, []string{"new", "k"}); err != nil {
			s.Error(err)
		}
		s.set(sim, "result", change)
		s.write(change)
		s.wantValid(sim, "stale", valid)
		sim.Done()
	}
}

func (s *suite) setMetadata(m ledger.MetadataState, key string, pairs ...string) {
	s.Helper()
	if err := m.SetStateMetadata(s.Context(), ns, key, metadataOf(pairs)); err != nil {
		s.Errorf("set metadata of %q: %v", key, err)
	}
}

func (s *suite) wantMetadata(key string, want ...string) {
	s.Helper()
	sim, m := having[ledger.MetadataState](s, "read")
	defer sim.Done()
	got, err := m.GetStateMetadata(s.Context(), ns, key)
	s.checkMetadata(key, got, err, want)
}

func (s *suite) checkMetadata(key string, got map[string][]byte, err error, want []string) {
	s.Helper()
	if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", metadataOf(want)) {
		s.Errorf("metadata of %q is %q, %v, want %q", key, got, err, want)
	}
}

func metadataOf(pairs []string) map[string][]byte {
	m := map[string][]byte{}
	for _, p := range pairs {
		name, value := split(p)
		m[name] = []byte(value)
	}
	return m
}

// testMetadata tests what a commit makes of values and metadata, written together and alone.
func testMetadata(s *suite) {
	type state = ledger.MetadataState
	s.write("k=1", "other=1")
	s.wantMetadata("k")
	s.wantMetadata("absent")
	commitHaving(s, "set", func(m state) { s.setMetadata(m, "k", "a=1", "b=2") })
	s.wantMetadata("k", "a=1", "b=2")
	s.wantMetadata("other")
	commitHaving(s, "replace", func(m state) { s.setMetadata(m, "k", "c=3") })
	s.wantMetadata("k", "c=3")
	s.write("k=2")
	s.wantMetadata("k", "c=3")
	s.write("k")
	s.wantMetadata("k")
	commitHaving(s, "absent", func(m state) { s.setMetadata(m, "k", "a=1") })
	s.wantMetadata("k")
	s.write("k=3")
	s.wantMetadata("k")
	commitHaving(s, "both", func(m state) {
		s.setMetadata(m, "k", "a=1")
		s.set(m.(ledger.Simulator), "k", "4")
	})
	s.wantMetadata("k", "a=1")
	commitHaving(s, "none", func(m state) { s.setMetadata(m, "k") })
	s.wantMetadata("k")
	sim := s.simulator("read")
	defer sim.Done()
	s.wantState(sim, ns, "k", "4")
}

func testOwnMetadata(s *suite) {
	s.write("k=1")
	sim, m := having[ledger.MetadataState](s, "tx")
	defer sim.Done()
	s.setMetadata(m, "k", "a=1")
	got, err := m.GetStateMetadata(s.Context(), ns, "k")
	s.checkMetadata("k", got, err, nil)
	s.wantState(sim, ns, "k", "1")
	commitHaving(s, "other", func(m ledger.MetadataState) { s.setMetadata(m, "k", "b=2") })
	got, err = m.GetStateMetadata(s.Context(), ns, "k")
	s.checkMetadata("k at the snapshot", got, err, nil)
}

func testMetadataConflicts(s *suite) {
	s.write("k=1")
	value, read := having[ledger.MetadataState](s, "value")
	metadata := s.simulator("metadata")
	s.wantState(value, ns, "k", "1")
	got, err := read.GetStateMetadata(s.Context(), ns, "absent")
	s.checkMetadata("absent", got, err, nil)
	m, _ := optional[ledger.MetadataState](metadata)
	got, err = m.GetStateMetadata(s.Context(), ns, "k")
	s.checkMetadata("k", got, err, nil)
	commitHaving(s, "set", func(m ledger.MetadataState) {
		s.setMetadata(m, "k", "a=1")
		s.setMetadata(m, "absent", "a=1")
	})
	for _, sim := range []ledger.Simulator{value, metadata} {
		s.set(sim, "result", "1")
		s.wantValid(sim, "stale", false)
		sim.Done()
	}
}

// testRichQuery uses documents of which some don't match, and values that are no documents.
func testRichQuery(s *suite) {
	probe, _ := having[ledger.RichQuerier](s, "probe")
	probe.Done()
	s.write(`a={"colour":"red"}`, `b={"colour":"blue"}`, `c={"colour":"red","n":1}`, "d=red", `e={"other":"red"}`)
	sim, q := having[ledger.RichQuerier](s, "read")
	defer sim.Done()
	s.set(sim, "f", `{"colour":"red"}`)
	s.write(`g={"colour":"red"}`)
	for value, want := range map[string][]string{"red": {`a={"colour":"red"}`, `c={"colour":"red","n":1}`}, "blue": {`b={"colour":"blue"}`}, "green": nil} {
		it, err := q.ExecuteQuery(s.Context(), ns, s.fixture.Query("colour", value), ledger.Page{})
		if err != nil || it == nil {
			s.Fatalf("query for %s: %v, %v", value, it, err)
		}
		if got := s.readAll(it); !slices.Equal(got, want) {
			s.Errorf("%s is %q, want %q", value, got, want)
		}
	}
}

func testRichQueryConflicts(s *suite) {
	for change, valid := range map[string]bool{`k={"colour":"red","n":2}`: false, "k": false, `new={"colour":"red"}`: true, `other={"colour":"red"}`: true} {
		s.write(`k={"colour":"red","n":1}`, `other={"colour":"blue"}`, "new")
		sim, q := having[ledger.RichQuerier](s, "query")
		it, err := q.ExecuteQuery(s.Context(), ns, s.fixture.Query("colour", "red"), ledger.Page{})
		if err != nil {
			s.Fatal(err)
		}
		if got := s.readAll(it); !slices.Equal(got, []string{`k={"colour":"red","n":1}`}) {
			s.Errorf("the query has %q", got)
		}
		s.set(sim, "result", "1")
		s.write(change)
		s.wantValid(sim, "query", valid)
		sim.Done()
	}
}

// testRichPages reads all results, two by two. Each page is read in a transaction of its own.
func testRichPages(s *suite) {
	var want, got []string
	for i := range 5 {
		want = append(want, fmt.Sprintf(`k%d={"colour":"red"}`, i))
	}
	s.write(append(want, `z={"colour":"blue"}`)...)
	bookmark := ""
	for range 3 {
		sim, q := having[ledger.RichQuerier](s, "page")
		it, err := q.ExecuteQuery(s.Context(), ns, s.fixture.Query("colour", "red"), ledger.Page{Size: 2, Bookmark: bookmark})
		if err != nil {
			s.Fatalf("page at %q: %v", bookmark, err)
		}
		page := s.readOn(it)
		if len(page) > 2 {
			s.Errorf("a page has %d results", len(page))
		}
		got = append(got, page...)
		if bookmark, err = it.Bookmark(s.Context()); err != nil {
			s.Fatalf("bookmark: %v", err)
		}
		it.Close()
		sim.Done()
	}
	if !slices.Equal(got, want) {
		s.Errorf("pages have %q, want %q", got, want)
	}
}

// readAll reads an iterator to its end, and closes it.
func (s *suite) readAll(it ledger.Iterator) []string {
	s.Helper()
	defer it.Close()
	return s.readOn(it)
}

func (s *suite) readOn(it ledger.Iterator) []string {
	s.Helper()
	var got []string
	for {
		kv, err := it.Next(s.Context())
		if err != nil {
			s.Fatalf("next: %v", err)
		}
		if kv == nil {
			return got
		}
		if kv.Namespace != ns {
			s.Errorf("%q is of namespace %q, want %q", kv.Key, kv.Namespace, ns)
		}
		got = append(got, pair(kv))
	}
}

func sha(value string) string {
	sum := sha256.Sum256([]byte(value))
	return string(sum[:])
}
