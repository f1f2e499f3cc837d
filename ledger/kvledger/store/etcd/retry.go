package etcd

import (
	"context"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// tries is how many servers may leave a request unanswered within Config.Timeout.
const tries = 6

// retry calls f until it succeeds, fails in a way that will not change, or ctx has ended.
func (s *Store) retry(ctx context.Context, f func(context.Context) error) error {
	return remote.Retry(ctx, answered, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, s.request)
		defer cancel()
		return f(ctx)
	})
}

// readHead returns the head as it is now, and the revision of the cluster at which that is so.
func (s *Store) readHead(ctx context.Context) (record, int64, error) {
	var r record
	var revision int64
	err := s.retry(ctx, func(ctx context.Context) error {
		resp, err := s.client.Get(clientv3.WithRequireLeader(ctx), s.keys.head)
		if err != nil {
			return err
		}
		if len(resp.Kvs) == 0 {
			return errors.Wrapf(ErrForeign, "%q is missing", s.keys.head)
		}
		r, err = decodeRecord(resp.Kvs[0])
		revision = resp.Header.Revision
		return err
	})
	if err != nil {
		return r, 0, errors.Wrap(err, "read head")
	}
	s.note(r, revision)
	return r, revision, nil
}

// answered reports whether an error is a server's answer, which would be the same at the next try and on another server. If
// it isn't, the request may have been carried out, or may be later.
func answered(err error) bool {
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrFormat) {
		return true
	}
	var coded rpctypes.EtcdError
	code := status.Code(err)
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition,
		codes.OutOfRange, codes.Unimplemented, codes.DataLoss:
		return true
	case codes.ResourceExhausted:
		return !errors.Is(err, rpctypes.ErrTooManyRequests)
	}
	return false
}
