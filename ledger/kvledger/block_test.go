package kvledger_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// TestBlocks reads blocks back: small ones, an empty one, and one that is kept in several parts.
func TestBlocks(t *testing.T) {
	l := openMemory(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	big := simulate(t, l, put("big", string(bytes.Repeat([]byte("x"), 100<<10))))
	var many []kvledger.Transaction
	for i := range 10 {
		many = append(many, kvledger.Transaction{TxID: fmt.Sprint("many", i), Timestamp: at.Add(time.Duration(i) * time.Nanosecond), RWSet: big})
	}
	blocks := [][]kvledger.Transaction{
		{
			{TxID: "a", Timestamp: at, RWSet: simulate(t, l, get("k"), put("k", "1"))},
			{TxID: "b", Timestamp: at.Add(-time.Hour), RWSet: simulate(t, l, get("k"), put("k", "2"))},
			{TxID: "a", Timestamp: at, RWSet: simulate(t, l, put("k", "3"))},
			{TxID: "c", RWSet: []byte("garbage")},
			{TxID: "e", Timestamp: at, RWSet: simulate(t, l, put("k", "4")), Code: kvledger.EndorsementPolicyFailure},
			{TxID: "f", Timestamp: at, RWSet: simulate(t, l, get("x"), put("x", "5"))},
		},
		{},
		many,
		{{TxID: "b", Timestamp: at, RWSet: simulate(t, l)}},
	}
	var all []kvledger.ValidationCode
	for i, txs := range blocks {
		codes, err := l.Commit(t.Context(), kvledger.Block{Transactions: txs})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, codes...)
		b, err := l.Block(t.Context(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if b.Number != uint64(i) || len(b.Transactions) != len(txs) {
			t.Fatalf("block %d is read as %d with %d transactions", i, b.Number, len(b.Transactions))
		}
		for j, tx := range b.Transactions {
			want := kvledger.CommittedTransaction{
				TxID: txs[j].TxID, Timestamp: txs[j].Timestamp, Version: kvledger.Version{Block: uint64(i), Tx: uint64(j)},
				Code: codes[j], Envelope: tx.Envelope, RWSet: txs[j].RWSet,
			}
			if parsed, err := tx.Parse(); err != nil || parsed.TxID != tx.TxID || !bytes.Equal(parsed.RWSet, tx.RWSet) || !parsed.Timestamp.Equal(tx.Timestamp) {
				t.Errorf("transaction %d of block %d is parsed as %+v, %v", j, i, parsed, err)
			}
			if !reflect.DeepEqual(tx, want) {
				t.Errorf("transaction %d of block %d is read as %.200v, want %.200v", j, i, tx, want)
			}
			got, err := l.Transaction(t.Context(), tx.TxID)
			if err != nil {
				t.Fatal(err)
			}
			if again := codes[j] == kvledger.DuplicateTxID; !again && !reflect.DeepEqual(*got, want) || again && got.Version == want.Version {
				t.Errorf("transaction %q is read as %.200v, want %.200v", tx.TxID, got, want)
			}
		}
	}
	dup, bad := kvledger.DuplicateTxID, kvledger.BadRWSet
	want := append(codes(valid, mvcc, dup, bad, kvledger.EndorsementPolicyFailure, valid), append(bytesOf(valid, 10), dup)...)
	if !reflect.DeepEqual(all, want) {
		t.Errorf("codes are %v, want %v", all, want)
	}
	if got := state(t, l, "k"); got != "1" {
		t.Errorf("k is %q: an invalid transaction has written", got)
	}
	for _, err := range []error{second(l.Block(t.Context(), 4)), second(l.Transaction(t.Context(), "d")), third(l.TransactionCode(t.Context(), "d")), second(l.Transaction(t.Context(), ""))} {
		if !errors.Is(err, kvledger.ErrNotFound) {
			t.Errorf("what is not committed: %v", err)
		}
	}
}

func bytesOf(code kvledger.ValidationCode, n int) []kvledger.ValidationCode {
	all := make([]kvledger.ValidationCode, n)
	for i := range all {
		all[i] = code
	}
	return all
}

func second[T any](_ T, err error) error { return err }

// TestKeyState reads a key as people see it.
func TestKeyState(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("other", "1")), simulate(t, l, put("k", "v"), put("gone", "v")))
	commit(t, l, simulate(t, l, setMetadata("k", "a=1"), del("gone")))
	s, err := l.KeyState(t.Context(), ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	want := kvledger.KeyState{Value: []byte("v"), Version: kvledger.Version{Block: 1}, Metadata: map[string][]byte{"a": []byte("1")}}
	if !reflect.DeepEqual(*s, want) {
		t.Errorf("state is %+v, want %+v", *s, want)
	}
	for _, key := range []string{"gone", "never", "", "\xff"} {
		if s, err := l.KeyState(t.Context(), ns, key); s != nil || err != nil {
			t.Errorf("key %q: %+v, %v", key, s, err)
		}
	}
}

// TestListChannels lists the channels of a store.
func TestListChannels(t *testing.T) {
	p := kvledger.NewProvider(openStore(t))
	for _, want := range [][]string{nil, {"b"}, {"a", "b"}, {"a", "ab", "b"}} {
		got, err := p.Channels(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("channels are %q, %v, want %q", got, err, want)
		}
		next := []string{"b", "a", "ab", "c"}[len(want)]
		l := open(t, p, next)
		commit(t, l, simulate(t, l, put("k", "v"), put("\x00k", "v")))
		if next == "c" {
			if err := l.Define(t.Context(), ns, kvledger.Definition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The caller's code decides before the ID does. Who is invalid by the caller's code has not used up the ID in its own block.
func TestUsedIDs(t *testing.T) {
	l := openMemory(t)
	tx := func(id string, code kvledger.ValidationCode) kvledger.Transaction {
		return kvledger.Transaction{TxID: id, Code: code, RWSet: simulate(t, l, put("k"+id, "1"))}
	}
	bad, dup := kvledger.EndorsementPolicyFailure, kvledger.DuplicateTxID
	for i, step := range []struct {
		block []kvledger.Transaction
		want  []kvledger.ValidationCode
	}{
		{[]kvledger.Transaction{tx("a", bad), tx("a", bad), tx("a", valid), tx("a", valid), tx("a", bad)}, codes(bad, bad, valid, dup, bad)},
		{[]kvledger.Transaction{tx("a", bad), tx("a", valid), tx("b", bad)}, codes(bad, dup, bad)},
		{[]kvledger.Transaction{tx("b", valid), {TxID: "c", RWSet: []byte("garbage")}, tx("c", valid)}, codes(dup, kvledger.BadRWSet, valid)},
	} {
		if got, err := l.Commit(t.Context(), kvledger.Block{Transactions: step.block}); err != nil || !slices.Equal(got, step.want) {
			t.Errorf("block %d: codes are %v (%v), want %v", i, got, err, step.want)
		}
	}
	for id, want := range map[string]kvledger.Version{"a": {Block: 0, Tx: 0}, "b": {Block: 1, Tx: 2}, "c": {Block: 2, Tx: 1}} {
		got, err := l.Transaction(t.Context(), id)
		if err != nil || got.Version != want {
			t.Fatalf("transaction %q is found at %v (%v), want %v", id, got, err, want)
		}
		if at, code, err := l.TransactionCode(t.Context(), id); err != nil || at != want || code != got.Code {
			t.Errorf("transaction %q at %v with %s (%v), want %v with %s", id, at, code, err, want, got.Code)
		}
	}
}

func third[A, B, C any](_ A, _ B, c C) C { return c }
