package kvledger_test

import (
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestLedger(t *testing.T) {
	kvledgertest.Run(t, func(t *testing.T) store.Store { return openStore(t) })
}

func TestOpen(t *testing.T) {
	s := memory.New()
	p := kvledger.NewProvider(s)
	for channelID, want := range map[string]string{
		"":      "channel ID must not be an empty string",
		"a\x00": `invalid channel ID "a\x00", must not contain U+0000`,
		"\xff":  "invalid channel ID [ff], must be a UTF-8 string",
	} {
		if _, err := p.Open(t.Context(), channelID); err == nil || err.Error() != want {
			t.Errorf("open %q: %v, want %s", channelID, err, want)
		}
	}
	b := &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{
		{Key: "later\x00b", Value: []byte{99, 1}}, {Key: "empty\x00b", Value: []byte{}}, {Key: "cut\x00b", Value: []byte{3}},
	}}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for channelID, want := range map[string]string{"later": "format 99 (63 01)", "empty": "unknown format", "cut": "damaged"} {
		if _, err := p.Open(t.Context(), channelID); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %q: %v, want %s", channelID, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context(), "c"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("open in a closed store: %v", err)
	}
}

func TestChannels(t *testing.T) {
	s := memory.New()
	p := kvledger.NewProvider(s)
	one, two, other := open(t, p, "ch"), open(t, p, "ch2"), open(t, kvledger.NewProvider(s), "ch")
	commit(t, one, simulate(t, one, put("k", "one")))
	commit(t, two, simulate(t, two, put("k", "two")))
	commit(t, other, simulate(t, other, get("k"), put("k2", "other")))
	for _, test := range []struct {
		ledger *kvledger.Ledger
		k, k2  string
		height uint64
	}{{one, "one", "other", 2}, {other, "one", "other", 2}, {two, "two", "", 1}} {
		height, err := test.ledger.Height(t.Context())
		if err != nil || height != test.height {
			t.Errorf("height is %d, %v, want %d", height, err, test.height)
		}
		if k, k2 := state(t, test.ledger, "k"), state(t, test.ledger, "k2"); k != test.k || k2 != test.k2 {
			t.Errorf("k is %q, k2 is %q, want %q, %q", k, k2, test.k, test.k2)
		}
	}
}

// A store that holds something else under a ledger's keys is an error, never a wrong answer.
func TestDamagedStore(t *testing.T) {
	s := memory.New()
	secret := string(hash([]byte("k")))
	b := &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{
		{Key: "c\x00sasset\x00k", Value: []byte{0x80}}, {Key: "c\x00hasset\x00\x01k0123456789abcdef", Value: []byte{0x80}},
		{Key: "c\x00masset\x00m", Value: []byte{0x80}}, {Key: "c\x00passet\x00secrets\x00k", Value: []byte{0x80}},
		{Key: "c\x00dasset\x00secrets\x00" + secret, Value: []byte{0x80}},
		{Key: "d\x00casset", Value: []byte("{")}, {Key: "d\x00ttx", Value: []byte{0, 0, 0}}, {Key: "d\x00tpart", Value: []byte{1, 1, 0}},
		{Key: "d\x00k\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", Value: []byte{4, 'p'}},
	}}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	l := open(t, kvledger.NewProvider(s), "c")
	sim := newSimulator(t, l, "tx")
	if _, err := sim.GetState(t.Context(), ns, "k"); err == nil || !strings.Contains(err.Error(), `read key "k": the store holds a value without a version`) {
		t.Errorf("GetState: %v", err)
	}
	it, err := sim.GetStateRange(t.Context(), ns, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := it.Next(t.Context()); err == nil {
		t.Error("the range has a result")
	}
	history, err := sim.GetHistoryForKey(t.Context(), ns, "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := history.Next(t.Context()); err == nil {
		t.Error("the history has an entry")
	}
	for name, call := range reads(t, sim, "k") {
		if err := call(); (err == nil) != strings.Contains(name, "Range") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, err := sim.GetStateMetadata(t.Context(), ns, "m"); err == nil {
		t.Errorf("metadata is %v", m)
	}
	private, err := sim.GetPrivateDataRange(t.Context(), ns, coll, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := private.Next(t.Context()); err == nil {
		t.Error("the private range has a result")
	}
	for _, rwset := range []*kvledger.Results{
		{RWSet: rwsetOf(t, &pb.KVMetadataWrite{Key: "k"})},
		results(t, openMemory(t), setPrivateMetadata("k")), results(t, openMemory(t), getHash("k")),
	} {
		if code, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: "tx", RWSet: rwset.RWSet, PrivateRWSet: rwset.PrivateRWSet}); err == nil {
			t.Errorf("commit: %v", code)
		}
	}
	rwset := rwsetOf(t, readOf("k", nil))
	if codes, err := l.Commit(t.Context(), kvledger.Block{Transactions: []kvledger.Transaction{{TxID: "tx", RWSet: rwset}}}); err == nil {
		t.Errorf("commit: %v", codes)
	}
	damagedDefinition(t, open(t, kvledger.NewProvider(s), "d"))
}

// damagedDefinition uses a namespace whose definition can't be decoded, and blocks that can't.
func damagedDefinition(t *testing.T, l *kvledger.Ledger) {
	const want = `definition of namespace "asset"`
	sim := newSimulator(t, l, "tx")
	wantErrorHas(t, "collection", second(sim.GetPrivateData(t.Context(), ns, coll, "k")), want)
	wantErrorHas(t, "query", second(sim.ExecuteQuery(t.Context(), ns, `{"selector":{}}`, ledger.Page{})), want)
	wantErrorHas(t, "Definition", second(l.Definition(t.Context(), ns)), want)
	wantErrorHas(t, "Define", l.Define(t.Context(), ns, kvledger.Definition{}), "decode definition")
	wantErrorHas(t, "commit", second(l.CommitTx(t.Context(), kvledger.Transaction{TxID: "new", RWSet: rwsetOf(t, readOf("k", nil))})), want)
	wantErrorHas(t, "Transaction", second(l.Transaction(t.Context(), "tx")), "the store holds block 0 damaged")
	wantErrorHas(t, "Transaction", second(l.Transaction(t.Context(), "part")), "the store holds block 1 damaged")
	wantErrorHas(t, "Block", second(l.Block(t.Context(), 1)), "the store holds block 1 damaged")
}
