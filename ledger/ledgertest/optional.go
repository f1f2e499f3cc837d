package ledgertest

import (
	"context"

	"github.com/ccpeer/ccpeer/ledger"
)

// everything is a simulator with all optional interfaces.
type everything interface {
	ledger.Simulator
	ledger.HistoryReader
	ledger.MultiGetter
	ledger.RichQuerier
	ledger.MetadataState
	ledger.PrivateState
	ledger.PrivateMetadataState
	ledger.PrivateRichQuerier
}

// historySimulator wraps a simulator that has a history. fullSimulator wraps one that has everything, and definedSimulator
// one that also knows definitions. The other combinations have no type of their own, because there would be more than a
// hundred.
type (
	historySimulator struct {
		*simulator
		history ledger.HistoryReader
	}
	fullSimulator struct {
		historySimulator
		full everything
	}
	definedSimulator struct {
		fullSimulator
		definitions ledger.CollectionConfigs
	}
)

var (
	_ ledger.HistoryReader = (*historySimulator)(nil)
	_ everything           = (*fullSimulator)(nil)

	_ ledger.CollectionConfigs = (*definedSimulator)(nil)
)

// withOptional returns the simulator with the optional interfaces that it has to show.
func (s *simulator) withOptional() ledger.Simulator {
	switch inner := s.inner.(type) {
	case everything:
		full := fullSimulator{historySimulator{s, inner}, inner}
		if definitions, ok := inner.(ledger.CollectionConfigs); ok {
			return &definedSimulator{full, definitions}
		}
		return &full
	case ledger.HistoryReader:
		return &historySimulator{s, inner}
	}
	return s
}

// optional returns a simulator as the optional interface T, if it has that. If a Faulty's simulator hides an interface of
// the one that it wraps, the wrapped one is returned, which nobody watches.
func optional[T any](sim ledger.Simulator) (T, bool) {
	if t, ok := sim.(T); ok {
		return t, true
	}
	t, ok := ledger.Unwrap(sim).(T)
	return t, ok
}

func (s *historySimulator) GetHistoryForKey(ctx context.Context, namespace, key string) (ledger.HistoryIterator, error) {
	it, err := opened(ctx, s.simulator, GetHistoryForKey, func() (results[ledger.KeyModification], error) {
		return s.history.GetHistoryForKey(ctx, namespace, key)
	})
	if it == nil {
		return nil, err
	}
	return it, nil
}

func (s *fullSimulator) GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error) {
	return value(ctx, s.simulator, GetStateMultipleKeys, func() ([][]byte, error) {
		return s.full.GetStateMultipleKeys(ctx, namespace, keys)
	})
}

func (s *fullSimulator) ExecuteQuery(ctx context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	var inner ledger.QueryIterator
	it, err := opened(ctx, s.simulator, ExecuteQuery, func() (_ results[ledger.KV], err error) {
		if inner, err = s.full.ExecuteQuery(ctx, namespace, query, p); inner == nil {
			return nil, err
		}
		return inner, err
	})
	if it == nil {
		return nil, err
	}
	return &queryIterator{it, inner}, nil
}

func (s *fullSimulator) GetStateMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error) {
	return value(ctx, s.simulator, GetStateMetadata, func() (map[string][]byte, error) {
		return s.full.GetStateMetadata(ctx, namespace, key)
	})
}

func (s *fullSimulator) SetStateMetadata(ctx context.Context, namespace, key string, metadata map[string][]byte) error {
	return s.call(ctx, SetStateMetadata, func() error { return s.full.SetStateMetadata(ctx, namespace, key, metadata) })
}

func (s *fullSimulator) GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	return value(ctx, s.simulator, GetPrivateData, func() ([]byte, error) {
		return s.full.GetPrivateData(ctx, namespace, collection, key)
	})
}

func (s *fullSimulator) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	return value(ctx, s.simulator, GetPrivateDataHash, func() ([]byte, error) {
		return s.full.GetPrivateDataHash(ctx, namespace, collection, key)
	})
}

func (s *fullSimulator) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	return s.call(ctx, SetPrivateData, func() error { return s.full.SetPrivateData(ctx, namespace, collection, key, value) })
}

func (s *fullSimulator) DeletePrivateData(ctx context.Context, namespace, collection, key string) error {
	return s.call(ctx, DeletePrivateData, func() error { return s.full.DeletePrivateData(ctx, namespace, collection, key) })
}

func (s *fullSimulator) PurgePrivateData(ctx context.Context, namespace, collection, key string) error {
	return s.call(ctx, PurgePrivateData, func() error { return s.full.PurgePrivateData(ctx, namespace, collection, key) })
}

func (s *fullSimulator) GetPrivateDataRange(ctx context.Context, namespace, collection string, r ledger.Range) (ledger.Iterator, error) {
	return s.openPrivate(ctx, GetPrivateDataRange, func() (results[ledger.KV], error) {
		return s.full.GetPrivateDataRange(ctx, namespace, collection, r)
	})
}

func (s *fullSimulator) ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (ledger.Iterator, error) {
	return s.openPrivate(ctx, ExecuteQueryOnPrivateData, func() (results[ledger.KV], error) {
		return s.full.ExecuteQueryOnPrivateData(ctx, namespace, collection, query)
	})
}

func (s *fullSimulator) openPrivate(ctx context.Context, method Method, open func() (results[ledger.KV], error)) (ledger.Iterator, error) {
	it, err := opened(ctx, s.simulator, method, open)
	if it == nil {
		return nil, err
	}
	return it, nil
}

func (s *fullSimulator) GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error) {
	return value(ctx, s.simulator, GetPrivateDataMetadata, func() (map[string][]byte, error) {
		return s.full.GetPrivateDataMetadata(ctx, namespace, collection, key)
	})
}

func (s *fullSimulator) SetPrivateDataMetadata(ctx context.Context, namespace, collection, key string, metadata map[string][]byte) error {
	return s.call(ctx, SetPrivateDataMetadata, func() error {
		return s.full.SetPrivateDataMetadata(ctx, namespace, collection, key, metadata)
	})
}

// queryIterator is an iterator over a rich query's results.
type queryIterator struct {
	*iterator[ledger.KV]
	query ledger.QueryIterator
}

var _ ledger.QueryIterator = (*queryIterator)(nil)

func (it *queryIterator) Bookmark(ctx context.Context) (string, error) {
	it.wantOpen(Bookmark)
	return value(ctx, it.sim, Bookmark, func() (string, error) { return it.query.Bookmark(ctx) })
}

func (s *definedSimulator) GetCollectionConfig(ctx context.Context, namespace, collection string) (*ledger.CollectionConfig, error) {
	return value(ctx, s.simulator, GetCollectionConfig, func() (*ledger.CollectionConfig, error) {
		return s.definitions.GetCollectionConfig(ctx, namespace, collection)
	})
}
