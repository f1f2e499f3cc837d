package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// snapshot is one caller's use of a view.
type snapshot struct {
	view   *view
	closed atomic.Bool
}

var _ store.Snapshot = (*snapshot)(nil)

// read is something that is read in one round trip, perhaps together with others.
type read struct {
	keys  []string // to look up
	whole bool     // there is room for their values, however large they are
	page  *page    // to read
	end   bool     // of the view; nothing comes after it

	values map[string]found // of the keys, and of others that were looked up with them
	pairs  []pair           // of the page
	err    error
	done   chan struct{} // closed when the result is there
}

// page is a part of a range.
type page struct {
	lo, hi  string
	options store.ScanOptions
	size    int
}

type pair struct {
	key string
	found
}

// found is a value that was looked up. If it is too large to be read before there is room for it, only its size is there.
type found struct {
	value []byte
	size  int
}

func (s *snapshot) Head() store.Head { return s.view.head }

func (s *snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	values, err := s.GetMany(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// GetMany implements store.Snapshot. The first round trip returns the values that are little together, and how large the
// others are. When there is room for those, a second one reads them.
func (s *snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if len(keys) == 0 {
		return values, nil
	}
	first := &read{keys: keys}
	if err := s.read(ctx, first); err != nil {
		return nil, err
	}
	var large []string
	for i, key := range keys {
		f, ok := first.values[key]
		if !ok {
			continue
		}
		if err := ledger.Reserve(ctx, f.size); err != nil {
			return nil, err
		}
		if values[i] = f.value; f.value == nil {
			large = append(large, key)
		}
	}
	if len(large) == 0 {
		return values, nil
	}
	rest := &read{keys: large, whole: true}
	if err := s.read(ctx, rest); err != nil {
		return nil, err
	}
	for i, key := range keys {
		if values[i] == nil {
			values[i] = rest.values[key].value
		}
	}
	return values, nil
}

func (s *snapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return newIterator(s, lo, hi, o)
}

func (s *snapshot) Close() {
	if !s.closed.Swap(true) {
		s.view.store.views.Release(s.view)
	}
}

// read has something read. If ctx ends before, the request goes on for the others who read from the same view.
func (s *snapshot) read(ctx context.Context, r *read) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if s.closed.Load() || !s.view.reads.Add(r) {
		return store.ErrClosed
	}
	select {
	case <-r.done:
		return s.view.store.life.Failure(r.err, "read snapshot")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do serves all who want to read.
func (v *view) do(all []*read) {
	if v.err == nil {
		if err := v.roundTrip(all); err != nil {
			v.fail(err)
		}
	}
	for _, r := range all {
		if r.end {
			v.end()
		}
		r.err = v.err
		close(r.done)
	}
}

func (v *view) roundTrip(all []*read) error {
	b := new(pgx.Batch)
	// Whoever has only looked for little values may wait for room, and must not hold other readers' large ones meanwhile.
	little, whole := lookups{values: map[string]found{}}, lookups{values: map[string]found{}}
	for _, r := range all {
		if r.whole {
			whole.add(r)
		} else {
			little.add(r)
		}
		if r.page != nil {
			sql, args := v.store.sql.page(r.page)
			b.Queue(sql, args...).Query(r.scan)
		}
	}
	if len(little.keys) > 0 {
		b.Queue(v.store.sql.getLittle, little.keys, remote.LittleBytes*little.reads).Query(little.scan)
	}
	if len(whole.keys) > 0 {
		b.Queue(v.store.sql.get, whole.keys).Query(whole.scan)
	}
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := v.store.life.Limited()
	defer cancel()
	return v.conn.SendBatch(ctx, b).Close()
}

// lookups are keys that are looked up together.
type lookups struct {
	reads  int // how many ask for them
	keys   [][]byte
	known  map[string]bool
	values map[string]found
}

func (l *lookups) add(r *read) {
	r.values = l.values
	if len(r.keys) == 0 {
		return
	}
	l.reads++
	for _, key := range r.keys {
		if !l.known[key] {
			if l.known == nil {
				l.known = map[string]bool{}
			}
			l.known[key] = true
			l.keys = append(l.keys, []byte(key))
		}
	}
}

func (l *lookups) scan(rows pgx.Rows) error {
	for rows.Next() {
		raw := rows.RawValues() // valid until the next row
		l.values[string(raw[0])] = foundIn(raw)
	}
	return rows.Err()
}

func (r *read) scan(rows pgx.Rows) error {
	for rows.Next() {
		raw := rows.RawValues()
		r.pairs = append(r.pairs, pair{string(raw[0]), foundIn(raw)})
	}
	return rows.Err()
}

// foundIn returns what a row has of a value: after the key perhaps the value, and perhaps its length.
func foundIn(raw [][]byte) (f found) {
	if len(raw) > 2 {
		f.size = int(binary.BigEndian.Uint32(raw[2]))
		if raw[1] == nil {
			return f
		}
	}
	if len(raw) > 1 {
		f.value = clone(raw[1])
		f.size = len(f.value)
	}
	return f
}

// clone copies a value that is not null, which nil would stand for.
func clone(raw []byte) []byte {
	if len(raw) == 0 {
		return []byte{}
	}
	return bytes.Clone(raw)
}
