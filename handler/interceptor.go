package handler

import (
	"context"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Request is what an interceptor is told of a request of chaincode.
type Request struct {
	// Transaction is the transaction that asks.
	Transaction Transaction
	// Type is the request's message type: GET_STATE, PUT_STATE and so on.
	Type pb.ChaincodeMessage_Type
	// Payload is what is asked, marshalled: NewPayload returns the message that it decodes to. It is not to be modified,
	// nor kept after the request has been served.
	Payload []byte
	// Size is how many bytes the whole message has, or a few more.
	Size int
}

// Transaction is what an interceptor is told of a transaction.
type Transaction struct {
	// Chaincode is the chaincode's name, the namespace in which it runs.
	Chaincode string
	// ChaincodeID is what the chaincode has registered as.
	ChaincodeID string
	// ChannelID and TxID are the transaction.
	ChannelID, TxID string
	// Depth is 0 for a transaction of the peer, and otherwise how many chaincodes called one another to get here.
	Depth int
}

// RequestFunc serves a request, and returns the payload of its answer. An error's text is what the chaincode gets.
type RequestFunc func(ctx context.Context) ([]byte, error)

// RequestInterceptor is put around a request. It calls next, once, from its own goroutine, and returns what next returned; or
// returns something else, or doesn't call next at all: then that is the answer. How long next took and what became of it is the
// request's duration and outcome, and the payload's length is the answer's size. It runs in the worker of the transaction: it may
// wait as long as ctx allows, and a panic of it makes the transaction fail. It is not called for requests of transactions that
// are not running.
type RequestInterceptor func(ctx context.Context, r Request, next RequestFunc) ([]byte, error)

// Execution is what an interceptor is told of an Execute.
type Execution struct {
	// Transaction is the transaction that is run.
	Transaction Transaction
	// Type is INIT or TRANSACTION.
	Type pb.ChaincodeMessage_Type
	// Input is what the chaincode is called with. It is not to be modified.
	Input *pb.ChaincodeInput
}

// TransactionFunc runs a transaction, and returns the chaincode's COMPLETED or ERROR.
type TransactionFunc func(ctx context.Context) (*pb.ChaincodeMessage, error)

// TransactionInterceptor is put around an Execute, those by which chaincode calls chaincode included. What was said of
// RequestInterceptor holds, but for panics: it runs in the goroutine of Execute's caller.
type TransactionInterceptor func(ctx context.Context, e Execution, next TransactionFunc) (*pb.ChaincodeMessage, error)

// intercepted puts interceptors around what serves a request.
func intercepted(all []RequestInterceptor, r Request, serve RequestFunc) RequestFunc {
	for i := len(all) - 1; i >= 0; i-- {
		intercept, next := all[i], serve
		serve = func(ctx context.Context) ([]byte, error) { return intercept(ctx, r, next) }
	}
	return serve
}

// executed puts interceptors around what runs a transaction.
func executed(all []TransactionInterceptor, e Execution, run TransactionFunc) TransactionFunc {
	for i := len(all) - 1; i >= 0; i-- {
		intercept, next := all[i], run
		run = func(ctx context.Context) (*pb.ChaincodeMessage, error) { return intercept(ctx, e, next) }
	}
	return run
}
