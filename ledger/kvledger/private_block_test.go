package kvledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ofBlock is the private data of a block, for people.
func ofBlock(t *testing.T, l *kvledger.Ledger, block uint64) string {
	t.Helper()
	sets, err := kvledger.PrivateDataOf(t.Context(), l, block)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for position, set := range sets {
		for _, ns := range set.GetNsPvtRwset() {
			for _, c := range ns.GetCollectionPvtRwset() {
				kv := new(pb.KVRWSet)
				if err := proto.Unmarshal(c.GetRwset(), kv); err != nil {
					t.Fatal(err)
				}
				for _, w := range kv.GetWrites() {
					all = append(all, fmt.Sprintf("%d/%s/%s/%s=%s", position, ns.GetNamespace(), c.GetCollectionName(), w.GetKey(), w.GetValue()))
				}
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestPrivateDataOfBlock reads what transactions have written to collections, whatever comes later, but for a purge.
func TestPrivateDataOfBlock(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, put("public", "1")), results(t, l, putPrivate("a", "1"), putPrivate("b", "1")),
		results(t, l, putPrivate("c", "1"), putPrivate("gone", "")), unknown(results(t, l, putPrivate("d", "1"))),
		results(t, l, putPrivate("a", "2")))
	const first = "1/asset/secrets/a=1 1/asset/secrets/b=1 2/asset/secrets/c=1 2/asset/secrets/gone= 4/asset/secrets/a=2"
	if got := ofBlock(t, l, 0); got != first {
		t.Errorf("got %q, want %q", got, first)
	}
	// It is what a peer was given, to the byte.
	given := results(t, l, putPrivate("x", "1"), putPrivate("y", "2"), putPrivate("a", ""))
	commitResults(t, l, given)
	sets, err := kvledger.PrivateDataOf(t.Context(), l, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := new(pb.TxPvtReadWriteSet)
	if err := proto.Unmarshal(given.PrivateRWSet, want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(sets[0], want) {
		t.Errorf("got %v, want %v", sets[0], want)
	}
	for _, tc := range []struct {
		name string
		ops  []*kvledger.Results
		want string // of block 0
	}{
		{"written again", []*kvledger.Results{results(t, l, putPrivate("a", "3"))}, first},
		{"metadata", []*kvledger.Results{results(t, l, setPrivateMetadata("b", "x=y"))}, first},
		{"deleted", []*kvledger.Results{results(t, l, putPrivate("b", ""))}, first},
		{"written again, not known", []*kvledger.Results{unknown(results(t, l, putPrivate("a", "4")))}, first},
		{"purged", []*kvledger.Results{results(t, l, purge("c"))}, "1/asset/secrets/a=1 1/asset/secrets/b=1 2/asset/secrets/gone= 4/asset/secrets/a=2"},
		{"purged, not known", []*kvledger.Results{unknown(results(t, l, purge("a")))}, "1/asset/secrets/b=1 2/asset/secrets/gone="},
		{"purged after it was deleted", []*kvledger.Results{results(t, l, purge("b"))}, "2/asset/secrets/gone="},
		{"purged, never there", []*kvledger.Results{results(t, l, purge("gone"))}, ""},
	} {
		commitResults(t, l, tc.ops...)
		if got := ofBlock(t, l, 0); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := ofBlock(t, l, 1); got != "0/asset/secrets/x=1 0/asset/secrets/y=2" {
		t.Errorf("block 1 has %q", got)
	}
	if _, err := kvledger.PrivateDataOf(t.Context(), l, 99); !errors.Is(err, kvledger.ErrNotFound) {
		t.Errorf("a block that isn't there: %v", err)
	}
}

// TestPurgeInBlock purges what the same block has written before, and keeps what it writes after.
func TestPurgeInBlock(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "1")), results(t, l, putPrivate("k", "2"), putPrivate("other", "1")),
		unknown(results(t, l, purge("k"))), results(t, l, putPrivate("k", "3")))
	if got := ofBlock(t, l, 0); got != "1/asset/secrets/other=1 3/asset/secrets/k=3" {
		t.Errorf("got %q", got)
	}
}

// TestManyPastValues keeps the last values of a key.
func TestManyPastValues(t *testing.T) {
	l := openMemory(t)
	const kept = 64
	for i := range kept + 10 {
		commitResults(t, l, results(t, l, putPrivate("k", fmt.Sprint(i))), results(t, l, putPrivate(fmt.Sprint("k", i), "1")))
	}
	for i := range uint64(kept + 10) {
		want := fmt.Sprintf("0/asset/secrets/k=%d 1/asset/secrets/k%d=1", i, i)
		if i < 10 {
			want = fmt.Sprintf("1/asset/secrets/k%d=1", i)
		}
		if got := ofBlock(t, l, i); got != want {
			t.Errorf("block %d has %q, want %q", i, got, want)
		}
	}
}

// TestPrivateDataOfBlockExpires reads it until it has expired. What an invalid transaction wanted to write is not there.
func TestPrivateDataOfBlockExpires(t *testing.T) {
	s := openStore(t)
	l := open(t, kvledger.NewProvider(s), "mychannel")
	defineExpiring(t, l, 1)
	conflict := results(t, l, getPrivate("k"), putPrivate("other", "1"))
	if codes := commitResults(t, l, results(t, l, putPrivate("k", "1")), conflict,
		results(t, l, putPrivate("deleted", "1")), results(t, l, putPrivate("deleted", ""))); codes[1] == valid {
		t.Fatal("it is valid")
	}
	want := []string{"0/asset/secrets/k=1", "0/asset/secrets/k=1", ""}
	for i := range want {
		if got := ofBlock(t, l, 0); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
		commitResults(t, l, results(t, l, putPrivate("k", "2"))) // which doesn't save the older one
	}
	if got := []string{ofBlock(t, l, 1), ofBlock(t, l, 2)}; got[0] != "" || got[1] != "0/asset/secrets/k=2" {
		t.Errorf("the later ones are %q", got)
	}
	for range 3 {
		commit(t, l)
	}
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for it := snap.Scan("mychannel\x00v", "mychannel\x00x", store.ScanOptions{}); ; {
		key, _, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		t.Errorf("%q is left", key)
	}
}
