package server

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// door lets connections in. It sees to it that there are no more than there may be, and that those which say nothing don't stay.
type door struct {
	cfg *Config
	log loglimit.Lines

	mu       sync.Mutex
	open     int
	arriving map[*place]net.Conn // those in their handshakes: gRPC's server can't end these
	closed   bool
}

func newDoor(cfg *Config) *door { return &door{cfg: cfg, arriving: map[*place]net.Conn{}} }

// place is that of one connection.
type place struct {
	door   *door
	unused *time.Timer // hangs up on it
	calls  atomic.Bool // whether it has had a call
	left   bool        // guarded by the door's mu
}

// enter gives a connection its place, before its handshake.
func (d *door) enter(raw net.Conn) (*place, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nil, errors.New("the server is closed")
	case d.open >= d.cfg.MaxConnections:
		return nil, errors.Errorf("there are too many connections: %d is the limit (Limits.MaxConnections)", d.cfg.MaxConnections)
	}
	p := &place{door: d}
	p.unused = time.AfterFunc(d.cfg.UnusedTimeout, func() { _ = raw.Close() })
	d.open++
	d.arriving[p] = raw
	return p, nil
}

// arrived is called when the handshakes are over.
func (p *place) arrived() {
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	delete(p.door.arriving, p)
}

// leave gives the place back.
func (p *place) leave() {
	d := p.door
	d.mu.Lock()
	defer d.mu.Unlock()
	p.unused.Stop()
	delete(d.arriving, p)
	if !p.left {
		p.left = true
		d.open--
	}
}

// used lets the connection of a call stay.
func used(ctx context.Context) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	if at, ok := p.LocalAddr.(placeAddr); ok && !at.place.calls.Swap(true) {
		at.place.unused.Stop()
	}
}

// close lets nobody in any more, and ends connections that are in their handshakes.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, raw := range d.arriving {
		_ = raw.Close() // whoever reads from it hears of it
	}
}

// refuse logs why a connection has come to nothing.
func (d *door) refuse(raw net.Conn, err error) {
	d.log.Log(d.cfg.Logger, zap.WarnLevel, "refuse connection", zap.Stringer("client", raw.RemoteAddr()), zap.String("error", err.Error()))
}

// guarded are credentials whose connections come in by the door.
type guarded struct {
	credentials.TransportCredentials
	door *door
}

var _ credentials.TransportCredentials = guarded{}

// ServerHandshake implements credentials.TransportCredentials.
func (g guarded) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p, err := g.door.enter(raw)
	if err != nil {
		g.door.refuse(raw, err)
		return nil, nil, err
	}
	c, info, err := g.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		p.leave()
		g.door.refuse(raw, explain(err))
		return nil, nil, err
	}
	v := &visitor{Conn: c, place: p}
	// If the connection ends before gRPC has begun with it, gRPC closes only the raw one.
	runtime.AddCleanup(v, (*place).leave, p)
	return v, info, nil
}

// Clone implements credentials.TransportCredentials.
func (g guarded) Clone() credentials.TransportCredentials {
	return guarded{g.TransportCredentials.Clone(), g.door}
}

// explain says what a failed handshake probably means.
func explain(err error) error {
	if header := (tls.RecordHeaderError{}); errors.As(err, &header) {
		return errors.Wrap(err, "this port speaks TLS, and the client doesn't: it may want a grpcs:// address or TLS credentials")
	}
	alert := new(net.OpError)
	if errors.Is(err, io.EOF) || errors.As(err, &alert) && alert.Op == "remote error" {
		return errors.Wrap(err, "the client ends the handshake: it may not trust this peer's certificate, or may look for another name in it")
	}
	return err
}

// preface is how many bytes a client of HTTP/2 sends before the first call: its greeting, and the head of its settings.
const preface = 24 + 9

// visitor is a connection that has a place.
type visitor struct {
	net.Conn
	place *place
	read  int // no more than preface
}

// Read implements net.Conn. Only one goroutine at a time reads from a connection of HTTP/2.
func (v *visitor) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	if v.read >= preface {
		return n, err
	}
	if v.read == 0 && n > 0 && b[0] == tlsHandshake && v.place.door.cfg.TLS == nil {
		v.place.door.refuse(v.Conn, errors.New("this port speaks plaintext, and the client speaks TLS: it may want a grpc:// address or insecure credentials"))
	}
	if v.read += n; v.read >= preface {
		v.place.arrived()
	}
	return n, err
}

// tlsHandshake is the first byte of whoever speaks TLS.
const tlsHandshake = 22

// LocalAddr implements net.Conn. gRPC passes it on to the calls, and nothing else of the connection. So the place is in it.
func (v *visitor) LocalAddr() net.Addr { return placeAddr{v.Conn.LocalAddr(), v.place} }

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.place.leave()
	return v.Conn.Close()
}

// placeAddr is a connection's own address, with its place.
type placeAddr struct {
	net.Addr
	place *place
}
