package shim

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Chaincode is what you write. Both methods are called for any number of transactions at once. A nil response, and a panic,
// count as status 500.
type Chaincode interface {
	// Init prepares the chaincode's state. As in Fabric, a status of 500 or more fails the transaction, and only the
	// response's message is reported.
	Init(stub ChaincodeStubInterface) *Response
	// Invoke runs a transaction. What it writes is committed only if the transaction is committed.
	Invoke(stub ChaincodeStubInterface) *Response
}

// ChaincodeStubInterface is what one transaction may ask of its peer. It is valid until Init or Invoke returns. Its names
// and meanings are those of Fabric's own shim.
//
// Make one request at a time. Slices and messages that the stub returns belong to the chaincode. The transaction's own input
// is an exception: arguments, creator, transient map and decorations must not be modified. The stub doesn't keep slices that
// it is given. If the peer answers with an error, the error has the peer's text.
type ChaincodeStubInterface interface {
	// GetArgs returns the transaction's arguments. The first one is the function's name.
	GetArgs() [][]byte
	// GetStringArgs returns the arguments as strings.
	GetStringArgs() []string
	// GetFunctionAndParameters returns the first argument, or "" if there is none, and the others, all as strings.
	GetFunctionAndParameters() (function string, params []string)
	// GetArgsSlice returns the arguments joined without separators.
	GetArgsSlice() ([]byte, error)

	// GetTxID returns the transaction's ID.
	GetTxID() string
	// GetChannelID returns the channel that the chaincode runs on. For a chaincode that was called by another, it is the
	// channel of the call.
	GetChannelID() string
	// GetCreator returns the marshalled SerializedIdentity of the client that submitted the transaction. Without a proposal
	// it is nil.
	GetCreator() ([]byte, error)
	// GetTransient returns the proposal's transient map, which is not recorded. Without a proposal it is nil.
	GetTransient() (map[string][]byte, error)
	// GetBinding returns SHA-256(nonce, creator, epoch): 32 bytes that bind data to the proposal. Without a proposal it is
	// nil.
	GetBinding() ([]byte, error)
	// GetDecorations returns what the peer added to the chaincode's input, by name. It is nil if the peer added nothing.
	GetDecorations() map[string][]byte
	// GetSignedProposal returns the proposal. It is nil if the peer sent none.
	GetSignedProposal() (*pb.SignedProposal, error)
	// GetTxTimestamp returns when the client made the proposal, by the client's clock. It is the same on every peer.
	GetTxTimestamp() (*timestamppb.Timestamp, error)

	// GetState returns a key's committed value, which is empty if the key is absent. A transaction does not see its own
	// writes.
	GetState(key string) ([]byte, error)
	// GetMultipleStates returns the keys' committed values in the order of the keys, nil for an absent key. It makes as few
	// requests as the peer allows. If the peer does not offer GET_STATE_MULTIPLE, that is one for each key. Without keys it
	// returns nil.
	GetMultipleStates(keys ...string) ([][]byte, error)
	// PutState writes a value. The key must not be empty. An empty value deletes the key.
	PutState(key string, value []byte) error
	// DelState deletes a key. It is no error to delete an absent key.
	DelState(key string) error
	// SetStateValidationParameter sets a key's own endorsement policy: a marshalled policy of Fabric's.
	SetStateValidationParameter(key string, ep []byte) error
	// GetStateValidationParameter returns a key's committed endorsement policy, or nil if the key has none of its own.
	GetStateValidationParameter(key string) ([]byte, error)
	// GetStateByRange returns the keys in [startKey, endKey) in byte order. An empty startKey is the first simple key;
	// composite keys come before that. An empty endKey is the end. Close the iterator after use.
	GetStateByRange(startKey, endKey string) (StateQueryIteratorInterface, error)
	// GetStateByRangeWithPagination returns one page of at most pageSize keys, and the bookmark with which the next page
	// begins. The first page's bookmark is "". Fabric allows this only in a transaction that writes nothing.
	GetStateByRangeWithPagination(startKey, endKey string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetStateByPartialCompositeKey returns the composite keys that begin with objectType and attributes.
	GetStateByPartialCompositeKey(objectType string, attributes []string) (StateQueryIteratorInterface, error)
	// GetStateByPartialCompositeKeyWithPagination returns one page of the composite keys that begin with objectType and
	// attributes. Pages work as in GetStateByRangeWithPagination.
	GetStateByPartialCompositeKeyWithPagination(objectType string, attributes []string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetAllStatesCompositeKeyWithPagination returns one page of all composite keys. Pages work as in
	// GetStateByRangeWithPagination.
	GetAllStatesCompositeKeyWithPagination(pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// CreateCompositeKey joins objectType and attributes to a key, as the function CreateCompositeKey does.
	CreateCompositeKey(objectType string, attributes []string) (string, error)
	// SplitCompositeKey takes apart a key that CreateCompositeKey has made.
	SplitCompositeKey(compositeKey string) (objectType string, attributes []string, err error)
	// GetQueryResult returns what a query in the state database's own language finds. When the transaction is validated, its
	// results are not checked again, as those of ranges are. A ledger without such a language refuses it.
	GetQueryResult(query string) (StateQueryIteratorInterface, error)
	// GetQueryResultWithPagination returns one page of what a query finds. Pages work as in GetStateByRangeWithPagination.
	GetQueryResultWithPagination(query string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetHistoryForKey returns a key's modifications by valid transactions. The newest comes first.
	GetHistoryForKey(key string) (HistoryQueryIteratorInterface, error)

	// StartWriteBatch holds the transaction's writes back, including those of private data and of validation parameters.
	// They go to the peer together: at FinishWriteBatch, or when Init or Invoke has returned, whatever status it returned.
	// (If an Init fails, or a function panics, they don't go.) If a key is written several times, only the last write goes.
	// The peer's objection to a write is not returned by the write then, but by what sends the batch.
	//
	// If the peer offers no batches, this has no effect: writes go one by one.
	StartWriteBatch()
	// FinishWriteBatch sends what has been written since StartWriteBatch, in the order in which the keys were first written,
	// in as few requests as the peer allows. The batch is over then, even after an error, when some of its writes may have
	// reached the peer. Without a batch it does nothing.
	FinishWriteBatch() error

	// GetPrivateData returns the committed value of a key in a collection, which is empty if the key is absent.
	GetPrivateData(collection, key string) ([]byte, error)
	// GetMultiplePrivateData returns the committed values of a collection's keys, in the order of the keys, nil for an
	// absent key. It makes as few requests as the peer allows.
	GetMultiplePrivateData(collection string, keys ...string) ([][]byte, error)
	// GetPrivateDataHash returns the SHA-256 of a key's committed value, which is empty if the key is absent. Peers that do
	// not hold the collection's data know it, too.
	GetPrivateDataHash(collection, key string) ([]byte, error)
	// PutPrivateData writes a value to a collection. The transaction records only its hash. The key must not be empty. An
	// empty value deletes the key.
	PutPrivateData(collection, key string, value []byte) error
	// DelPrivateData deletes a key from a collection's state. Earlier values stay in the private data's history.
	DelPrivateData(collection, key string) error
	// PurgePrivateData deletes a key from a collection's state and, in time, every earlier value of it.
	PurgePrivateData(collection, key string) error
	// SetPrivateDataValidationParameter sets the endorsement policy of a collection's key: a marshalled policy of Fabric's.
	SetPrivateDataValidationParameter(collection, key string, ep []byte) error
	// GetPrivateDataValidationParameter returns the committed endorsement policy of a collection's key, or nil if the key
	// has none of its own.
	GetPrivateDataValidationParameter(collection, key string) ([]byte, error)
	// GetPrivateDataByRange returns a collection's keys in [startKey, endKey) in byte order. An empty startKey is the first
	// simple key, and an empty endKey the end. Close the iterator after use.
	GetPrivateDataByRange(collection, startKey, endKey string) (StateQueryIteratorInterface, error)
	// GetPrivateDataByPartialCompositeKey returns a collection's composite keys that begin with objectType and attributes.
	GetPrivateDataByPartialCompositeKey(collection, objectType string, attributes []string) (StateQueryIteratorInterface, error)
	// GetPrivateDataQueryResult returns what a query finds in a collection, in the state database's own language.
	GetPrivateDataQueryResult(collection, query string) (StateQueryIteratorInterface, error)

	// InvokeChaincode calls another chaincode within this transaction. It is called on the same channel if channel is "" or
	// that channel's name. A call on another channel only reads: its writes are not committed. The response is never nil. If
	// the call itself fails, its status is 500, and its payload is the error's text, as in Fabric.
	InvokeChaincode(chaincodeName string, args [][]byte, channel string) *Response

	// SetEvent sets the transaction's event, and replaces one that was set before. The name must not be empty. Only the
	// event of the chaincode that the client called is recorded. That of a chaincode which this one called is dropped.
	SetEvent(name string, payload []byte) error
}

// CommonIteratorInterface is what all iterators have in common. An iterator belongs to one transaction, and each of its
// calls is a request of that transaction.
type CommonIteratorInterface interface {
	// HasNext reports whether Next has something to return: a result, or the error with which fetching one has failed.
	HasNext() bool
	// Close releases the iterator. Closing it again, or after the transaction, does nothing.
	Close() error
}

// StateQueryIteratorInterface iterates over keys and their values.
type StateQueryIteratorInterface interface {
	CommonIteratorInterface
	// Next returns the next key and value. After the last one it returns an error.
	Next() (*pb.KV, error)
}

// HistoryQueryIteratorInterface iterates over a key's history.
type HistoryQueryIteratorInterface interface {
	CommonIteratorInterface
	// Next returns the next modification. After the last one it returns an error.
	Next() (*pb.KeyModification, error)
}
