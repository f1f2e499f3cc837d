package etcd

import (
	"context"
	"fmt"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// etcd doesn't tell how large a value is without sending it. But gRPC sends a message's length before the message, and ends
// a call whose answer is larger than the client takes. So the store asks for little first. If there is more, it knows how
// much, and nothing of that was received.

// littleBytes is how large the answer to a first request may be. It has room for the keys, which come along.
const littleBytes = 2 * remote.LittleBytes

// answerKey is the key under which a context has the limit of an answer, an int.
type answerKey struct{}

// withAnswer limits the answers to requests. More than that is an error that tooLarge knows.
func withAnswer(ctx context.Context, limit int) context.Context {
	return context.WithValue(ctx, answerKey{}, limit)
}

// limitAnswer is a grpc.UnaryClientInterceptor.
func limitAnswer(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if limit, ok := ctx.Value(answerKey{}).(int); ok {
		opts = append(opts[:len(opts):len(opts)], grpc.MaxCallRecvMsgSize(limit))
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// tooLarge returns how large an answer is that was over the limit, or 0 for any other error. gRPC has that in the text only.
func tooLarge(err error) (size int) {
	var coded interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &coded) || coded.GRPCStatus().Code() != codes.ResourceExhausted {
		return 0
	}
	if _, err := fmt.Sscanf(coded.GRPCStatus().Message(), "grpc: received message larger than max (%d vs.", &size); err != nil {
		return 0
	}
	return size
}
