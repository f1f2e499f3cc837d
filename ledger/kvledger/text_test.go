package kvledger_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

func TestBadInput(t *testing.T) {
	ctx := t.Context()
	sim := newSimulator(t, openMemory(t), "tx")
	read := func(namespace, key string) error { _, err := sim.GetState(ctx, namespace, key); return err }
	write := func(namespace, key string) error { return sim.SetState(ctx, namespace, key, []byte("v")) }
	remove := func(namespace, key string) error { return sim.DeleteState(ctx, namespace, key) }
	start := func(namespace, key string) error {
		_, err := sim.GetStateRange(ctx, namespace, ledger.Range{Start: key})
		return err
	}
	end := func(namespace, key string) error {
		_, err := sim.GetStateRange(ctx, namespace, ledger.Range{End: key})
		return err
	}
	history := func(namespace, key string) error { _, err := sim.GetHistoryForKey(ctx, namespace, key); return err }
	type calls map[string]func(namespace, key string) error
	for _, test := range []struct {
		namespace, key, want string
		calls                calls
	}{
		{ns, "", "key must not be an empty string", calls{"set": write, "delete": remove}},
		{ns, "a\xff", "invalid key [61ff], must be a UTF-8 string", calls{"get": read, "set": write, "delete": remove, "start": start, "end": end, "history": history}},
		{"", "k", "namespace must not be an empty string", calls{"get": read, "set": write, "delete": remove, "range": start, "history": history}},
		{"a\x00b", "k", `invalid namespace "a\x00b", must not contain U+0000`, calls{"get": read, "set": write, "range": start, "history": history}},
		{"\xff", "k", "invalid namespace [ff], must be a UTF-8 string", calls{"get": read, "set": write, "range": start, "history": history}},
	} {
		for name, call := range test.calls {
			wantError(t, name, call(test.namespace, test.key), test.want)
		}
	}
	for _, key := range []string{"", "_k", "\x00", "\U0010ffff"} {
		if err := read(ns, key); err != nil {
			t.Errorf("get %q: %v", key, err)
		}
	}
	for name, call := range writes(t, sim, "") {
		wantError(t, name, call(), "key must not be an empty string")
	}
	for _, calls := range []map[string]func() error{writes(t, sim, "a\xff"), reads(t, newSimulator(t, openMemory(t), "tx"), "a\xff")} {
		for name, call := range calls {
			wantError(t, name, call(), "invalid key [61ff], must be a UTF-8 string")
		}
	}
	_, err := sim.GetStateRange(ctx, ns, ledger.Range{PageSize: -1})
	wantError(t, "negative page size", err, "page size -1 must not be negative")
	_, err = sim.ExecuteQuery(ctx, ns, everything, ledger.Page{Size: -1})
	wantError(t, "negative page size of a query", err, "page size -1 must not be negative")
}

func TestBadCollections(t *testing.T) {
	for name, want := range map[string]string{
		"":      "collection name must not be an empty string",
		"a\x00": `invalid collection name "a\x00", must not contain U+0000`,
		"\xff":  "invalid collection name [ff], must be a UTF-8 string",
	} {
		ctx, sim := t.Context(), newSimulator(t, openMemory(t), "tx")
		_, err := sim.GetPrivateData(ctx, ns, name, "k")
		wantError(t, "get", err, want)
		wantError(t, "set", sim.SetPrivateData(ctx, ns, name, "k", []byte("v")), want)
		_, err = sim.GetPrivateDataRange(ctx, ns, name, all)
		wantError(t, "range", err, want)
		_, err = sim.ExecuteQueryOnPrivateData(ctx, ns, name, everything)
		wantError(t, "query", err, want)
	}
}

// TestReadOnlyTransactions has every write before and after each kind of query that Fabric allows in a read-only
// transaction alone.
func TestReadOnlyTransactions(t *testing.T) {
	const prefix = "txid [t1]: unsuppored transaction. "
	ctx, l := t.Context(), openMemory(t)
	for name, test := range map[string]struct {
		query         func(sim *kvledger.Simulator) error
		before, after string
	}{
		"page of a range": {func(sim *kvledger.Simulator) error { _, err := sim.GetStateRange(ctx, ns, page); return err },
			"Paginated queries are supported only in a read-only transaction", "Transaction has already performed a paginated query. Writes are not allowed"},
		"page of a query": {func(sim *kvledger.Simulator) error {
			_, err := sim.ExecuteQuery(ctx, ns, everything, ledger.Page{Size: 1})
			return err
		}, "Paginated queries are supported only in a read-only transaction", "Transaction has already performed a paginated query. Writes are not allowed"},
		"private range": {func(sim *kvledger.Simulator) error { _, err := sim.GetPrivateDataRange(ctx, ns, coll, all); return err },
			"Queries on pvt data is supported only in a read-only transaction", "Transaction has already performed queries on pvt data. Writes are not allowed"},
		"private query": {func(sim *kvledger.Simulator) error {
			_, err := sim.ExecuteQueryOnPrivateData(ctx, ns, coll, everything)
			return err
		}, "Queries on pvt data is supported only in a read-only transaction", "Transaction has already performed queries on pvt data. Writes are not allowed"},
	} {
		for write := range writes(t, nil, "k") {
			sim := newSimulator(t, l, "t1")
			if err := writes(t, sim, "k")[write](); err != nil {
				t.Errorf("%s: %v", write, err)
			}
			wantError(t, name+" after "+write, test.query(sim), prefix+test.before)
			sim = newSimulator(t, l, "t1")
			wantError(t, write, writes(t, sim, "")[write](), "key must not be an empty string")
			wantError(t, name+" after a refused "+write, test.query(sim), prefix+test.before)
			sim = newSimulator(t, l, "t1")
			if err := test.query(sim); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wantError(t, write+" after "+name, writes(t, sim, "k")[write](), prefix+test.after)
			if err := test.query(sim); err != nil {
				t.Errorf("%s again: %v", name, err)
			}
			for read, call := range reads(t, sim, "k") {
				if err := call(); err != nil {
					t.Errorf("%s after %s: %v", read, name, err)
				}
			}
			sim.Done()
		}
	}
	sim := newSimulator(t, l, "t1")
	put("k", "v")(t, sim)
	if _, err := sim.ExecuteQuery(ctx, ns, everything, ledger.Page{}); err != nil {
		t.Errorf("a query without pages after a write: %v", err)
	}
}

const everything = `{"selector":{}}`

// reads are all methods that read a key.
func reads(t *testing.T, sim *kvledger.Simulator, key string) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"GetState":               func() error { _, err := sim.GetState(ctx, ns, key); return err },
		"GetStateMultipleKeys":   func() error { _, err := sim.GetStateMultipleKeys(ctx, ns, []string{"a", key}); return err },
		"GetStateMetadata":       func() error { _, err := sim.GetStateMetadata(ctx, ns, key); return err },
		"GetPrivateData":         func() error { _, err := sim.GetPrivateData(ctx, ns, coll, key); return err },
		"GetPrivateDataHash":     func() error { _, err := sim.GetPrivateDataHash(ctx, ns, coll, key); return err },
		"GetPrivateDataMetadata": func() error { _, err := sim.GetPrivateDataMetadata(ctx, ns, coll, key); return err },
		"GetPrivateDataRange start": func() error {
			_, err := sim.GetPrivateDataRange(ctx, ns, coll, ledger.Range{Start: key})
			return err
		},
		"GetPrivateDataRange end": func() error { _, err := sim.GetPrivateDataRange(ctx, ns, coll, ledger.Range{End: key}); return err },
	}
}

// writes are all methods that write a key.
func writes(t *testing.T, sim *kvledger.Simulator, key string) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"SetState":               func() error { return sim.SetState(ctx, ns, key, []byte("v")) },
		"DeleteState":            func() error { return sim.DeleteState(ctx, ns, key) },
		"SetStateMetadata":       func() error { return sim.SetStateMetadata(ctx, ns, key, nil) },
		"SetPrivateData":         func() error { return sim.SetPrivateData(ctx, ns, coll, key, []byte("v")) },
		"DeletePrivateData":      func() error { return sim.DeletePrivateData(ctx, ns, coll, key) },
		"PurgePrivateData":       func() error { return sim.PurgePrivateData(ctx, ns, coll, key) },
		"SetPrivateDataMetadata": func() error { return sim.SetPrivateDataMetadata(ctx, ns, coll, key, nil) },
	}
}
