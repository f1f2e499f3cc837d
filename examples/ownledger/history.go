package main

import (
	"context"

	"github.com/ccpeer/ccpeer/ledger"
)

// The simulator has one ability that is optional: it knows what a key has been.
var _ ledger.HistoryReader = (*simulator)(nil)

// GetHistoryForKey implements ledger.HistoryReader.
func (s *simulator) GetHistoryForKey(_ context.Context, namespace, key string) (ledger.HistoryIterator, error) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return &history{s.seen(stateKey{namespace, key})}, nil
}

// history is what is left of a key's history. The ledger only ever appends to it, where this slice has ended.
type history struct{ values []value }

// Next implements ledger.HistoryIterator.
func (h *history) Next(context.Context) (*ledger.KeyModification, error) {
	if len(h.values) == 0 {
		return nil, nil
	}
	v := h.values[len(h.values)-1]
	h.values = h.values[:len(h.values)-1]
	return &ledger.KeyModification{TxID: v.txID, Value: v.bytes, Timestamp: v.timestamp, IsDelete: v.bytes == nil}, nil
}

// Close implements ledger.HistoryIterator.
func (h *history) Close() {}
