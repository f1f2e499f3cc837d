// Package gate bounds what the other end of a connection may send before a chaincode has registered on it.
//
// gRPC has one limit for all messages of a server, and a message of 100 MiB is fine once a chaincode has registered. gRPC
// keeps what has come of a message until the rest is there. So strangers could make a peer keep 100 MiB each, for nothing.
// REGISTER has a few hundred bytes. Nothing else is due before it is accepted, so the bytes of the connection are counted
// until then.
package gate

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
)

// Limit is how many bytes a connection may send before a chaincode has registered on it: a message of 64 KiB, and 16 KiB
// for HTTP/2's own frames and headers.
const Limit = 64<<10 + 16<<10

// farewell is how long the connection lasts after too much has come, so that the other end hears why.
const farewell = time.Second

// ErrExceeded is the error of reading from a connection that has sent too much.
var ErrExceeded = errors.Errorf("more than %d bytes were sent before a chaincode was registered", Limit)

// Gate is that of one connection. It begins closed: what is read is counted. It is safe for concurrent use.
type Gate struct {
	open     atomic.Bool
	read     atomic.Int64    // while it is closed
	exceeded context.Context // ends when that is too much
	exceed   context.CancelCauseFunc
}

// New returns a gate that is closed.
func New() *Gate {
	g := &Gate{}
	g.exceeded, g.exceed = context.WithCancelCause(context.Background())
	return g
}

// Open lets everything through, since a chaincode has been accepted.
func (g *Gate) Open() { g.open.Store(true) }

// Close counts again, from zero.
func (g *Gate) Close() {
	g.read.Store(0)
	g.open.Store(false)
}

// Exceeded ends when more than Limit was read through the closed gate. Its cause is ErrExceeded.
func (g *Gate) Exceeded() context.Context { return g.exceeded }

// Guard returns c with its bytes counted by the gate. After too many, nothing more is read. A second later reading fails.
func (g *Gate) Guard(c net.Conn) net.Conn {
	return &conn{Conn: c, gate: g, closed: make(chan struct{})}
}

// conn is a connection that has a gate.
type conn struct {
	net.Conn
	gate   *Gate
	closed chan struct{}
	once   sync.Once // closes closed
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.gate.open.Load() || c.gate.read.Add(int64(n)) <= Limit {
		return n, err
	}
	c.gate.exceed(ErrExceeded)
	t := time.NewTimer(farewell)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.closed:
	}
	return 0, ErrExceeded
}

// Close implements net.Conn. It also ends a Read that gives the other end its farewell.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
