package kvledger_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// TestOldFormat opens a store that the version before blocks had headers has written: three blocks of channel mychannel. It is
// refused with a word that says what to do, and nothing is written to it.
func TestOldFormat(t *testing.T) {
	recorded, err := os.ReadFile("testdata/format2.txt")
	if err != nil {
		t.Fatal(err)
	}
	b := &store.Batch{Next: store.Head{Blocks: 3, Epoch: 1}}
	for line := range strings.Lines(string(recorded)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		b.Writes = append(b.Writes, store.Write{Key: unhex(t, key), Value: []byte(unhex(t, value))})
	}
	s := openStore(t)
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	p := kvledger.NewProvider(s)
	_, err = p.Open(t.Context(), "mychannel")
	want := `open ledger of channel "mychannel": the store holds a ledger of format 2 (02 03), but this version reads and writes format 3 only: ` +
		"begin with an empty store, or use the version that wrote it"
	if err == nil || err.Error() != want {
		t.Errorf("open: %v, want %s", err, want)
	}
	// Another channel of the same store is none of its business.
	l := open(t, p, "other")
	commit(t, l, simulate(t, l, put("k", "v")))
}

func unhex(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
