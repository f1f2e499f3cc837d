package dial

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/ccpeer/ccpeer/chaincodesupport/internal/gate"
)

// A chaincode server and its peer are often started together, and nobody says which is there first. So a connection that
// can't be made is tried again. The peer's configuration says for how long. The pauses grow.
//
// Only connecting is tried again. Once there is a connection, the chaincode has been reached, and the peer judges what
// becomes of it. And connecting is tried again only if a server may still come up. A server that has proved to be somebody
// else will be somebody else in a second, too.
//
// Each attempt is a gRPC client of its own. gRPC could try again by itself. But it would not tell when it does, nor what the
// system's error of the last attempt was, which is what the user needs to see.

// The pause between two attempts to connect. A server that is starting takes seconds, and whoever waits for it is looking on:
// it is dialled about every second until that has taken about 10 s. One that isn't there by then may take minutes.
const (
	firstPause = 100 * time.Millisecond
	quickPause = time.Second
	quick      = 16 // how many pauses are no longer than quickPause
	maxPause   = 5 * time.Second
)

// nextPause returns how long to wait before the attempt after n others. It is a random part, at least a half, of what n
// says. So the chaincodes of a server that comes back don't all come at once.
func nextPause(n int) time.Duration {
	var pause time.Duration
	switch {
	case n <= 4: // a larger n would exceed the next case
		pause = firstPause << (n - 1)
	case n <= quick:
		pause = quickPause
	case n <= quick+2:
		pause = quickPause << (n - quick)
	default:
		pause = maxPause
	}
	return pause/2 + rand.N(pause/2+1)
}

// open connects. If that fails it tries again, as long as Config.RetryFor allows and another attempt can help. It returns
// the error of the last attempt.
func (r *Runtime) open(ctx context.Context, chaincodeID string) (*grpc.ClientConn, *stream, error) {
	began := time.Now()
	for attempts := 1; ; attempts++ {
		conn, s, err := r.attempt(ctx)
		pause := nextPause(attempts)
		if err == nil || ctx.Err() != nil || isFinal(err) || time.Since(began)+pause > r.cfg.RetryFor {
			return conn, s, err
		}
		r.cfg.Logger.Named("extcc").Info("no connection to chaincode server, will try again", zap.String("chaincode", chaincodeID),
			zap.String("address", r.cfg.Address), zap.Duration("after", pause), zap.NamedError("cause", err))
		if !sleep(ctx, pause) {
			return nil, nil, errors.WithMessagef(err, "%v; attempt %d", context.Cause(ctx), attempts)
		}
	}
}

// attempt connects once.
func (r *Runtime) attempt(ctx context.Context) (*grpc.ClientConn, *stream, error) {
	failed, g := make(chan error, 1), gate.New()
	conn, err := grpc.NewClient("passthrough:///"+r.cfg.address, r.cfg.dialOptions(failed, g)...)
	if err != nil {
		return nil, nil, err
	}
	s, err := r.connect(ctx, conn, failed)
	if err != nil {
		_ = conn.Close() // its only error is that it was closed before
		return nil, nil, err
	}
	s.gate = g
	return conn, s, nil
}

// isFinal reports whether another attempt is bound to fail as well.
func isFinal(err error) bool {
	var stranger *tls.CertificateVerificationError
	return errors.As(err, &stranger) || errors.Is(err, errRemote)
}

// sleep waits for d. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reporting are credentials that put the first error of a handshake into failed, which has room for it. gRPC's own error has
// only its text.
type reporting struct {
	credentials.TransportCredentials
	failed chan<- error
}

// ClientHandshake implements credentials.TransportCredentials.
func (c reporting) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil && ctx.Err() == nil {
		select {
		case c.failed <- errors.WithMessage(err, "shake hands with "+raw.RemoteAddr().String()):
		default:
		}
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (c reporting) Clone() credentials.TransportCredentials {
	return reporting{c.TransportCredentials.Clone(), c.failed}
}

// guarded are credentials whose connections have a gate: before its chaincode has registered, the server may send no more
// than a REGISTER needs.
type guarded struct {
	credentials.TransportCredentials
	gate *gate.Gate
}

// ClientHandshake implements credentials.TransportCredentials.
func (c guarded) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return c.gate.Guard(conn), info, nil
}

// Clone implements credentials.TransportCredentials.
func (c guarded) Clone() credentials.TransportCredentials {
	return guarded{c.TransportCredentials.Clone(), c.gate}
}
