package pebble_test

import (
	"context"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

var errFull = errors.New("there is no room")

// reservations notes what is reserved, and refuses what is more than the limit.
type reservations struct{ limit, sum int }

func (r *reservations) Reserve(_ context.Context, n int) error {
	if r.sum+n > r.limit {
		return errFull
	}
	r.sum += n
	return nil
}

// A value that is read for an answer is reserved before it is copied, once and whole. A refusal is what the reader gets, and
// the snapshot is as good as before.
func TestReserve(t *testing.T) {
	const little, large = 1000, 1 << 20
	s := openStore(t, small(t.TempDir()))
	b := &store.Batch{Next: store.Head{Blocks: 1, Epoch: 1}, Writes: []store.Write{
		{Key: "a", Value: make([]byte, little)}, {Key: "b", Value: make([]byte, large)},
	}}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	scan := func(ctx context.Context, o store.ScanOptions) error {
		it := snapshot.Scan("", "", o)
		defer it.Close()
		for {
			if _, _, ok, err := it.Next(ctx); !ok {
				return err
			}
		}
	}
	for what, test := range map[string]struct {
		read func(ctx context.Context) error
		want int
	}{
		"Get":                 {func(ctx context.Context) error { _, err := snapshot.Get(ctx, "b"); return err }, large},
		"Get absent":          {func(ctx context.Context) error { _, err := snapshot.Get(ctx, "c"); return err }, 0},
		"GetMany":             {func(ctx context.Context) error { _, err := snapshot.GetMany(ctx, []string{"a", "b", "b"}); return err }, little + 2*large},
		"Scan for an answer":  {func(ctx context.Context) error { return scan(ctx, store.ScanOptions{Reserve: true}) }, little + large},
		"Scan for the ledger": {func(ctx context.Context) error { return scan(ctx, store.ScanOptions{}) }, 0},
	} {
		r := &reservations{limit: test.want}
		if err := test.read(ledger.WithReserver(t.Context(), r)); err != nil || r.sum != test.want {
			t.Errorf("%s: reserved %d, %v, want %d", what, r.sum, err, test.want)
		}
		if r = (&reservations{limit: test.want - 1}); test.want > 0 {
			if err := test.read(ledger.WithReserver(t.Context(), r)); !errors.Is(err, errFull) {
				t.Errorf("%s: got %v, want %v", what, err, errFull)
			}
		}
		if err := test.read(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
