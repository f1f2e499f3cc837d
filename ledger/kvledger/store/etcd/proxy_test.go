package etcd_test

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

// proxy stands between a store and a node, and loses or delays what they say to each other.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu     sync.Mutex
	refuse bool // new connections
	links  []*link
}

// link is a connection to the proxy, and the one to the node that belongs to it.
type link struct {
	client, server net.Conn

	mu       sync.Mutex
	hold     bool   // what the client says
	held     []byte // of that
	deaf     bool   // what the client says more is lost
	mute     bool   // what the server says is lost
	answered int    // bytes of the server since then
}

func newProxy(t *testing.T, c *etcdtest.Cluster) *proxy {
	t.Helper()
	target, err := url.Parse(c.Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target.Host}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		for _, l := range p.all() {
			_, _ = l.client.Close(), l.server.Close()
		}
		p.running.Wait()
	})
	return p
}

func (p *proxy) endpoints() []string { return []string{"http://" + p.listener.Addr().String()} }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.target)
		if err != nil || refuse {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		p.links = append(p.links, l)
		p.mu.Unlock()
		p.running.Go(l.up)
		p.running.Go(l.down)
	}
}

func (p *proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links
}

// each changes what becomes of the connections that there are.
func (p *proxy) each(f func(l *link)) {
	for _, l := range p.all() {
		l.mu.Lock()
		f(l)
		l.mu.Unlock()
	}
}

// cut ends them for the client. The server's side stays, and may be told more.
func (p *proxy) cut() {
	for _, l := range p.all() {
		_ = l.client.Close()
	}
}

func (p *proxy) setRefuse(refuse bool) {
	p.mu.Lock()
	p.refuse = refuse
	p.mu.Unlock()
}

// total adds up something of all connections.
func (p *proxy) total(f func(l *link) int) (n int) {
	p.each(func(l *link) { n += f(l) })
	return n
}

func (l *link) up() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		switch {
		case l.deaf:
		case l.hold:
			l.held = append(l.held, buffer[:n]...)
		default:
			_, _ = l.server.Write(buffer[:n])
		}
		l.mu.Unlock()
	}
}

func (l *link) down() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		if l.mute {
			l.answered += n
		} else {
			_, _ = l.client.Write(buffer[:n])
		}
		l.mu.Unlock()
	}
}

// deliver tells the server at last what was held.
func (l *link) deliver() {
	_, _ = l.server.Write(l.held)
	l.held = nil
}

// awaitApplied waits until a key of etcd has a value.
func awaitApplied(t *testing.T, c *etcdtest.Cluster, key, value string) {
	t.Helper()
	client := connect(t, c)
	await(t, func() bool {
		resp, err := client.Get(t.Context(), key)
		return err == nil && len(resp.Kvs) == 1 && string(resp.Kvs[0].Value) == value
	})
}
