package kvledger_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// FuzzKeys writes two keys in two namespaces, and looks whether each is where it belongs, in state, order and history.
func FuzzKeys(f *testing.F) {
	f.Add("a", "k", "b", "k")
	f.Add("a", "k", "a", "kk")
	f.Add("a", "\x00", "a", "\x00\x00")
	f.Add("a", "\U0010ffff", "ab", "k")
	f.Add("a", "\x01k", "a", "k")
	f.Add("a", strings.Repeat("k", 200), "a", strings.Repeat("k", 72))
	f.Fuzz(func(t *testing.T, ns1, key1, ns2, key2 string) {
		l := openMemory(t)
		sim := newSimulator(t, l, "tx")
		for _, w := range [][2]string{{ns1, key1}, {ns2, key2}} {
			err := sim.SetState(t.Context(), w[0], w[1], []byte(w[0]+w[1]))
			legal := w[0] != "" && utf8.ValidString(w[0]) && !strings.Contains(w[0], "\x00") &&
				w[1] != "" && utf8.ValidString(w[1])
			if (err == nil) != legal {
				t.Fatalf("set %q in %q: %v", w[1], w[0], err)
			}
			if !legal {
				return
			}
		}
		if ns1 == ns2 && key1 == key2 {
			return
		}
		if code, err := commitSimulation(t.Context(), l, "tx", someTime, sim); code != kvledger.Valid || err != nil {
			t.Fatalf("commit: %v, %v", code, err)
		}
		sim = newSimulator(t, l, "read")
		first, last := key1, key2
		if last < first {
			first, last = last, first
		}
		if ns1 == ns2 {
			wantKeys(t, sim, ns1, ledger.Range{}, first, last)
			wantKeys(t, sim, ns1, ledger.Range{Start: first, End: last}, first)
		} else {
			wantKeys(t, sim, ns1, ledger.Range{}, key1)
			wantKeys(t, sim, ns2, ledger.Range{Start: key2}, key2)
		}
		wantOneModification(t, sim, ns1, key1)
		wantOneModification(t, sim, ns2, key2)
	})
}

func wantKeys(t *testing.T, sim *kvledger.Simulator, namespace string, r ledger.Range, want ...string) {
	t.Helper()
	it, err := sim.GetStateRange(t.Context(), namespace, r)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for _, key := range append(want, "") {
		kv, err := it.Next(t.Context())
		if err != nil || (kv == nil) != (key == "") || (kv != nil && (kv.Key != key || string(kv.Value) != namespace+key)) {
			t.Fatalf("range %+v of %q has %+v, %v, want %q", r, namespace, kv, err, key)
		}
	}
}

func wantOneModification(t *testing.T, sim *kvledger.Simulator, namespace, key string) {
	t.Helper()
	it, err := sim.GetHistoryForKey(t.Context(), namespace, key)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	m, err := it.Next(t.Context())
	if err != nil || m == nil || string(m.Value) != namespace+key || !m.Timestamp.Equal(someTime) {
		t.Fatalf("history of %q in %q has %+v, %v", key, namespace, m, err)
	}
	if m, err := it.Next(t.Context()); m != nil || err != nil {
		t.Fatalf("history of %q in %q goes on with %+v, %v", key, namespace, m, err)
	}
}

// FuzzRWSet commits bytes that come from anywhere. Whatever they are, they make a code, not an error, and the ledger
// goes on. A private value can be read only if it is what its hash is of.
func FuzzRWSet(f *testing.F) {
	l := openMemory(f)
	fill(f, l, 120)
	add := func(r *kvledger.Results) { f.Add(r.RWSet, r.PrivateRWSet) }
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte("garbage"), []byte("garbage"))
	add(results(f, l, get("k0000", "absent"), put("k", "v"), del("k0001"), scan("k", "", 10), scan("", "", -1)))
	add(results(f, l, setMetadata("k0000", "a=1"), getPrivate("a"), putPrivate("a", "1"), purge("b"), setPrivateMetadata("a", "a=1")))
	add(unknown(results(f, l, purge("secret"), putPrivate("a", "1"))))
	f.Add(rwsetOf(f, &pb.RangeQueryInfo{StartKey: "z", EndKey: "a"}, &pb.RangeQueryInfo{ItrExhausted: true}), []byte(nil))
	f.Fuzz(func(t *testing.T, rwset, private []byte) {
		l := openMemory(t)
		fill(t, l, 120)
		fuzzed := &kvledger.Results{RWSet: rwset, PrivateRWSet: private}
		commitResults(t, l, results(t, l, putPrivate("secret", "1")), fuzzed, fuzzed, results(t, l, put("next", "1")))
		if state(t, l, "next") != "1" {
			t.Error("the ledger does not go on")
		}
		sim := newSimulator(t, l, "read")
		for _, key := range []string{"secret", "a"} {
			value, err := sim.GetPrivateData(t.Context(), ns, coll, key)
			hashed, hashErr := sim.GetPrivateDataHash(t.Context(), ns, coll, key)
			if hashErr != nil || (err == nil && len(hashed) > 0 && !bytes.Equal(hashed, hash(value))) || (err == nil && (value == nil) != (hashed == nil)) {
				t.Errorf("%s is %q, %v, and its hash is %x, %v", key, value, err, hashed, hashErr)
			}
		}
	})
}
