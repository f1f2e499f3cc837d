package kvledger_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
)

// limitedStore is a store whose keys may have 2,600 bytes.
type limitedStore struct{ store.Store }

const maxStoreKey = 2600

func (*limitedStore) MaxKeySize() int { return maxStoreKey }

func (s *limitedStore) Commit(ctx context.Context, b *store.Batch) error {
	for _, w := range b.Writes {
		if len(w.Key) > maxStoreKey {
			return errors.Errorf("a key has %d bytes", len(w.Key))
		}
	}
	return s.Store.Commit(ctx, b)
}

// TestNamesThatAreTooLong commits what the store can't hold: the transaction is invalid, and the block is committed.
func TestNamesThatAreTooLong(t *testing.T) {
	key := hash([]byte("k"))
	value := &pb.KVWriteHash{KeyHash: key, ValueHash: key}
	metadata := &pb.KVMetadataWriteHash{KeyHash: key, Entries: []*pb.KVMetadataEntry{{Name: "a"}}}
	for _, test := range []struct {
		name              string
		namespace, length int // bytes of the namespace's name and the collection's
		want              kvledger.ValidationCode
	}{
		{"short", 5, 5, valid},
		{"long collection", 5, 3000, kvledger.InvalidWriteSet},
		{"long namespace", 3000, 5, kvledger.InvalidWriteSet},
		{"both rather long", 800, 800, kvledger.InvalidWriteSet},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := open(t, kvledger.NewProvider(&limitedStore{memory.New()}), "c")
			rwset := marshal(t, &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{{
				Namespace: strings.Repeat("n", test.namespace),
				CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{
					hashedSetOf(t, strings.Repeat("c", test.length), value, metadata),
				},
			}}})
			if got := commit(t, l, rwset); got[0] != test.want {
				t.Errorf("code is %v, want %v", got[0], test.want)
			}
		})
	}
	// The longest key that is accepted can be committed, wherever it goes.
	l := open(t, kvledger.NewProvider(&limitedStore{memory.New()}), "c")
	defineIndexes(t, l, `["n"]`)
	long := `{"n":"` + strings.Repeat("x", 2000) + `"}`
	for size := 1600; ; size-- {
		key := strings.Repeat("k", size)
		sim := newSimulator(t, l, "tx")
		err := sim.SetPrivateData(t.Context(), ns, coll, key, []byte(long))
		sim.Done()
		if err != nil {
			continue
		}
		if got := commitResults(t, l, results(t, l, put(key, long), putPrivate(key, long))); got[0] != valid {
			t.Errorf("code is %v", got[0])
		}
		return
	}
}
