package server

import (
	"context"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// errEnding is what clients hear whose streams end with the server.
var errEnding = status.Error(codes.Unavailable, "the peer is stopping")

// calls are those under way. It lets no more in than there may be, and keeps a panic from ending the process.
type calls struct {
	log        *zap.Logger
	refused    loglimit.Lines
	limits     map[string]*places // by service, such as /gateway.Gateway
	over       context.Context    // ends when the server does
	endStreams context.CancelFunc

	mu     sync.Mutex
	ending bool
	counts [2]count
}

// The two kinds of calls.
const (
	unaryCalls = iota
	streamCalls
)

// count is how many calls of a kind are under way.
type count struct {
	n    int
	none chan struct{} // closed when there are none, and will be none any more
}

// places are those of a service's calls.
type places struct {
	limit int64
	taken atomic.Int64
}

func newCalls(cfg *Config) *calls {
	c := &calls{log: cfg.Logger, limits: map[string]*places{}}
	c.over, c.endStreams = context.WithCancel(context.Background())
	for i := range c.counts {
		c.counts[i].none = make(chan struct{})
	}
	for service, n := range map[string]int{
		"/gateway.Gateway": cfg.GatewayConcurrency, "/protos.Endorser": cfg.EndorserConcurrency, "/protos.Deliver": cfg.DeliverConcurrency,
	} {
		if n >= 0 {
			c.limits[service] = &places{limit: int64(n)}
		}
	}
	return c
}

// begin counts a call in. After a nil error the caller must call done.
func (c *calls) begin(ctx context.Context, kind int, method string) (done func(), err error) {
	used(ctx)
	at, err := c.enter(method)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		at.leave()
		return nil, errEnding
	}
	c.counts[kind].n++
	return func() {
		at.leave()
		c.mu.Lock()
		defer c.mu.Unlock()
		n := &c.counts[kind]
		if n.n--; n.n == 0 && c.ending {
			close(n.none)
		}
	}, nil
}

// enter takes a place of a method's service (Fabric: internal/peer/node/grpc_limiters.go).
func (c *calls) enter(method string) (*places, error) {
	service := method[:max(strings.LastIndexByte(method, '/'), 0)]
	at := c.limits[service]
	if at == nil || at.taken.Add(1) <= at.limit {
		return at, nil
	}
	at.leave()
	err := status.Errorf(codes.Unknown, "too many requests for %s, exceeding concurrency limit (%d)", service, at.limit)
	c.refused.Log(c.log, zap.WarnLevel, "refuse call", zap.String("error", status.Convert(err).Message()))
	return nil, err
}

func (p *places) leave() {
	if p != nil {
		p.taken.Add(-1)
	}
}

// unary serves a call with one answer.
func (c *calls) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (out any, err error) {
	done, err := c.begin(ctx, unaryCalls, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer done()
	defer c.recover(info.FullMethod, &err)
	return handle(ctx, in)
}

// stream serves a call whose client or server may send many messages. Its context ends when the server does.
func (c *calls) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	done, err := c.begin(s.Context(), streamCalls, info.FullMethod)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	defer c.recover(info.FullMethod, &err)
	if err = handle(srv, ending{s, ctx}); c.over.Err() != nil && s.Context().Err() == nil {
		return errEnding
	}
	return err
}

// ending is a stream with a context that ends when the server does.
type ending struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (e ending) Context() context.Context { return e.ctx }

// recover makes an error of a panic. It must be deferred.
func (c *calls) recover(method string, err *error) {
	if p := recover(); p != nil {
		c.log.Error("a call panicked", zap.String("method", method), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		*err = status.Errorf(codes.Internal, "the peer panicked in %s", method)
	}
}

// end lets no call in any more, and ends the streams. What it returns is closed when there are no calls of the two kinds.
func (c *calls) end() (unary, streams <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.ending = true
		c.endStreams()
		for _, n := range c.counts {
			if n.n == 0 {
				close(n.none)
			}
		}
	}
	return c.counts[unaryCalls].none, c.counts[streamCalls].none
}

// wait waits until nothing runs any more. It gives up after a while.
func (c *calls) wait(most time.Duration, kinds ...<-chan struct{}) error {
	t := time.NewTimer(most)
	defer t.Stop()
	for _, none := range kinds {
		select {
		case <-none:
		case <-t.C:
			c.mu.Lock()
			defer c.mu.Unlock()
			return errors.Errorf("close server: %d calls are still running, though their contexts have ended", c.counts[unaryCalls].n+c.counts[streamCalls].n)
		}
	}
	return nil
}
