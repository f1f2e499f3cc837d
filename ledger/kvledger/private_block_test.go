package kvledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
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

// TestPrivateDataOfBlock reads what transactions have written to collections, as long as it is there.
func TestPrivateDataOfBlock(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, put("public", "1")), results(t, l, putPrivate("a", "1"), putPrivate("b", "1")),
		results(t, l, putPrivate("c", "1"), putPrivate("gone", "")), unknown(results(t, l, putPrivate("d", "1"))))
	const first = "1/asset/secrets/a=1 1/asset/secrets/b=1 2/asset/secrets/c=1"
	if got := ofBlock(t, l, 0); got != first {
		t.Errorf("got %q, want %q", got, first)
	}
	// It is what a peer was given, to the byte.
	given := results(t, l, putPrivate("x", "1"), putPrivate("y", "2"))
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
		op   op
		want string // of block 0
	}{
		{"written again, the same", putPrivate("a", "1"), first},
		{"metadata", setPrivateMetadata("b", "x=y"), first},
		{"written again", putPrivate("a", "2"), "1/asset/secrets/b=1 2/asset/secrets/c=1"},
		{"deleted", putPrivate("b", ""), "2/asset/secrets/c=1"},
		{"purged", purge("c"), ""},
	} {
		commitResults(t, l, results(t, l, tc.op))
		if got := ofBlock(t, l, 0); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if _, err := kvledger.PrivateDataOf(t.Context(), l, 99); !errors.Is(err, kvledger.ErrNotFound) {
		t.Errorf("a block that isn't there: %v", err)
	}
}

// TestPrivateDataOfBlockExpires reads it until it has expired. What an invalid transaction wanted to write is not there.
func TestPrivateDataOfBlockExpires(t *testing.T) {
	l := openMemory(t)
	defineExpiring(t, l, 1)
	conflict := results(t, l, getPrivate("k"), putPrivate("other", "1"))
	if codes := commitResults(t, l, results(t, l, putPrivate("k", "1")), conflict); codes[1] == valid {
		t.Fatal("it is valid")
	}
	for _, want := range []string{"0/asset/secrets/k=1", "0/asset/secrets/k=1", ""} {
		if got := ofBlock(t, l, 0); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		commit(t, l)
	}
}
