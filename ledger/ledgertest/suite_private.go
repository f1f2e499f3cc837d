package ledgertest

import (
	"slices"
	"strings"

	"github.com/ccpeer/ccpeer/ledger"
)

// writePrivate commits pairs to a collection. A key without a value is deleted.
func (s *suite) writePrivate(collection string, pairs ...string) {
	s.Helper()
	commitHaving(s, "private", func(p ledger.PrivateState) {
		for _, pair := range pairs {
			s.setPrivate(p, collection, pair)
		}
	})
}

func (s *suite) setPrivate(p ledger.PrivateState, collection, pair string) {
	s.Helper()
	key, value := split(pair)
	err := p.SetPrivateData(s.Context(), ns, collection, key, []byte(value))
	if value == "" {
		err = p.DeletePrivateData(s.Context(), ns, collection, key)
	}
	if err != nil {
		s.Errorf("write private %q: %v", pair, err)
	}
}

// wantPrivate compares a private value, and its hash.
func (s *suite) wantPrivate(p ledger.PrivateState, collection, key, want string) {
	s.Helper()
	value, err := p.GetPrivateData(s.Context(), ns, collection, key)
	if err != nil || string(value) != want || (want == "" && value != nil) {
		s.Errorf("private %q is %q (nil: %v), %v, want %q", key, value, value == nil, err, want)
	}
	hash, err := p.GetPrivateDataHash(s.Context(), ns, collection, key)
	wantHash := ""
	if want != "" {
		wantHash = sha(want)
	}
	if err != nil || string(hash) != wantHash || (want == "" && hash != nil) {
		s.Errorf("hash of private %q is %x, %v, want %x", key, hash, err, wantHash)
	}
}

func (s *suite) wantPrivateRange(p ledger.PrivateState, r ledger.Range, want string) {
	s.Helper()
	it, err := p.GetPrivateDataRange(s.Context(), ns, coll, r)
	if err != nil || it == nil {
		s.Fatalf("private range %+v: %v, %v", r, it, err)
	}
	if got := s.readAll(it); !slices.Equal(got, strings.Fields(want)) {
		s.Errorf("private range %+v has %q, want %q", r, got, want)
	}
}

func testPrivateData(s *suite) {
	s.writePrivate(coll, "a=1", "b=1", "c=1")
	s.writePrivate(coll, "a=2", "b")
	sim, p := having[ledger.PrivateState](s, "read")
	defer sim.Done()
	s.wantPrivate(p, coll, "a", "2")
	s.wantPrivate(p, coll, "b", "")
	s.wantPrivate(p, coll, "c", "1")
	s.wantPrivate(p, coll, "absent", "")
	s.wantState(sim, ns, "a", "")
	s.wantRange(sim, ledger.Range{}, "")
}

func testOwnPrivateData(s *suite) {
	sim, p := having[ledger.PrivateState](s, "tx")
	defer sim.Done()
	s.setPrivate(p, coll, "k=v")
	s.wantPrivate(p, coll, "k", "")
	s.wantState(sim, ns, "k", "")
}

// testPrivateDeletes deletes in every way there is.
func testPrivateDeletes(s *suite) {
	for name, remove := range map[string]func(p ledger.PrivateState) error{
		"delete": func(p ledger.PrivateState) error { return p.DeletePrivateData(s.Context(), ns, coll, "k") },
		"purge":  func(p ledger.PrivateState) error { return p.PurgePrivateData(s.Context(), ns, coll, "k") },
		"nil":    func(p ledger.PrivateState) error { return p.SetPrivateData(s.Context(), ns, coll, "k", nil) },
		"empty":  func(p ledger.PrivateState) error { return p.SetPrivateData(s.Context(), ns, coll, "k", []byte{}) },
	} {
		s.writePrivate(coll, "k=1", "other=1")
		for _, before := range []string{"1", ""} { // a key that is there, and one that is absent
			sim, p := having[ledger.PrivateState](s, name)
			if err := remove(p); err != nil {
				s.Errorf("%s: %v", name, err)
			}
			s.wantPrivate(p, coll, "k", before) // a transaction doesn't see its own writes
			s.wantValid(sim, name, true)
			sim.Done()
			sim, p = having[ledger.PrivateState](s, "read")
			s.wantPrivate(p, coll, "k", "")
			s.wantPrivateRange(p, ledger.Range{}, "other=1")
			sim.Done()
		}
	}
}

// testCollections uses collections of which one begins with the name of another, and one follows it.
func testCollections(s *suite) {
	names := []string{coll, coll + "2", coll[:3], "bsecrets"}
	commitHaving(s, "tx", func(p ledger.PrivateState) {
		for _, name := range names {
			s.setPrivate(p, name, "k="+name)
		}
	})
	sim, p := having[ledger.PrivateState](s, "read")
	defer sim.Done()
	for _, name := range names {
		s.wantPrivate(p, name, "k", name)
	}
	s.wantPrivateRange(p, ledger.Range{}, "k="+coll)
	if value, err := p.GetPrivateData(s.Context(), ns+"2", coll, "k"); value != nil || err != nil {
		s.Errorf("another namespace has %q, %v", value, err)
	}
}

func testPrivateRanges(s *suite) {
	s.writePrivate(coll, "a=1", "b=2", "c=3", "d=4")
	sim, p := having[ledger.PrivateState](s, "read")
	defer sim.Done()
	for _, test := range []struct{ start, end, want string }{
		{"", "", "a=1 b=2 c=3 d=4"}, {"b", "", "b=2 c=3 d=4"}, {"", "c", "a=1 b=2"}, {"aa", "c\x00", "b=2 c=3"}, {"b", "b", ""}, {"c", "b", ""},
	} {
		s.wantPrivateRange(p, ledger.Range{Start: test.start, End: test.end}, test.want)
	}
}

func testPrivateSnapshot(s *suite) {
	s.writePrivate(coll, "a=1", "b=1")
	sim, p := having[ledger.PrivateState](s, "old")
	defer sim.Done()
	it, err := p.GetPrivateDataRange(s.Context(), ns, coll, ledger.Range{})
	if err != nil {
		s.Fatal(err)
	}
	s.wantNext(it, "a=1")
	s.writePrivate(coll, "a=2", "b", "c=2")
	s.wantNext(it, "b=1")
	s.wantNext(it, "")
	it.Close()
	s.wantPrivate(p, coll, "a", "1")
	s.wantPrivate(p, coll, "c", "")
}

// testPrivateConflicts reads a key, its hash or its metadata, and then has the key change.
func testPrivateConflicts(s *suite) {
	for name, test := range map[string]struct {
		read  func(p ledger.PrivateState) error
		valid bool
	}{
		"value": {func(p ledger.PrivateState) error { _, err := p.GetPrivateData(s.Context(), ns, coll, "k"); return err }, false},
		"hash": {func(p ledger.PrivateState) error {
			_, err := p.GetPrivateDataHash(s.Context(), ns, coll, "k")
			return err
		}, false},
		"absent": {func(p ledger.PrivateState) error {
			_, err := p.GetPrivateData(s.Context(), ns, coll, "new")
			return err
		}, false},
		"metadata": {func(p ledger.PrivateState) error {
			m, ok := p.(ledger.PrivateMetadataState)
			if !ok {
				_, err := p.GetPrivateData(s.Context(), ns, coll, "k")
				return err
			}
			_, err := m.GetPrivateDataMetadata(s.Context(), ns, coll, "k")
			return err
		}, false},
		"others": {func(p ledger.PrivateState) error { _, err := p.GetPrivateData(s.Context(), ns, coll, "x"); return err }, true},
	} {
		s.writePrivate(coll, "k=1", "x=1", "new")
		sim, p := having[ledger.PrivateState](s, name)
		if err := test.read(p); err != nil {
			s.Errorf("%s: %v", name, err)
		}
		s.set(sim, "result", name)
		s.writePrivate(coll, "k=1", "new=1")
		s.wantValid(sim, name, test.valid)
		sim.Done()
	}
}

func testPrivateBlindWrites(s *suite) {
	one, p1 := having[ledger.PrivateState](s, "one")
	two, p2 := having[ledger.PrivateState](s, "two")
	s.setPrivate(p1, coll, "k=1")
	s.setPrivate(p2, coll, "k=2")
	s.wantValid(one, "one", true)
	s.wantValid(two, "two", true)
	one.Done()
	two.Done()
	sim, p := having[ledger.PrivateState](s, "read")
	defer sim.Done()
	s.wantPrivate(p, coll, "k", "2")
}

func testPrivateMetadata(s *suite) {
	set := func(p ledger.PrivateMetadataState, pairs ...string) {
		if err := p.SetPrivateDataMetadata(s.Context(), ns, coll, "k", metadataOf(pairs)); err != nil {
			s.Errorf("set private metadata: %v", err)
		}
	}
	want := func(want ...string) {
		s.Helper()
		sim, p := having[ledger.PrivateMetadataState](s, "read")
		defer sim.Done()
		got, err := p.GetPrivateDataMetadata(s.Context(), ns, coll, "k")
		s.checkMetadata("private k", got, err, want)
	}
	want()
	s.writePrivate(coll, "k=1")
	commitHaving(s, "set", func(p ledger.PrivateMetadataState) { set(p, "a=1", "b=2") })
	want("a=1", "b=2")
	sim, p := having[ledger.PrivateState](s, "read")
	s.wantPrivate(p, coll, "k", "1") // its version is a new one, and is that of the hash, too
	sim.Done()
	s.writePrivate(coll, "k=2")
	want("a=1", "b=2")
	commitHaving(s, "replace", func(p ledger.PrivateMetadataState) { set(p, "c=3") })
	want("c=3")
	s.writePrivate(coll, "k")
	want()
	s.writePrivate(coll, "k=3")
	want()
}

func testPrivateRichQuery(s *suite) {
	probe, _ := having[ledger.PrivateRichQuerier](s, "probe")
	probe.Done()
	s.write(`public={"colour":"red"}`)
	s.writePrivate(coll, `a={"colour":"red"}`, `b={"colour":"blue"}`, "c=red")
	s.writePrivate(coll+"2", `d={"colour":"red"}`)
	sim, q := having[ledger.PrivateRichQuerier](s, "read")
	defer sim.Done()
	it, err := q.ExecuteQueryOnPrivateData(s.Context(), ns, coll, s.fixture.Query("colour", "red"))
	if err != nil || it == nil {
		s.Fatalf("private query: %v, %v", it, err)
	}
	if got := s.readAll(it); !slices.Equal(got, []string{`a={"colour":"red"}`}) {
		s.Errorf("the private query has %q", got)
	}
}
