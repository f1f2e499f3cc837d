package kvledger_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// auditedStore is a store that holds its users to the contract, and at times makes them commit once more or not at all.
type auditedStore struct {
	*memory.Store
	t      *testing.T
	random *rand.Rand
	broken bool // some commits fail
}

func (s *auditedStore) Commit(ctx context.Context, b *store.Batch) error {
	seen := map[string]bool{}
	for _, w := range b.Writes {
		if seen[w.Key] {
			s.t.Errorf("a batch has the key %q twice", w.Key)
		}
		seen[w.Key] = true
	}
	switch {
	case s.random.IntN(10) == 0:
		return errors.Wrap(store.ErrHeadMoved, "test")
	case s.broken && s.random.IntN(2) == 0:
		return errDisk
	}
	return s.Store.Commit(ctx, b)
}

// audit is everything that a store has of channel c, by tag and the rest of the key.
type audit struct {
	t     *testing.T
	pairs map[string]map[string]string
}

func newAudit(t *testing.T, s store.Store) *audit {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	it := snapshot.Scan("", "", store.ScanOptions{})
	defer it.Close()
	a := &audit{t, map[string]map[string]string{}}
	for {
		key, value, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return a
		}
		tag, rest := key[2:3], key[3:]
		if a.pairs[tag] == nil {
			a.pairs[tag] = map[string]string{}
		}
		a.pairs[tag][rest] = string(value)
	}
}

// value cuts off the version.
func value(stored string) string {
	for range 2 {
		_, n := binary.Uvarint([]byte(stored))
		stored = stored[n:]
	}
	return stored
}

// check checks that what follows from other things does.
func (a *audit) check() {
	a.t.Helper()
	for key := range a.pairs["m"] {
		if _, ok := a.pairs["s"][key]; !ok {
			a.t.Errorf("metadata of %q, which is not there", key)
		}
	}
	for key := range a.pairs["e"] {
		if _, ok := a.pairs["d"][key]; !ok {
			a.t.Errorf("metadata of the hash %q, which is not there", key)
		}
	}
	prefix := ns + "\x00" + coll + "\x00"
	for key := range a.pairs["p"] {
		name := strings.TrimPrefix(key, prefix)
		if a.pairs["n"][prefix+string(hash([]byte(name)))] != name {
			a.t.Errorf("the name of %q is missing", name)
		}
	}
	if len(a.pairs["n"]) != len(a.pairs["p"]) {
		a.t.Errorf("%d names of %d values", len(a.pairs["n"]), len(a.pairs["p"]))
	}
	a.checkIndexes()
}

func (a *audit) checkIndexes() {
	a.t.Helper()
	var d struct {
		Indexes []struct {
			Collection string
			Index      *mango.Index
			ID         uint32
			Built      bool
			Next       []byte
		}
		Dropped []uint32
	}
	if b := a.pairs["c"][ns]; b != "" {
		if err := json.Unmarshal([]byte(b), &d); err != nil {
			a.t.Fatal(err)
		}
	}
	want := map[string]bool{} // entries, and whether they must be there
	for _, x := range d.Indexes {
		tag, prefix := "s", ns+"\x00"
		if x.Collection != "" {
			tag, prefix = "p", prefix+x.Collection+"\x00"
		}
		for storeKey, stored := range a.pairs[tag] {
			key := strings.TrimPrefix(storeKey, prefix)
			document, err := mango.NewDocument(key, []byte(value(stored)))
			if err != nil {
				continue
			}
			if columns, ok := x.Index.Columns(document); ok {
				entry := ns + "\x00" + string(binary.BigEndian.AppendUint32(nil, x.ID)) + string(columns) + key
				want[entry] = x.Built || key < string(x.Next)
			}
		}
	}
	for entry := range a.pairs["i"] {
		id := binary.BigEndian.Uint32([]byte(entry[len(ns)+1:]))
		if _, ok := want[entry]; !ok && !slices.Contains(d.Dropped, id) {
			a.t.Errorf("entry %q, which is of no document", entry)
		}
		delete(want, entry)
	}
	for entry, must := range want {
		if must {
			a.t.Errorf("entry %q is missing", entry)
		}
	}
}

// public is what all ledgers of a channel have the same of.
func (a *audit) public() string {
	var all []string
	for _, tag := range []string{"s", "m", "d", "e", "h", "t", "k", "x", "b"} {
		all = append(all, fmt.Sprintf("%s %q", tag, a.pairs[tag]))
	}
	return strings.Join(all, "\n")
}

// TestAudit commits random blocks to two ledgers, of which one is told all private data and the other some. Between blocks
// both get other definitions, the second one so that it often does not come to the end, and through another provider. What
// follows from what is committed always does; and what is public is the same in both.
func TestAudit(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			stores := [2]*auditedStore{}
			ledgers := [2]*kvledger.Ledger{}
			definers := [2]*kvledger.Ledger{}
			for i := range stores {
				stores[i] = &auditedStore{Store: memory.New(), t: t, random: rand.New(rand.NewPCG(seed, uint64(i)))}
				ledgers[i] = open(t, kvledger.NewProvider(stores[i]), "c")
				definers[i] = open(t, kvledger.NewProvider(stores[i]), "c")
			}
			for block := range 40 {
				if random.IntN(4) == 0 {
					d := randomDefinition(t, random)
					if err := definers[0].Define(t.Context(), ns, d); err != nil {
						t.Fatal(err)
					}
					stores[1].broken = true
					err := definers[1].Define(t.Context(), ns, d)
					for lacks(t, ledgers[1], d) {
						err = definers[1].Define(t.Context(), ns, d)
					}
					stores[1].broken = false
					if err != nil && !errors.Is(err, errDisk) {
						t.Fatal(err)
					}
				}
				both := randomBlock(t, random, ledgers[0], block)
				var codes [2]string
				var audits [2]*audit
				for i, l := range ledgers {
					got, err := l.Commit(t.Context(), both[i])
					if err != nil {
						t.Fatal(err)
					}
					codes[i] = fmt.Sprint(got)
					audits[i] = newAudit(t, stores[i])
					audits[i].check()
				}
				if codes[0] != codes[1] || audits[0].public() != audits[1].public() {
					t.Fatalf("block %d: the ledgers differ\n%s\n%s\n%s\n%s", block, codes[0], codes[1], audits[0].public(), audits[1].public())
				}
				if t.Failed() {
					t.Fatalf("after block %d", block)
				}
			}
		})
	}
}

// lacks says whether a ledger lacks a definition: what follows from blocks depends on it.
func lacks(t *testing.T, l *kvledger.Ledger, want kvledger.Definition) bool {
	t.Helper()
	d, err := l.Definition(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	if d == nil || len(d.Indexes) != len(want.Indexes) || d.Collections[0] != want.Collections[0] {
		return true
	}
	for i := range d.Indexes {
		if !d.Indexes[i].Equal(want.Indexes[i]) {
			return true
		}
	}
	return false
}

func randomDefinition(t *testing.T, random *rand.Rand) kvledger.Definition {
	t.Helper()
	d := kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: coll, BlockToLive: random.Uint64N(5)}}}
	for i, fields := range []string{`["n"]`, `["n","m"]`, `[{"m":"desc"}]`, `["long"]`, `["_id"]`} {
		for _, collection := range []string{"", coll} {
			if random.IntN(2) == 0 {
				x, err := kvledger.ParseIndex([]byte(fmt.Sprintf(`{"index":{"fields":%s},"ddoc":"d%d","name":"x"}`, fields, i)))
				if err != nil {
					t.Fatal(err)
				}
				d.Indexes = append(d.Indexes, x.In(collection))
			}
		}
	}
	return d
}

// randomBlock returns a block with all private data, and the same without some.
func randomBlock(t *testing.T, random *rand.Rand, l *kvledger.Ledger, block int) [2]kvledger.Block {
	t.Helper()
	var both [2]kvledger.Block
	for i := range random.IntN(5) {
		r := results(t, l, randomOps(t, random)...)
		tx := kvledger.Transaction{TxID: fmt.Sprintf("%d.%d", block, i-random.IntN(2)), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet}
		if random.IntN(8) == 0 {
			tx.Code = []kvledger.ValidationCode{duplicate, kvledger.EndorsementPolicyFailure}[random.IntN(2)]
		}
		both[0].Transactions = append(both[0].Transactions, tx)
		if random.IntN(2) == 0 {
			tx.PrivateRWSet = nil
		}
		both[1].Transactions = append(both[1].Transactions, tx)
	}
	return both
}

func randomOps(t *testing.T, random *rand.Rand) []op {
	t.Helper()
	var ops []op
	for range 1 + random.IntN(4) {
		// One key is the end of another, and of what an index has before it.
		key := []string{"a", "b", "aa", "a\x00", "\x00a\x00"}[random.IntN(5)]
		document := []string{
			"", "text", `{}`, `{"n":1}`, `{"n":1,"m":"a"}`, `{"n":2,"m":"a"}`, `{"n":"a","m":"a"}`, `{"n":null}`,
			`{"long":"` + strings.Repeat("x", 1500) + fmt.Sprint(random.IntN(3)) + `"}`,
		}[random.IntN(9)]
		m := fmt.Sprint("a=", random.IntN(3))
		ops = append(ops, []op{
			put(key, document), put(key, document), putPrivate(key, document), putPrivate(key, document),
			purge(key), setPrivateMetadata(key, m), setPrivateMetadata(key), getHash(key),
			func(t testing.TB, sim *kvledger.Simulator) {
				if err := sim.SetStateMetadata(t.Context(), ns, key, map[string][]byte{"a": []byte(m)}); err != nil {
					t.Fatal(err)
				}
			},
		}[random.IntN(9)])
	}
	return ops
}

// TestDroppedIndexIsDeleted drops an index of more entries than one step deletes.
func TestDroppedIndexIsDeleted(t *testing.T) {
	s := openStore(t)
	l := open(t, kvledger.NewProvider(s), "c")
	var ops []op
	for i := range 2300 {
		ops = append(ops, put(fmt.Sprint("k", i), `{"n":1}`))
	}
	commit(t, l, simulate(t, l, ops...))
	for _, test := range []struct {
		fields []string
		want   int
	}{{[]string{`["n"]`}, 2300}, {nil, 0}} {
		defineIndexes(t, l, test.fields...)
		a := newAudit(t, s)
		a.check()
		if got := len(a.pairs["i"]); got != test.want {
			t.Errorf("with the indexes %q there are %d entries, want %d", test.fields, got, test.want)
		}
	}
}
