package kvledger

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// GetHistoryForKey implements ledger.HistoryReader. The history is that of the simulator's snapshot. As in Fabric, it is not
// noted in the read/write set.
func (s *Simulator) GetHistoryForKey(_ context.Context, namespace, key string) (ledger.HistoryIterator, error) {
	if _, err := s.namespace(namespace); err != nil {
		return nil, err
	}
	if err := checkReadKey(key); err != nil {
		return nil, err
	}
	prefix := s.view.ledger.keys.historyPrefix(namespace, key)
	inner := s.view.snapshot.Scan(prefix, historyEnd(prefix), store.ScanOptions{Fetch: usualPage, Reserve: true})
	it := &historyIterator{view: &s.view, key: key, inner: inner}
	s.view.add(it)
	return it, nil
}

type historyIterator struct {
	view   *view
	key    string
	inner  store.Iterator
	closed bool
}

var _ ledger.HistoryIterator = (*historyIterator)(nil)

func (it *historyIterator) Next(ctx context.Context) (*ledger.KeyModification, error) {
	switch {
	case it.view.closed:
		return nil, errDone
	case it.closed:
		return nil, errClosed
	}
	_, b, ok, err := it.inner.Next(ctx)
	if err != nil {
		return nil, errors.Wrapf(err, "read history of key %q", shown(it.key))
	}
	if !ok {
		return nil, nil
	}
	var m pb.KeyModification
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, errors.Wrapf(err, "decode history of key %q", shown(it.key))
	}
	return &ledger.KeyModification{TxID: m.TxId, Value: m.Value, Timestamp: m.Timestamp.AsTime(), IsDelete: m.IsDelete}, nil
}

func (it *historyIterator) Close() {
	it.closed = true
	it.inner.Close()
	it.view.forget(it)
}

// encodeModification returns what the store holds for one write of a key.
func encodeModification(txID string, at time.Time, w write) ([]byte, error) {
	b, err := marshal(&pb.KeyModification{
		TxId: txID, Value: w.value, Timestamp: timestamppb.New(at), IsDelete: w.value == nil,
	})
	if err != nil {
		return nil, errors.Wrapf(err, "marshal modification of key %q", shown(w.key))
	}
	return b, nil
}
