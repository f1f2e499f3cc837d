// Package netfault lets a test break the network: a proxy on the loopback interface between who dials and a TCP server,
// whose connections fail as, and when, the test says.
//
//	p, err := netfault.New(netfault.Config{Target: listener.Addr().String()})
//	… // what dials p.Addr() talks to the listener
//	for _, c := range p.Conns() {
//		c.Set(netfault.Up, netfault.Fault{Blackhole: true})
//	}
//
// Unless told otherwise, a connection passes everything on that its ends can tell each other: bytes, the end of one
// direction, and resets.
package netfault

import (
	"net"
	"slices"
	"sync"

	"github.com/pkg/errors"
)

// Config says what a Proxy stands before. New copies it.
type Config struct {
	// Target is the address of the server, host:port. Required.
	Target string
	// Connected is called with each new connection before any byte has passed, on a goroutine of that connection. Nil:
	// nothing is.
	Connected func(*Conn)
}

// Proxy connects who dials it to a server. It is safe for concurrent use.
type Proxy struct {
	cfg        Config
	listener   net.Listener
	goroutines sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  []*Conn // that are open, the oldest first
}

// New starts a proxy, which is to be closed after use.
func New(cfg Config) (*Proxy, error) {
	if _, _, err := net.SplitHostPort(cfg.Target); err != nil {
		return nil, errors.Wrap(err, "configure proxy")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Wrap(err, "start proxy")
	}
	p := &Proxy{cfg: cfg, listener: l}
	p.goroutines.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Conns returns the connections that are open, the oldest first. The slice is the caller's.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// Close resets every connection, and returns when nothing of the proxy is left.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	conns := slices.Clone(p.conns)
	p.mu.Unlock()
	_ = p.listener.Close() // its only error is that it was closed before
	for _, c := range conns {
		c.Reset()
	}
	p.goroutines.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.goroutines.Go(func() { p.serve(client) })
	}
}

// serve connects a client, and returns when the connection has ended. A client for which there is no server is reset.
func (p *Proxy) serve(client net.Conn) {
	near, ok := client.(*net.TCPConn)
	if !ok {
		_ = client.Close()
		return
	}
	server, err := net.Dial("tcp", p.cfg.Target)
	if err != nil {
		reset(near)
		return
	}
	far, ok := server.(*net.TCPConn)
	if !ok {
		_ = server.Close()
		reset(near)
		return
	}
	c := newConn(near, far)
	if !p.add(c) {
		c.Reset()
		return
	}
	defer p.remove(c)
	if p.cfg.Connected != nil {
		p.cfg.Connected(c)
	}
	c.run()
}

// add makes a connection known, unless the proxy is closed.
func (p *Proxy) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.conns = append(p.conns, c)
	}
	return !p.closed
}

func (p *Proxy) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(other *Conn) bool { return other == c })
}
