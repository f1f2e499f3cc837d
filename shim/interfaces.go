package shim

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Chaincode is what a chaincode's author writes. Both methods are called for any number of transactions at once.
// A nil response, and a panic, count as status 500.
type Chaincode interface {
	// Init prepares the chaincode's state. A status of 500 or more fails the transaction with the response's message
	// alone, as in Fabric.
	Init(stub ChaincodeStubInterface) *Response
	// Invoke runs a transaction. What it writes is committed only if the transaction is.
	Invoke(stub ChaincodeStubInterface) *Response
}

// ChaincodeStubInterface is what one transaction may ask of its peer. It is valid until Init or Invoke returns.
// Its names and meanings are those of Fabric's own shim.
//
// Requests are made one at a time. Slices and messages that it returns belong to the chaincode, but for the
// transaction's own input (arguments, creator, transient map, decorations), which must not be modified; slices that
// it is given are not kept. An error that the peer answers with has the peer's text.
type ChaincodeStubInterface interface {
	// GetArgs returns the transaction's arguments, the function's name first.
	GetArgs() [][]byte
	// GetStringArgs returns the arguments as strings.
	GetStringArgs() []string
	// GetFunctionAndParameters returns the first argument, "" if there is none, and the others as strings.
	GetFunctionAndParameters() (function string, params []string)
	// GetArgsSlice returns the arguments joined without separators.
	GetArgsSlice() ([]byte, error)

	// GetTxID returns the transaction's ID.
	GetTxID() string
	// GetChannelID returns the channel that the chaincode runs on, for a called chaincode the one it was called on.
	GetChannelID() string
	// GetCreator returns the marshalled SerializedIdentity of who submitted the transaction; nil without a proposal.
	GetCreator() ([]byte, error)
	// GetTransient returns the proposal's transient map, which is not recorded; nil without a proposal.
	GetTransient() (map[string][]byte, error)
	// GetBinding returns SHA-256(nonce, creator, epoch), 32 bytes that bind data to the proposal; nil without one.
	GetBinding() ([]byte, error)
	// GetDecorations returns what the peer added to the chaincode's input, by name; nil if nothing.
	GetDecorations() map[string][]byte
	// GetSignedProposal returns the proposal; nil if the peer sent none.
	GetSignedProposal() (*pb.SignedProposal, error)
	// GetTxTimestamp returns when the client made the proposal, by the client's clock: the same on every peer.
	GetTxTimestamp() (*timestamppb.Timestamp, error)

	// GetState returns a key's committed value, empty if the key is absent. A transaction does not see its own writes.
	GetState(key string) ([]byte, error)
	// GetMultipleStates returns the keys' committed values in the keys' order, nil for an absent key. It takes as few
	// requests as the peer allows: one a key if it does not offer GET_STATE_MULTIPLE. Without keys it returns nil.
	GetMultipleStates(keys ...string) ([][]byte, error)
	// PutState writes a value. The key must not be empty; an empty value deletes the key.
	PutState(key string, value []byte) error
	// DelState deletes a key. Deleting an absent one is no error.
	DelState(key string) error
	// SetStateValidationParameter sets a key's own endorsement policy, a marshalled policy of Fabric's.
	SetStateValidationParameter(key string, ep []byte) error
	// GetStateValidationParameter returns a key's committed endorsement policy, nil if it has none of its own.
	GetStateValidationParameter(key string) ([]byte, error)
	// GetStateByRange returns the keys in [startKey, endKey) in byte order. An empty startKey is the first simple key
	// (composite ones lie before it), an empty endKey the end. The iterator must be closed.
	GetStateByRange(startKey, endKey string) (StateQueryIteratorInterface, error)
	// GetStateByRangeWithPagination returns one page of at most pageSize keys, and the bookmark that the next page
	// starts from; the first page's is "". Fabric allows it only in a transaction that writes nothing.
	GetStateByRangeWithPagination(startKey, endKey string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetStateByPartialCompositeKey returns the composite keys that begin with objectType and attributes.
	GetStateByPartialCompositeKey(objectType string, attributes []string) (StateQueryIteratorInterface, error)
	// GetStateByPartialCompositeKeyWithPagination returns one page of them, see GetStateByRangeWithPagination.
	GetStateByPartialCompositeKeyWithPagination(objectType string, attributes []string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetAllStatesCompositeKeyWithPagination returns one page of all composite keys, see GetStateByRangeWithPagination.
	GetAllStatesCompositeKeyWithPagination(pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// CreateCompositeKey joins objectType and attributes to a key, see the function CreateCompositeKey.
	CreateCompositeKey(objectType string, attributes []string) (string, error)
	// SplitCompositeKey is the reverse of CreateCompositeKey.
	SplitCompositeKey(compositeKey string) (objectType string, attributes []string, err error)
	// GetQueryResult returns what a query in the state database's own language finds. Its results are not checked again
	// when the transaction is validated, as those of ranges are. A ledger without such a language refuses it.
	GetQueryResult(query string) (StateQueryIteratorInterface, error)
	// GetQueryResultWithPagination returns one page of them, see GetStateByRangeWithPagination.
	GetQueryResultWithPagination(query string, pageSize int32, bookmark string) (StateQueryIteratorInterface, *pb.QueryResponseMetadata, error)
	// GetHistoryForKey returns a key's modifications by valid transactions, newest first.
	GetHistoryForKey(key string) (HistoryQueryIteratorInterface, error)

	// StartWriteBatch makes the transaction's writes, those of private data and of validation parameters among them,
	// wait here and go to the peer together: at FinishWriteBatch, or when Init or Invoke has returned, whatever status
	// it returned (but for an Init that fails, and a function that panics). Of several writes of one key the last one
	// goes. What the peer has against a write is not said by the write then, but by what sends the batch.
	//
	// It has no effect if the peer offers no batches: writes then go one by one, as without it.
	StartWriteBatch()
	// FinishWriteBatch sends what has been written since StartWriteBatch, in the order in which the keys were first
	// written, in as few requests as the peer allows. The batch is over, also after an error; some of its writes may
	// have reached the peer then. Without a batch it does nothing.
	FinishWriteBatch() error

	// GetPrivateData returns the committed value of a key in a collection, empty if the key is absent.
	GetPrivateData(collection, key string) ([]byte, error)
	// GetMultiplePrivateData is GetMultipleStates for a collection.
	GetMultiplePrivateData(collection string, keys ...string) ([][]byte, error)
	// GetPrivateDataHash returns the SHA-256 of a key's committed value, empty if the key is absent. Peers that do not
	// hold the collection's data know it too.
	GetPrivateDataHash(collection, key string) ([]byte, error)
	// PutPrivateData writes a value to a collection; the transaction records its hash only. See PutState.
	PutPrivateData(collection, key string, value []byte) error
	// DelPrivateData deletes a key from a collection's state. Earlier values stay in the private data's history.
	DelPrivateData(collection, key string) error
	// PurgePrivateData deletes a key from a collection's state and, in time, every earlier value of it.
	PurgePrivateData(collection, key string) error
	// SetPrivateDataValidationParameter is SetStateValidationParameter for a collection.
	SetPrivateDataValidationParameter(collection, key string, ep []byte) error
	// GetPrivateDataValidationParameter is GetStateValidationParameter for a collection.
	GetPrivateDataValidationParameter(collection, key string) ([]byte, error)
	// GetPrivateDataByRange is GetStateByRange for a collection.
	GetPrivateDataByRange(collection, startKey, endKey string) (StateQueryIteratorInterface, error)
	// GetPrivateDataByPartialCompositeKey is GetStateByPartialCompositeKey for a collection.
	GetPrivateDataByPartialCompositeKey(collection, objectType string, attributes []string) (StateQueryIteratorInterface, error)
	// GetPrivateDataQueryResult is GetQueryResult for a collection.
	GetPrivateDataQueryResult(collection, query string) (StateQueryIteratorInterface, error)

	// InvokeChaincode calls another chaincode within this transaction, on the same channel if channel is "" or that
	// channel's name. A call on another channel only reads: its writes are not committed. The response is never
	// nil; if the call itself fails, its status is 500 and its payload the error's text, as in Fabric.
	InvokeChaincode(chaincodeName string, args [][]byte, channel string) *Response

	// SetEvent sets the transaction's event, replacing one that was set before. The name must not be empty. The event
	// of a called chaincode is dropped: only that of the one that the client called is recorded.
	SetEvent(name string, payload []byte) error
}

// CommonIteratorInterface is what all iterators have in common. An iterator belongs to one transaction, and its
// calls are requests of it.
type CommonIteratorInterface interface {
	// HasNext says whether Next has something to return: a result, or the error that fetching it met.
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
