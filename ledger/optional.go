package ledger

import (
	"context"
	"time"
)

// HistoryReader is implemented by a Simulator whose ledger keeps a history of each key's values. Without it,
// GET_HISTORY_FOR_KEY is answered with "history database is not enabled".
type HistoryReader interface {
	// GetHistoryForKey returns the modifications of a key by valid transactions. The newest comes first.
	GetHistoryForKey(ctx context.Context, namespace, key string) (HistoryIterator, error)
}

// HistoryIterator yields a key's history. As with Iterator, one goroutine at a time uses it, and it is closed exactly once.
type HistoryIterator interface {
	// Next returns the next modification, or nil after the oldest one. The caller must not modify the result.
	Next(ctx context.Context) (*KeyModification, error)
	// Close releases the iterator.
	Close()
}

// KeyModification is one write of a key, by a valid transaction.
type KeyModification struct {
	TxID string
	// Value is empty for a delete.
	Value []byte
	// Timestamp is the timestamp of the transaction's proposal.
	Timestamp time.Time
	IsDelete  bool
}

// MultiGetter is implemented by a Simulator that can read many keys faster than one after the other. Without it,
// GET_STATE_MULTIPLE calls GetState for each key.
type MultiGetter interface {
	// GetStateMultipleKeys returns for each key, in their order, what GetState would return. It fails if one of them fails.
	GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error)
}

// RichQuerier is implemented by a Simulator whose ledger can search the values. Without it, GET_QUERY_RESULT is answered
// with "ExecuteQuery not supported for leveldb". So does a peer of Fabric that keeps its state in LevelDB.
type RichQuerier interface {
	// ExecuteQuery returns the keys whose values match the query. The query's language is the ledger's own.
	ExecuteQuery(ctx context.Context, namespace, query string, p Page) (QueryIterator, error)
}

// Page says which page of a rich query's results is asked for.
type Page struct {
	// Size is how many results the page may have. 0 leaves it to the ledger.
	Size int32
	// Bookmark is where the page begins. It is what QueryIterator.Bookmark returned after the page before, or "" for the
	// first page.
	Bookmark string
}

// Asked reports whether the query is paginated at all. A query that is not yields all its results.
func (p Page) Asked() bool { return p.Size != 0 || p.Bookmark != "" }

// QueryIterator yields the results of a rich query. If the query is paginated, these are the results of one page.
type QueryIterator interface {
	Iterator
	// Bookmark returns where the next page begins. It is called after Next has returned nil, and only for a paginated query.
	// A bookmark may hold large values. So making one ends with ctx.
	Bookmark(ctx context.Context) (string, error)
}

// Keeper is implemented by an iterator that keeps more in memory than its position, such as a query that was parsed, or
// results that were read together. It is optional for each kind of iterator.
type Keeper interface {
	// Kept returns how many bytes the iterator keeps now. The goroutine that uses the iterator calls it, after Next has
	// returned. It should take no longer than adding a few numbers.
	Kept() int
}

// MetadataState is implemented by a Simulator whose ledger keeps metadata of keys. Key-level endorsement needs it. Without
// it, GET_STATE_METADATA and PUT_STATE_METADATA are refused.
type MetadataState interface {
	// GetStateMetadata returns a key's metadata, by name. If there is none, the map is empty. The caller must not modify it.
	GetStateMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error)
	// SetStateMetadata replaces a key's metadata. An empty map deletes it. The implementation may keep the map.
	SetStateMetadata(ctx context.Context, namespace, key string, metadata map[string][]byte) error
}

// PrivateState is implemented by a Simulator whose ledger keeps private data: values of which the read/write set has only
// hashes. Without it, requests that name a collection are refused.
//
// The rules of Simulator's methods hold for these, too. The simulator does not ask whether the transaction's creator may
// read or write the collection. The handler does, by handler.Hooks.CollectionStore.
type PrivateState interface {
	// GetPrivateData returns the committed value, or nil for a key that is absent. It fails if this peer does not have the
	// value that the committed hash belongs to.
	GetPrivateData(ctx context.Context, namespace, collection, key string) ([]byte, error)
	// GetPrivateDataHash returns the SHA-256 of the committed value, or nil for a key that is absent.
	GetPrivateDataHash(ctx context.Context, namespace, collection, key string) ([]byte, error)
	// SetPrivateData records a write. A nil or empty value is a delete.
	SetPrivateData(ctx context.Context, namespace, collection, key string, value []byte) error
	// DeletePrivateData records a delete.
	DeletePrivateData(ctx context.Context, namespace, collection, key string) error
	// PurgePrivateData records a delete that also removes what is kept of the key's earlier values.
	PurgePrivateData(ctx context.Context, namespace, collection, key string) error
	// GetPrivateDataRange returns the keys of r in byte order. r is never paginated.
	GetPrivateDataRange(ctx context.Context, namespace, collection string, r Range) (Iterator, error)
}

// PrivateMetadataState is implemented by a Simulator whose ledger keeps metadata of private data's keys.
type PrivateMetadataState interface {
	// GetPrivateDataMetadata returns the metadata of a collection's key, by name. If there is none, the map is empty. The
	// caller must not modify it.
	GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error)
	// SetPrivateDataMetadata replaces the metadata of a collection's key. An empty map deletes it. The implementation may
	// keep the map.
	SetPrivateDataMetadata(ctx context.Context, namespace, collection, key string, metadata map[string][]byte) error
}

// PrivateRichQuerier is implemented by a Simulator whose ledger can search the values of private data. These queries are
// never paginated.
type PrivateRichQuerier interface {
	// ExecuteQueryOnPrivateData returns the keys of a collection whose values match the query.
	ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (Iterator, error)
}

// ImplicitCollectionPrefix begins the names of the collections that every chaincode has without a definition, one for each
// organization. The rest of the name is the ID of its MSP (Fabric: core/chaincode/implicitcollection).
const ImplicitCollectionPrefix = "_implicit_org_"

// ValidationParameter is the name of the metadata that is a key's own endorsement policy, a marshalled SignaturePolicyEnvelope
// (Fabric: peer, MetaDataKeys).
const ValidationParameter = "VALIDATION_PARAMETER"

// CollectionConfigs is implemented by a Simulator whose ledger knows how chaincodes' collections are defined. A
// CollectionStore can ask it: handler.CollectionRequest has the simulator.
type CollectionConfigs interface {
	// GetCollectionConfig returns the definition of a collection, or nil if there is none. The collections that exist
	// without a definition are nil, too: see ImplicitCollectionPrefix. The caller must not modify the result.
	GetCollectionConfig(ctx context.Context, namespace, collection string) (*CollectionConfig, error)
}

// CollectionConfig defines a collection of private data, as Fabric's StaticCollectionConfig does. Its JSON is what Fabric's
// tools read from a file, but without the endorsement policy.
type CollectionConfig struct {
	// Name is the collection's name. It is unique in its chaincode.
	Name string `json:"name"`
	// Policy says whose members may have the data, such as OR('Org1MSP.member', 'Org2MSP.member').
	Policy string `json:"policy"`
	// RequiredPeerCount and MaxPeerCount say to how many other peers a peer gives the data when it endorses. Nothing in this
	// module does that.
	RequiredPeerCount int32 `json:"requiredPeerCount"`
	MaxPeerCount      int32 `json:"maxPeerCount"`
	// BlockToLive is how many blocks a value lives after the one that wrote it. 0 is for ever.
	BlockToLive uint64 `json:"blockToLive"`
	// MemberOnlyRead and MemberOnlyWrite keep the clients of other organizations from reading and writing through
	// chaincode.
	MemberOnlyRead  bool `json:"memberOnlyRead"`
	MemberOnlyWrite bool `json:"memberOnlyWrite"`
}
