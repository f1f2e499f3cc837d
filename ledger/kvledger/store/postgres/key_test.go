package postgres_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// randomBytes can't be compressed: the server compresses what it can before it looks at the size.
func randomBytes(random *rand.Rand, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

// longPairs are pairs with keys of exactly a size, whatever their bytes, and with values of any bytes.
func longPairs(size int) map[string]string {
	random := rand.New(rand.NewPCG(1, 0))
	pairs := map[string]string{
		strings.Repeat("\x00", size): "\x00", strings.Repeat("\xff", size): "\x00\x00a\x00", strings.Repeat("a", size): "",
	}
	for range 200 {
		pairs[randomBytes(random, size)] = randomBytes(random, 64) + "\x00" + randomBytes(random, 64)
	}
	common := randomBytes(random, size-1) // they differ in the last byte only
	for i := range 256 {
		pairs[common+string([]byte{byte(i)})] = strings.Repeat("\x00", i)
	}
	return pairs
}

// Keys of exactly the limit are kept, found in order, and deleted.
func TestLongKeys(t *testing.T) {
	s := openStore(t, config())
	pairs := longPairs(s.MaxKeySize())
	keys := slices.Sorted(maps.Keys(pairs))
	b := &store.Batch{Next: store.Head{Blocks: 1, Epoch: 7}}
	remove := &store.Batch{Prev: b.Next, Next: store.Head{Blocks: 2, Epoch: 7}}
	for _, key := range keys {
		b.Writes = append(b.Writes, store.Write{Key: key, Value: []byte(pairs[key])})
		remove.Writes = append(remove.Writes, store.Write{Key: key})
	}
	commit(t, s, b)
	snap := snapshot(t, s)
	values, err := snap.GetMany(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []store.ScanOptions{{}, {Reverse: true}, {Fetch: 100}} {
		it := snap.Scan(keys[0], keys[len(keys)-1]+"\x00", o)
		for i := range keys {
			if o.Reverse {
				i = len(keys) - 1 - i
			}
			want := pairs[keys[i]]
			key, value, ok, err := it.Next(t.Context())
			if err != nil || !ok || key != keys[i] || string(value) != want || values[i] == nil || string(values[i]) != want {
				t.Fatalf("%+v: pair %d is %.20q=%.20q, %.20q, %v, want %.20q", o, i, key, value, values[i], err, keys[i])
			}
		}
		if key, _, ok, err := it.Next(t.Context()); ok || err != nil {
			t.Errorf("%+v: the end is %.20q, %v", o, key, err)
		}
		it.Close()
	}
	commit(t, s, remove)
	wantState(t, s, 2, keys[0], "")
}

// A longer key is refused by itself, before anything is sent, and nothing is changed. Reading one finds nothing.
func TestTooLongKey(t *testing.T) {
	s := openStore(t, config())
	commit(t, s, batch(1, "k", "1"))
	for _, value := range [][]byte{[]byte("v"), nil} {
		b := batch(2, "k", "2")
		b.Writes = append(b.Writes, store.Write{Key: strings.Repeat("x", s.MaxKeySize()+1), Value: value})
		err := s.Commit(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "has 2601 bytes, at most 2600 are possible") || errors.Is(err, store.ErrHeadMoved) {
			t.Errorf("commit: %v", err)
		}
	}
	wantState(t, s, 1, "k", "1")
	wantState(t, s, 1, randomBytes(rand.New(rand.NewPCG(1, 0)), 10000), "")
	commit(t, s, batch(2, "k", "2"))
}

// A ledger doesn't let chaincode have keys that the store can't hold, of whatever kind: what it does let have is committed.
func TestLongKeysOfChaincode(t *testing.T) {
	s := openStore(t, config())
	l := kvledgertest.OpenLedger(t, s, "mychannel")
	random := rand.New(rand.NewPCG(1, 0))
	for i := range 20 {
		tooLong := strings.Repeat("k", s.MaxKeySize()+1)
		longest := longestKey(t, l, random)
		sim, err := kvledgertest.Simulate(t.Context(), l, "tx")
		if err != nil {
			t.Fatal(err)
		}
		for name, set := range map[string]func(key string) error{
			"state":   func(key string) error { return sim.SetState(t.Context(), "asset", key, []byte("v")) },
			"private": func(key string) error { return sim.SetPrivateData(t.Context(), "asset", "secrets", key, []byte("v")) },
		} {
			if err := set(tooLong); err == nil {
				t.Errorf("%s: a key of %d bytes is accepted", name, len(tooLong))
			}
			if err := set(longest); err != nil {
				t.Errorf("%s: a key of %d bytes: %v", name, len(longest), err)
			}
		}
		results, err := sim.Results(t.Context())
		sim.Done()
		if err != nil {
			t.Fatal(err)
		}
		tx := kvledger.Transaction{TxID: fmt.Sprint("tx", i), RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet}
		if code, err := l.CommitTx(t.Context(), tx); code != kvledger.Valid || err != nil {
			t.Fatalf("commit of a key of %d bytes: %v, %v", len(longest), code, err)
		}
	}
}

// longestKey returns a key, which can't be compressed much, of the length that private data may have at most: its store
// key is the longest.
func longestKey(t *testing.T, l *kvledger.Ledger, random *rand.Rand) string {
	t.Helper()
	sim, err := kvledgertest.Simulate(t.Context(), l, "try")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	key := ""
	for len(key) < 4000 {
		key += string(rune(0x4e00 + random.IntN(0x5000)))
		if sim.SetPrivateData(t.Context(), "asset", "secrets", key, []byte("v")) != nil {
			return key[:len(key)-3]
		}
	}
	t.Fatal("keys of 4000 bytes are accepted")
	return ""
}
