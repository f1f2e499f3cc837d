package kvledger_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	all  = ledger.Range{}
	page = ledger.Range{PageSize: 1}
)

const (
	doneText    = "this instance should not be used after calling Done()"
	resultsText = "this function should only be called once on a transaction simulator instance"
)

func wantErrorHas(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error is %v, want %q in it", what, err, want)
	}
}

func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("%s: error %q, want %q", what, err, want)
	}
}

func TestDone(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("k", "v")))
	ctx := t.Context()
	sim := newSimulator(t, l, "tx")
	it, err := sim.GetStateRange(ctx, ns, all)
	if err != nil {
		t.Fatal(err)
	}
	history, err := sim.GetHistoryForKey(ctx, ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	private, err := sim.GetPrivateDataRange(ctx, ns, coll, all)
	if err != nil {
		t.Fatal(err)
	}
	query, err := sim.ExecuteQuery(ctx, ns, everything, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Done()
	sim.Done()
	for name, call := range map[string]func() error{
		"GetState":         func() error { _, err := sim.GetState(ctx, ns, "k"); return err },
		"SetState":         func() error { return sim.SetState(ctx, ns, "k", nil) },
		"DeleteState":      func() error { return sim.DeleteState(ctx, ns, "k") },
		"GetStateRange":    func() error { _, err := sim.GetStateRange(ctx, ns, all); return err },
		"GetHistoryForKey": func() error { _, err := sim.GetHistoryForKey(ctx, ns, "k"); return err },
		"Results":          func() error { _, err := sim.Results(t.Context()); return err },
		"Next":             func() error { _, err := it.Next(ctx); return err },
		"history's Next":   func() error { _, err := history.Next(ctx); return err },
		"private Next":     func() error { _, err := private.Next(ctx); return err },
		"query's Next":     func() error { _, err := query.Next(ctx); return err },
	} {
		wantError(t, name, call(), doneText)
	}
	for name, call := range reads(t, sim, "k") {
		wantError(t, name, call(), doneText)
	}
	for name, call := range writes(t, sim, "k") {
		wantError(t, name, call(), doneText)
	}
	it.Close()
	history.Close()
	private.Close()
	query.Close()
}

func TestClosedIterators(t *testing.T) {
	l := openMemory(t)
	sim := newSimulator(t, l, "tx")
	it, err := sim.GetStateRange(t.Context(), ns, all)
	if err != nil {
		t.Fatal(err)
	}
	history, err := sim.GetHistoryForKey(t.Context(), ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	it.Close()
	history.Close()
	_, err = it.Next(t.Context())
	wantError(t, "Next", err, "the iterator is closed")
	_, err = history.Next(t.Context())
	wantError(t, "history's Next", err, "the iterator is closed")
}

func TestResultsOnce(t *testing.T) {
	sim := newSimulator(t, openMemory(t), "tx")
	results, err := sim.Results(t.Context())
	if err != nil || results.RWSet == nil || len(results.RWSet) != 0 {
		t.Errorf("the results of nothing are %+v, %v", results, err)
	}
	_, err = sim.Results(t.Context())
	wantError(t, "Results", err, resultsText)
}

func TestMultipleKeys(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("a", "1"), put("c", "3")))
	sim := newSimulator(t, l, "tx")
	put("b", "own")(t, sim)
	for _, keys := range [][]string{nil, {"a"}, {"c", "b", "a", "c", ""}} {
		values, err := sim.GetStateMultipleKeys(t.Context(), ns, keys)
		if err != nil || len(values) != len(keys) {
			t.Fatalf("%q: %q, %v", keys, values, err)
		}
		for i, key := range keys {
			want, err := sim.GetState(t.Context(), ns, key)
			if err != nil || string(values[i]) != string(want) || (values[i] == nil) != (want == nil) {
				t.Errorf("%q is %q, want %q, %v", key, values[i], want, err)
			}
		}
	}
	many, one := simulate(t, l, getMany("c", "b", "a")), simulate(t, l, get("a", "b", "c"))
	if string(many) != string(one) {
		t.Errorf("noted %x, want %x", many, one)
	}
}

func TestPaginatedIsReadOnly(t *testing.T) {
	l := openMemory(t)
	const prefix = "txid [t1]: unsuppored transaction. "
	ctx := t.Context()
	sim := newSimulator(t, l, "t1")
	put("k", "v")(t, sim)
	_, err := sim.GetStateRange(ctx, ns, page)
	wantError(t, "page after write", err, prefix+"Paginated queries are supported only in a read-only transaction")
	scan("", "", -1)(t, sim)
	put("k", "v")(t, sim)

	sim = newSimulator(t, l, "t1")
	if _, err := sim.GetStateRange(ctx, ns, page); err != nil {
		t.Fatal(err)
	}
	const want = prefix + "Transaction has already performed a paginated query. Writes are not allowed"
	wantError(t, "write after page", sim.SetState(ctx, ns, "k", []byte("v")), want)
	wantError(t, "delete after page", sim.DeleteState(ctx, ns, "k"), want)
	get("k")(t, sim)
	scan("", "", -1)(t, sim)
	if _, err := sim.GetStateRange(ctx, ns, page); err != nil {
		t.Errorf("second page: %v", err)
	}
}

// The key that Fabric's peer keeps a chaincode's initialization under is the peer's to write, as any other.
func TestInitializedKey(t *testing.T) {
	const key = "\x00\U0010ffffinitialized"
	l := openMemory(t)
	if got := commit(t, l, simulate(t, l, get(key), put(key, "1.0"))); got[0] != valid || state(t, l, key) != "1.0" {
		t.Errorf("code is %v, the key has %q", got[0], state(t, l, key))
	}
}

// Lazily: a transaction that reads little of a large range notes little.
func TestRangeIsLazy(t *testing.T) {
	l := openMemory(t)
	var puts []op
	for _, key := range strings.Fields("a b c d e f") {
		puts = append(puts, put(key, key))
	}
	commit(t, l, simulate(t, l, puts...))
	info := decode(t, simulate(t, l, scan("b", "", 2))).RangeQueriesInfo
	if len(info) != 1 || info[0].EndKey != "c" || info[0].ItrExhausted || len(info[0].GetRawReads().GetKvReads()) != 2 {
		t.Errorf("noted %v", info)
	}
}

// However many keys are read and written, and written again, each is noted once, in order, with the last value.
func TestManyKeys(t *testing.T) {
	for n := range 12 {
		sim := newSimulator(t, openMemory(t), "tx")
		want := new(pb.KVRWSet)
		for i := range n {
			key := string(rune('a' + i))
			want.Reads = append(want.Reads, &pb.KVRead{Key: key})
			want.Writes = append(want.Writes, &pb.KVWrite{Key: key, Value: []byte("new")})
		}
		for _, value := range []string{"old", "new"} {
			for i := range n {
				key := string(rune('a' + n - 1 - i))
				get(key)(t, sim)
				put(key, value)(t, sim)
			}
		}
		results, err := sim.Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rwset, got := new(pb.TxReadWriteSet), new(pb.KVRWSet)
		if err := proto.Unmarshal(results.RWSet, rwset); err != nil {
			t.Fatal(err)
		}
		for _, namespace := range rwset.NsRwset {
			if err := proto.Unmarshal(namespace.Rwset, got); err != nil {
				t.Fatal(err)
			}
		}
		if !proto.Equal(got, want) {
			t.Errorf("%d keys: got %v, want %v", n, got, want)
		}
	}
}
