package postgres

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// snapshot is one caller's use of a view.
type snapshot struct {
	view   *view
	closed atomic.Bool
}

var _ store.Snapshot = (*snapshot)(nil)

// read is something that is read in one round trip, perhaps together with others.
type read struct {
	keys []string // to look up
	page *page    // to read
	end  bool     // of the view; nothing comes after it

	values map[string][]byte // of the keys, and of others that were looked up with them
	pairs  []pair            // of the page
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
	key   string
	value []byte
}

func (s *snapshot) Head() store.Head { return s.view.head }

func (s *snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	r := &read{keys: []string{key}}
	if err := s.read(ctx, r); err != nil {
		return nil, err
	}
	return r.values[key], nil
}

func (s *snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if len(keys) == 0 {
		return values, nil
	}
	r := &read{keys: keys}
	if err := s.read(ctx, r); err != nil {
		return nil, err
	}
	for i, key := range keys {
		values[i] = r.values[key]
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
	values := map[string][]byte{}
	var keys [][]byte
	for _, r := range all {
		for _, key := range r.keys {
			if _, known := values[key]; !known {
				values[key] = nil
				keys = append(keys, []byte(key))
			}
		}
		r.values = values
		if r.page != nil {
			sql, args := r.page.statement(v.store.sql)
			b.Queue(sql, args...).Query(r.scan)
		}
	}
	if len(keys) > 0 {
		b.Queue(v.store.sql.get, keys).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				raw := rows.RawValues() // valid until the next row
				values[string(raw[0])] = clone(raw[1])
			}
			return rows.Err()
		})
	}
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := v.store.life.Limited()
	defer cancel()
	return v.conn.SendBatch(ctx, b).Close()
}

func (r *read) scan(rows pgx.Rows) error {
	for rows.Next() {
		raw := rows.RawValues()
		p := pair{key: string(raw[0])}
		if len(raw) > 1 {
			p.value = clone(raw[1])
		}
		r.pairs = append(r.pairs, p)
	}
	return rows.Err()
}

// clone copies a value that is not null, which nil would stand for.
func clone(raw []byte) []byte {
	if len(raw) == 0 {
		return []byte{}
	}
	return bytes.Clone(raw)
}
