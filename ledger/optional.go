package ledger

import (
	"context"
	"time"
)

// HistoryReader is implemented by a Simulator whose ledger keeps a history of each key's values. Without it,
// GET_HISTORY_FOR_KEY is answered with "history database is not enabled".
type HistoryReader interface {
	// GetHistoryForKey returns the modifications of a key by valid transactions, newest first.
	GetHistoryForKey(ctx context.Context, namespace, key string) (HistoryIterator, error)
}

// HistoryIterator yields a key's history. The rules of Iterator hold.
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
	// Timestamp is the one of the transaction's proposal.
	Timestamp time.Time
	IsDelete  bool
}

// MultiGetter is implemented by a Simulator that reads many keys quicker than one after the other. Without it,
// GET_STATE_MULTIPLE calls GetState for each key.
type MultiGetter interface {
	// GetStateMultipleKeys returns what GetState would, for each of the keys, in their order. It fails if one of
	// them does.
	GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error)
}

// RichQuerier is implemented by a Simulator whose ledger can search the values. Without it, GET_QUERY_RESULT is
// answered with "ExecuteQuery not supported for leveldb", as by a peer of Fabric that keeps its state in LevelDB.
type RichQuerier interface {
	// ExecuteQuery returns the keys whose values match the query, whose language is the ledger's own.
	ExecuteQuery(ctx context.Context, namespace, query string, p Page) (QueryIterator, error)
}

// Page says which page of a rich query's results is asked for.
type Page struct {
	// Size is how many results the page may have; 0 leaves it to the ledger.
	Size int32
	// Bookmark is where the page begins: what QueryIterator.Bookmark returned after the page before, or "" for the
	// first page.
	Bookmark string
}

// Asked says whether the query is paginated at all: one that is not yields all its results.
func (p Page) Asked() bool { return p.Size != 0 || p.Bookmark != "" }

// QueryIterator yields the results of a rich query; those of one page, if it is paginated.
type QueryIterator interface {
	Iterator
	// Bookmark returns where the next page begins. It is called after Next has returned nil, of a paginated query
	// only.
	Bookmark() string
}

// MetadataState is implemented by a Simulator whose ledger keeps metadata of keys, which is what key-level endorsement
// needs. Without it, GET_STATE_METADATA and PUT_STATE_METADATA are refused.
type MetadataState interface {
	// GetStateMetadata returns a key's metadata, by name; an empty map if there is none. The caller must not modify
	// the map.
	GetStateMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error)
	// SetStateMetadata replaces a key's metadata; an empty map deletes it. The implementation may keep the map.
	SetStateMetadata(ctx context.Context, namespace, key string, metadata map[string][]byte) error
}

// PrivateState is implemented by a Simulator whose ledger keeps private data: values that are in the read/write set as
// hashes only. Without it, requests that name a collection are refused.
//
// What is true of a Simulator's methods is true of these. Whether the transaction's creator may read or write the
// collection is the handler's to ask: see handler.Config.CollectionStore.
type PrivateState interface {
	// GetPrivateData returns the committed value, or nil for a key that is absent. It fails if the hash that is
	// committed is of another value, or of one that this peer does not have.
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

// PrivateMetadataState is MetadataState for private data.
type PrivateMetadataState interface {
	// GetPrivateDataMetadata is GetStateMetadata of a collection's key.
	GetPrivateDataMetadata(ctx context.Context, namespace, collection, key string) (map[string][]byte, error)
	// SetPrivateDataMetadata is SetStateMetadata of a collection's key.
	SetPrivateDataMetadata(ctx context.Context, namespace, collection, key string, metadata map[string][]byte) error
}

// PrivateRichQuerier is RichQuerier for private data, whose queries are never paginated.
type PrivateRichQuerier interface {
	// ExecuteQueryOnPrivateData returns the keys of a collection whose values match the query.
	ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (Iterator, error)
}

// CollectionConfigs is implemented by a Simulator whose ledger knows how chaincodes' collections are defined. Whatever decides
// about access can ask it: see handler.CollectionRequest.
type CollectionConfigs interface {
	// GetCollectionConfig returns the definition of a collection, or nil if there is none. The collections that exist
	// without a definition, _implicit_org_ and an MSP's ID, are nil too. The caller must not modify the result.
	GetCollectionConfig(ctx context.Context, namespace, collection string) (*CollectionConfig, error)
}

// CollectionConfig defines a collection of private data, as Fabric's StaticCollectionConfig does. Its JSON is what Fabric's
// tools read from a file, less the endorsement policy.
type CollectionConfig struct {
	// Name is the collection's; it is unique in its chaincode.
	Name string `json:"name"`
	// Policy says whose members may have the data, such as OR('Org1MSP.member', 'Org2MSP.member').
	Policy string `json:"policy"`
	// RequiredPeerCount and MaxPeerCount say to how many other peers a peer gives the data when it endorses. Nothing in
	// this module does.
	RequiredPeerCount int32 `json:"requiredPeerCount"`
	MaxPeerCount      int32 `json:"maxPeerCount"`
	// BlockToLive is how many blocks after the one that wrote it a value lives; 0 is for ever.
	BlockToLive uint64 `json:"blockToLive"`
	// MemberOnlyRead and MemberOnlyWrite keep the clients of other organizations from reading and writing through
	// chaincode.
	MemberOnlyRead  bool `json:"memberOnlyRead"`
	MemberOnlyWrite bool `json:"memberOnlyWrite"`
}
