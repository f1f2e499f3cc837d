package kvledger_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	valid     = kvledger.Valid
	mvcc      = kvledger.MVCCReadConflict
	phantom   = kvledger.PhantomReadConflict
	duplicate = kvledger.DuplicateTxID
)

// TestConflicts simulates the transactions of a block at the same state, {a, b, d}, and then commits them together.
func TestConflicts(t *testing.T) {
	type tx []op
	for _, test := range []struct {
		name  string
		block []tx
		codes []kvledger.ValidationCode
		state string // of a, b, c and d
	}{
		{"reads", []tx{{get("a", "c")}, {get("a", "c")}}, codes(valid, valid), "0,0,,0"},
		{"blind writes", []tx{{put("a", "1")}, {put("a", "2")}}, codes(valid, valid), "2,0,,0"},
		{"read of a key that was written", []tx{{put("a", "1")}, {get("a"), put("b", "2")}}, codes(valid, mvcc), "1,0,,0"},
		{"read before the write", []tx{{get("a"), put("b", "2")}, {put("a", "1")}}, codes(valid, valid), "1,2,,0"},
		{"both read and write", []tx{{get("a"), put("a", "1")}, {get("a"), put("a", "2")}}, codes(valid, mvcc), "1,0,,0"},
		{"invalid ones don't count", []tx{{put("a", "1")}, {get("a"), put("b", "2")}, {get("b"), put("c", "3")}}, codes(valid, mvcc, valid), "1,0,3,0"},
		{"read of an absent key that was created", []tx{{put("c", "1")}, {get("c"), put("b", "2")}}, codes(valid, mvcc), "0,0,1,0"},
		{"read of a key that was deleted", []tx{{del("a")}, {get("a"), put("b", "2")}}, codes(valid, mvcc), ",0,,0"},
		{"read of an absent key that was deleted", []tx{{del("c")}, {get("c"), put("b", "2")}}, codes(valid, mvcc), "0,0,,0"},
		{"deleted and written", []tx{{del("a")}, {put("a", "1")}}, codes(valid, valid), "1,0,,0"},
		{"phantom created", []tx{{put("c", "1")}, {scan("b", "d", -1), put("a", "2")}}, codes(valid, phantom), "0,0,1,0"},
		{"phantom deleted", []tx{{del("b")}, {scan("b", "d", -1), put("a", "2")}}, codes(valid, phantom), "0,,,0"},
		{"phantom changed", []tx{{put("b", "1")}, {scan("b", "d", -1), put("a", "2")}}, codes(valid, phantom), "0,1,,0"},
		{"created and deleted again", []tx{{put("c", "1")}, {del("c")}, {scan("b", "d", -1), put("a", "2")}}, codes(valid, valid, valid), "2,0,,0"},
		{"the end is not in the range", []tx{{put("d", "1")}, {scan("b", "d", -1), put("a", "2")}}, codes(valid, valid), "2,0,,1"},
		{"before the start", []tx{{put("a", "1")}, {scan("b", "", -1), put("b", "2")}}, codes(valid, valid), "1,2,,0"},
		{"open end", []tx{{put("e", "1")}, {scan("b", "", -1), put("b", "2")}}, codes(valid, phantom), "0,0,,0"},
		{"empty range", []tx{{put("b", "1")}, {scan("c", "d", -1), put("a", "2")}}, codes(valid, valid), "2,1,,0"},
		{"empty range that was filled", []tx{{put("c", "1")}, {scan("c", "d", -1), put("a", "2")}}, codes(valid, phantom), "0,0,1,0"},
		{"start behind the end", []tx{{put("b", "1")}, {scan("d", "a", -1), put("a", "2")}}, codes(valid, valid), "2,1,,0"},
		{"behind what was read", []tx{{put("c", "1")}, {scan("", "", 2), put("a", "2")}}, codes(valid, valid), "2,0,1,0"},
		{"the last one read", []tx{{put("b", "1")}, {scan("", "", 2), put("a", "2")}}, codes(valid, phantom), "0,1,,0"},
		{"read, but not the end", []tx{{put("e", "1")}, {scan("", "", 3), put("a", "2")}}, codes(valid, valid), "2,0,,0"},
		{"reads come before ranges", []tx{{put("b", "1")}, {scan("", "", -1), get("b")}}, codes(valid, mvcc), "0,1,,0"},
		{"own writes don't conflict", []tx{{scan("", "", -1), get("a"), put("a", "1"), del("b")}}, codes(valid), "1,,,0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openMemory(t)
			commit(t, l, simulate(t, l, put("a", "0"), put("b", "0"), put("d", "0")))
			var rwsets [][]byte
			for _, ops := range test.block {
				rwsets = append(rwsets, simulate(t, l, ops...))
			}
			if got := commit(t, l, rwsets...); !slices.Equal(got, test.codes) {
				t.Errorf("codes are %v, want %v", got, test.codes)
			}
			var got []string
			for _, key := range strings.Split("abcd", "") {
				got = append(got, state(t, l, key))
			}
			if strings.Join(got, ",") != test.state {
				t.Errorf("state is %q, want %q", got, test.state)
			}
		})
	}
}

func codes(c ...kvledger.ValidationCode) []kvledger.ValidationCode { return c }

// TestLargeRangeConflicts changes one of many results, each time another one, in an earlier block and in the same.
func TestLargeRangeConflicts(t *testing.T) {
	l := openMemory(t)
	fill(t, l, 200)
	for _, n := range []int{0, 50, 51, 101, 150, 199} {
		key := fmt.Sprintf("k%04d", n)
		before, reader := simulate(t, l, put(key, "v")), simulate(t, l, scan("k", "l", -1), put("x", "1"))
		partly := simulate(t, l, scan("k", "l", n), put("x", "1"))
		if n == 0 {
			partly = simulate(t, l, put("x", "1"))
		}
		if got := commit(t, l, reader, before, reader, partly); !slices.Equal(got, codes(valid, valid, phantom, valid)) {
			t.Errorf("%s changed in the block: %v", key, got)
		}
		if got := commit(t, l, reader, partly); !slices.Equal(got, codes(phantom, valid)) {
			t.Errorf("%s changed before the block: %v", key, got)
		}
	}
}

func TestTransactionIDs(t *testing.T) {
	l := openMemory(t)
	good, bad, stale := simulate(t, l, put("k", "v")), []byte("garbage"), rwsetOf(t, readOf("k", &pb.Version{BlockNum: 9}))
	block := kvledger.Block{Transactions: []kvledger.Transaction{
		{TxID: "1", RWSet: good}, {TxID: "1", RWSet: bad}, {TxID: "2", RWSet: bad}, {TxID: "2", RWSet: good},
		{TxID: "3", RWSet: stale}, {TxID: "3", RWSet: good},
	}}
	for i, want := range []string{
		"[VALID BAD_RWSET BAD_RWSET VALID MVCC_READ_CONFLICT DUPLICATE_TXID]", // as in Fabric, what can't be decoded has used up no ID in its block
		"[DUPLICATE_TXID DUPLICATE_TXID DUPLICATE_TXID DUPLICATE_TXID DUPLICATE_TXID DUPLICATE_TXID]",
	} {
		got, err := l.Commit(t.Context(), block)
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("block %d: %v, %v, want %s", i, got, err, want)
		}
	}
	for _, txID := range []string{"", "\xff"} {
		if _, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: txID, RWSet: good}); err == nil {
			t.Errorf("ID %q was committed", txID)
		}
	}
	if height, err := l.Height(t.Context()); height != 2 || err != nil {
		t.Errorf("height is %d, %v, want 2", height, err)
	}
}

func TestHistory(t *testing.T) {
	l := openMemory(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	tx := func(id string, age time.Duration, ops ...op) kvledger.Transaction {
		return kvledger.Transaction{TxID: id, Timestamp: at.Add(-age), RWSet: simulate(t, l, ops...)}
	}
	for _, b := range [][]kvledger.Transaction{
		{tx("t0", 0, put("k", "0"), put("kk", "x"), put("\x01k", "y"))},
		{tx("t1", time.Hour, put("k", "1")), tx("t2", 0, get("kk"), put("k", "2")), tx("t3", 0, del("k"))},
	} {
		if _, err := l.Commit(t.Context(), kvledger.Block{Transactions: b}); err != nil {
			t.Fatal(err)
		}
	}
	it, err := newSimulator(t, l, "read").GetHistoryForKey(t.Context(), ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	// By position, not by time; t2 read kk before it was there.
	for _, want := range []ledger.KeyModification{
		{TxID: "t3", Timestamp: at, IsDelete: true},
		{TxID: "t1", Value: []byte("1"), Timestamp: at.Add(-time.Hour)},
		{TxID: "t0", Value: []byte("0"), Timestamp: at},
	} {
		if got, err := it.Next(t.Context()); err != nil || got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("history has %+v, %v, want %+v", got, err, want)
		}
	}
	if got, err := it.Next(t.Context()); got != nil || err != nil {
		t.Errorf("history goes on with %+v, %v", got, err)
	}
}

// movingStore is a store to which another ledger writes before a commit.
type movingStore struct {
	store.Store
	move func()
}

func (s *movingStore) Commit(ctx context.Context, b *store.Batch) error {
	if move := s.move; move != nil {
		s.move = nil
		move()
	}
	return s.Store.Commit(ctx, b)
}

func TestHeadMoved(t *testing.T) {
	inner := memory.New()
	moving := &movingStore{Store: inner}
	l, other := open(t, kvledger.NewProvider(moving), "c"), open(t, kvledger.NewProvider(inner), "c")
	read, blind := simulate(t, l, get("k"), put("k", "1")), simulate(t, l, put("b", "1"))
	moving.move = func() { commit(t, other, simulate(t, other, put("k", "other"))) }
	if got := commit(t, l, read, blind); !slices.Equal(got, codes(mvcc, valid)) {
		t.Errorf("codes are %v: it was not validated again", got)
	}
	if k, b := state(t, l, "k"), state(t, l, "b"); k != "other" || b != "1" {
		t.Errorf("k is %q, b is %q", k, b)
	}
	if height, err := l.Height(t.Context()); height != 2 || err != nil {
		t.Errorf("height is %d, %v", height, err)
	}
}

// A commit that waits for another one gives up when its context ends.
func TestCommitWaits(t *testing.T) {
	moving := &movingStore{Store: memory.New()}
	l := open(t, kvledger.NewProvider(moving), "c")
	moving.move = func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.CommitTx(ctx, kvledger.Transaction{TxID: "waits"}); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting with an ended context: %v", err)
		}
	}
	commit(t, l, simulate(t, l, put("k", "v")))
	if moving.move != nil {
		t.Error("nothing was committed")
	}
}

func TestCodeNames(t *testing.T) {
	for code, want := range map[kvledger.ValidationCode]string{
		0: "VALID", 9: "DUPLICATE_TXID", 11: "MVCC_READ_CONFLICT", 12: "PHANTOM_READ_CONFLICT", 22: "BAD_RWSET",
		24: "INVALID_WRITESET", 255: "INVALID_OTHER_REASON", 3: "BAD_COMMON_HEADER", 25: "INVALID_CHAINCODE", 26: "code 26",
		254: "NOT_VALIDATED", -1: "code -1",
	} {
		if code.String() != want {
			t.Errorf("code %d is %v, want %s", int(code), code, want)
		}
	}
}

func TestCommitErrors(t *testing.T) {
	s := memory.New()
	l := open(t, kvledger.NewProvider(s), "c")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := kvledger.Block{Transactions: []kvledger.Transaction{{TxID: "t"}}}
	if _, err := l.Commit(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Commit(t.Context(), b); !errors.Is(err, store.ErrClosed) {
		t.Errorf("in a closed store: %v", err)
	}
	if _, err := l.NewSimulator(t.Context(), "t"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("simulator in a closed store: %v", err)
	}
}
