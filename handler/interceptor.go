package handler

import (
	"context"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Request tells an interceptor about one request of chaincode.
type Request struct {
	// Transaction is the transaction that asks.
	Transaction Transaction
	// Type is the request's message type: GET_STATE, PUT_STATE and so on.
	Type pb.ChaincodeMessage_Type
	// Payload is what is asked for, marshalled. NewPayload returns the message that it decodes to. It must not be modified,
	// nor kept after the request has been served.
	Payload []byte
	// Size is how many bytes the whole message has, or a few more.
	Size int
}

// Transaction tells an interceptor about a transaction.
type Transaction struct {
	// Chaincode is the chaincode's name, the namespace in which it runs.
	Chaincode string
	// ChaincodeID is what the chaincode has registered as.
	ChaincodeID string
	// ChannelID and TxID identify the transaction.
	ChannelID, TxID string
	// Depth is how many chaincodes called one another to get here. It is 0 for a transaction that the peer started.
	Depth int
}

// RequestFunc serves a request, and returns the payload of its answer. Chaincode gets an error's text.
type RequestFunc func(ctx context.Context) ([]byte, error)

// RequestInterceptor runs around a request of chaincode. It calls next once, in its own goroutine, and returns what next
// returned. It may also return something else, or not call next at all. What it returns is the answer.
//
// How long next took is the request's duration. What next returned is its outcome, and the payload's length is the answer's
// size. The interceptor runs in the transaction's worker. It may wait as long as ctx allows, and if it panics the
// transaction fails. It is not called for requests of transactions that are not running.
type RequestInterceptor func(ctx context.Context, r Request, next RequestFunc) ([]byte, error)

// Execution tells an interceptor about a call of Execute.
type Execution struct {
	// Transaction is the transaction that is run.
	Transaction Transaction
	// Type is INIT or TRANSACTION.
	Type pb.ChaincodeMessage_Type
	// Input is what the chaincode is called with. It must not be modified, nor kept after the transaction has been run: it is
	// used again.
	Input *pb.ChaincodeInput
}

// TransactionFunc runs a transaction, and returns the chaincode's COMPLETED or ERROR.
type TransactionFunc func(ctx context.Context) (*pb.ChaincodeMessage, error)

// TransactionInterceptor runs around a call of Execute, including the calls that chaincode makes of chaincode. It calls next
// once, in its own goroutine, and returns what next returned or something else. It runs in the goroutine of Execute's
// caller, and a panic of it goes to that caller.
//
// Limits.ExecuteTimeout begins with next: what an interceptor does before it is limited by ctx alone.
type TransactionInterceptor func(ctx context.Context, e Execution, next TransactionFunc) (*pb.ChaincodeMessage, error)

// intercepted puts interceptors around a function that serves a request.
func intercepted(all []RequestInterceptor, r Request, serve RequestFunc) RequestFunc {
	for i := len(all) - 1; i >= 0; i-- {
		intercept, next := all[i], serve
		serve = func(ctx context.Context) ([]byte, error) { return intercept(ctx, r, next) }
	}
	return serve
}

// executed puts interceptors around a function that runs a transaction.
func executed(all []TransactionInterceptor, e Execution, run TransactionFunc) TransactionFunc {
	for i := len(all) - 1; i >= 0; i-- {
		intercept, next := all[i], run
		run = func(ctx context.Context) (*pb.ChaincodeMessage, error) { return intercept(ctx, e, next) }
	}
	return run
}
