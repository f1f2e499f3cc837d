package handler_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"strings"

	"github.com/ccpeer/ccpeer/ledger"
)

// fullSimulator has every optional interface. A collection's keys are in the map, under namespace$collection. A query is a
// substring of the values that it finds, its bookmark the key that the next page begins with.
type fullSimulator struct{ *memorySimulator }

var (
	_ ledger.MultiGetter          = fullSimulator{}
	_ ledger.RichQuerier          = fullSimulator{}
	_ ledger.MetadataState        = fullSimulator{}
	_ ledger.PrivateState         = fullSimulator{}
	_ ledger.PrivateMetadataState = fullSimulator{}
	_ ledger.PrivateRichQuerier   = fullSimulator{}
)

func private(namespace, collection string) string { return namespace + "$" + collection }

func (s fullSimulator) GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i], _ = s.GetState(ctx, namespace, key)
	}
	return values, nil
}

func (s fullSimulator) ExecuteQuery(_ context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	it, err := s.GetStateRange(context.Background(), namespace, ledger.Range{Start: p.Bookmark})
	return &memoryQuery{Iterator: it, query: query, left: cmp.Or(int(p.Size), 1<<30)}, err
}

func (s fullSimulator) GetStateMetadata(_ context.Context, namespace, key string) (map[string][]byte, error) {
	return s.m.metadata[namespace+"/"+key], nil
}

func (s fullSimulator) SetStateMetadata(_ context.Context, namespace, key string, metadata map[string][]byte) error {
	for name, value := range metadata {
		s.writes[namespace+"/"+key+"#"+name] = string(value)
	}
	return nil
}

func (s fullSimulator) GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	return s.GetState(ctx, private(namespace, collection), key)
}

func (s fullSimulator) GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error) {
	value, _ := s.GetState(ctx, private(namespace, collection), key)
	if value == nil {
		return nil, nil
	}
	hash := sha256.Sum256(value)
	return hash[:4], nil // enough to be told apart
}

func (s fullSimulator) SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error {
	return s.SetState(ctx, private(namespace, collection), key, value)
}

func (s fullSimulator) DeletePrivateData(ctx context.Context, namespace, collection, key string) error {
	return s.DeleteState(ctx, private(namespace, collection), key)
}

func (s fullSimulator) PurgePrivateData(_ context.Context, namespace, collection, key string) error {
	s.writes[private(namespace, collection)+"/"+key] = "purged"
	return nil
}

func (s fullSimulator) GetPrivateDataRange(ctx context.Context, namespace, collection string, r ledger.Range) (ledger.Iterator, error) {
	return s.GetStateRange(ctx, private(namespace, collection), r)
}

func (s fullSimulator) GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error) {
	return s.GetStateMetadata(ctx, private(namespace, collection), key)
}

func (s fullSimulator) SetPrivateDataMetadata(ctx context.Context, namespace, collection, key string, metadata map[string][]byte) error {
	return s.SetStateMetadata(ctx, private(namespace, collection), key, metadata)
}

func (s fullSimulator) ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (ledger.Iterator, error) {
	return s.ExecuteQuery(ctx, private(namespace, collection), query, ledger.Page{})
}

// memoryQuery yields the values of an iterator that hold the query.
type memoryQuery struct {
	ledger.Iterator
	query    string
	left     int
	bookmark string
}

func (q *memoryQuery) Next(ctx context.Context) (*ledger.KV, error) {
	for {
		kv, err := q.Iterator.Next(ctx)
		if kv == nil || err != nil {
			return nil, err
		}
		if !strings.Contains(string(kv.Value), q.query) {
			continue
		}
		if q.left == 0 {
			q.bookmark = kv.Key
			return nil, nil
		}
		q.left--
		return kv, nil
	}
}

func (q *memoryQuery) Bookmark(context.Context) (string, error) { return q.bookmark, nil }
