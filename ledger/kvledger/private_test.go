package kvledger_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const coll = "secrets"

func putPrivate(key, value string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.SetPrivateData(t.Context(), ns, coll, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
}

func purge(key string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.PurgePrivateData(t.Context(), ns, coll, key); err != nil {
			t.Fatal(err)
		}
	}
}

func getPrivate(keys ...string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		for _, key := range keys {
			if _, err := sim.GetPrivateData(t.Context(), ns, coll, key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func getHash(key string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if _, err := sim.GetPrivateDataHash(t.Context(), ns, coll, key); err != nil {
			t.Fatal(err)
		}
	}
}

func setPrivateMetadata(key string, pairs ...string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		if err := sim.SetPrivateDataMetadata(t.Context(), ns, coll, key, metadataOf(pairs)); err != nil {
			t.Fatal(err)
		}
	}
}

// private returns a private value, and the hash that is committed of it.
func private(t *testing.T, l *kvledger.Ledger, key string) (value, hashed string, err error) {
	t.Helper()
	sim := newSimulator(t, l, "read")
	defer sim.Done()
	v, err := sim.GetPrivateData(t.Context(), ns, coll, key)
	h, hashErr := sim.GetPrivateDataHash(t.Context(), ns, coll, key)
	if hashErr != nil {
		t.Fatal(hashErr)
	}
	return string(v), string(h), err
}

// collection returns what is in the collection, by a range.
func collection(t *testing.T, l *kvledger.Ledger, r ledger.Range) string {
	t.Helper()
	sim := newSimulator(t, l, "read")
	defer sim.Done()
	it, err := sim.GetPrivateDataRange(t.Context(), ns, coll, r)
	if err != nil {
		t.Fatal(err)
	}
	return pairs(t, it)
}

// pairs reads an iterator to its end.
func pairs(t *testing.T, it ledger.Iterator) string {
	t.Helper()
	defer it.Close()
	var all []string
	for {
		kv, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kv == nil {
			return strings.Join(all, " ")
		}
		if kv.Namespace != ns {
			t.Errorf("%q is of namespace %q", kv.Key, kv.Namespace)
		}
		all = append(all, kv.Key+"="+string(kv.Value))
	}
}

// TestPrivateConflicts is TestConflicts for hashed reads. a, b and d are there, in the collection and in public.
func TestPrivateConflicts(t *testing.T) {
	type tx []op
	for _, test := range []struct {
		name  string
		block []tx
		codes []kvledger.ValidationCode
		state string
	}{
		{"reads", []tx{{getPrivate("a", "c")}, {getPrivate("a", "c")}}, codes(valid, valid), "a=0 b=0 d=0"},
		{"blind writes", []tx{{putPrivate("a", "1")}, {putPrivate("a", "2")}}, codes(valid, valid), "a=2 b=0 d=0"},
		{"read of a key that was written", []tx{{putPrivate("a", "1")}, {getPrivate("a"), putPrivate("b", "2")}}, codes(valid, mvcc), "a=1 b=0 d=0"},
		{"hash of a key that was written", []tx{{putPrivate("a", "1")}, {getHash("a"), putPrivate("b", "2")}}, codes(valid, mvcc), "a=1 b=0 d=0"},
		{"read of an absent key that was created", []tx{{putPrivate("c", "1")}, {getPrivate("c"), putPrivate("b", "2")}}, codes(valid, mvcc), "a=0 b=0 c=1 d=0"},
		{"read of a key that was deleted", []tx{{putPrivate("a", "")}, {getPrivate("a"), putPrivate("b", "2")}}, codes(valid, mvcc), "b=0 d=0"},
		{"read of a key that was purged", []tx{{purge("a")}, {getPrivate("a"), putPrivate("b", "2")}}, codes(valid, mvcc), "b=0 d=0"},
		{"read of an absent key that was deleted", []tx{{putPrivate("c", "")}, {getPrivate("c"), putPrivate("b", "2")}}, codes(valid, mvcc), "a=0 b=0 d=0"},
		{"purged and written", []tx{{purge("a")}, {putPrivate("a", "1")}}, codes(valid, valid), "a=1 b=0 d=0"},
		{"invalid ones don't count", []tx{{putPrivate("a", "1")}, {getPrivate("a"), putPrivate("b", "2")}, {getPrivate("b"), putPrivate("c", "3")}}, codes(valid, mvcc, valid), "a=1 b=0 c=3 d=0"},
		{"public keys are others", []tx{{put("a", "1")}, {getPrivate("a"), putPrivate("b", "2")}}, codes(valid, valid), "a=0 b=2 d=0"},
		{"private keys are others", []tx{{putPrivate("a", "1")}, {get("a"), scan("", "", -1), putPrivate("b", "2")}}, codes(valid, valid), "a=1 b=2 d=0"},
		{"ranges come before hashed reads", []tx{{put("b", "1"), putPrivate("a", "1")}, {getPrivate("a"), scan("", "", -1)}}, codes(valid, phantom), "a=1 b=0 d=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openMemory(t)
			seed := []op{put("a", "0"), put("b", "0"), put("d", "0"), putPrivate("a", "0"), putPrivate("b", "0"), putPrivate("d", "0")}
			commitResults(t, l, results(t, l, seed...))
			var all []*kvledger.Results
			for _, ops := range test.block {
				all = append(all, results(t, l, ops...))
			}
			if got := commitResults(t, l, all...); !slices.Equal(got, test.codes) {
				t.Errorf("codes are %v, want %v", got, test.codes)
			}
			if got := collection(t, l, ledger.Range{}); got != test.state {
				t.Errorf("collection has %q, want %q", got, test.state)
			}
		})
	}
}

// Later blocks see the versions that hashed reads are of.
func TestStaleHashedRead(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "1")))
	read := results(t, l, getPrivate("k"), put("x", "1"))
	absent := results(t, l, getHash("new"), put("x", "1"))
	if got := commitResults(t, l, results(t, l, putPrivate("k", "1"), putPrivate("new", "1"))); got[0] != valid {
		t.Fatal(got)
	}
	if got := commitResults(t, l, read, absent); !slices.Equal(got, codes(mvcc, mvcc)) {
		t.Errorf("codes are %v", got)
	}
}

func TestPrivateKeysAndRanges(t *testing.T) {
	l := openMemory(t)
	sim := newSimulator(t, l, "tx")
	where := [][2]string{{ns, coll}, {ns, coll + "2"}, {ns, coll[:3]}, {ns + "2", coll}, {"a", "b"}, {"a", "bc"}}
	for _, w := range where {
		for _, key := range []string{"\x00c\x00", "\x01", "a", "k", "\U0010ffff"} {
			if err := sim.SetPrivateData(t.Context(), w[0], w[1], key, []byte(w[0]+"/"+w[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, err := commitSimulation(t.Context(), l, "tx", someTime, sim); code != valid || err != nil {
		t.Fatal(code, err)
	}
	sim = newSimulator(t, l, "read")
	for _, w := range where {
		value, err := sim.GetPrivateData(t.Context(), w[0], w[1], "k")
		if err != nil || string(value) != w[0]+"/"+w[1] {
			t.Errorf("k in %v is %q, %v", w, value, err)
		}
	}
	for _, test := range []struct{ start, end, want string }{
		{"", "", "\x00c\x00 \x01 a k \U0010ffff"}, {"\x01", "", "\x01 a k \U0010ffff"}, {"a", "k", "a"}, {"k", "a", ""},
		{"\x00c\x00", "\x00c\x00\U0010ffff", "\x00c\x00"},
	} {
		want := strings.ReplaceAll(test.want, " ", "=asset/secrets ")
		if want != "" {
			want += "=asset/secrets"
		}
		if got := collection(t, l, ledger.Range{Start: test.start, End: test.end, PageSize: 1}); got != want {
			t.Errorf("[%q, %q) has %q, want %q", test.start, test.end, got, want)
		}
	}
	if value, err := sim.GetState(t.Context(), ns, "k"); value != nil || err != nil {
		t.Errorf("k in public is %q, %v", value, err)
	}
}

// Whatever is read of a key, its version is what is noted.
func TestHashedReads(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "1")))
	getMetadata := func(t testing.TB, sim *kvledger.Simulator) {
		for _, key := range []string{"k", "absent"} {
			if _, err := sim.GetPrivateDataMetadata(t.Context(), ns, coll, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := simulate(t, l, getPrivate("absent", "k"))
	if got := simulate(t, l, getHash("k"), getHash("absent")); !bytes.Equal(got, want) {
		t.Errorf("hashes: noted %x, want %x", got, want)
	}
	if got := simulate(t, l, getMetadata); !bytes.Equal(got, want) {
		t.Errorf("metadata: noted %x, want %x", got, want)
	}
}

func TestPrivateOwnWrites(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "1")))
	sim := newSimulator(t, l, "tx")
	putPrivate("k", "2")(t, sim)
	setPrivateMetadata("k", "a=1")(t, sim)
	value, err1 := sim.GetPrivateData(t.Context(), ns, coll, "k")
	hashed, err2 := sim.GetPrivateDataHash(t.Context(), ns, coll, "k")
	m, err3 := sim.GetPrivateDataMetadata(t.Context(), ns, coll, "k")
	if string(value) != "1" || !bytes.Equal(hashed, hash([]byte("1"))) || len(m) != 0 || err1 != nil || err2 != nil || err3 != nil {
		t.Errorf("k is %q, %x, %v: %v, %v, %v", value, hashed, m, err1, err2, err3)
	}
	if m == nil {
		t.Error("no metadata is nil, not an empty map")
	}
}
