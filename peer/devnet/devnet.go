// Package devnet serves a whole peer.Network to clients, each peer on an address of its own, as a network of Fabric would be. It is for
// tests, and for programs such as ccpeer serve.
//
//	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{})
//	running, err := devnet.Start(ctx, network, devnet.Config{})
//	endpoint := running.Endpoint("Org1MSP") // where applications connect to, and whom they trust there
//	…
//	err = running.Close(ctx)
//	err = network.Close(ctx)
package devnet

import (
	"context"
	"crypto/x509"
	"net"
	"slices"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/server"
)

// localhost is a name for which every peer's certificate is good.
const localhost = "localhost"

// Config says where a network is served, and how. The zero value chooses free ports on 127.0.0.1, with TLS.
type Config struct {
	// Listeners are where peers listen, by their names, such as peer0.Org1MSP. Start takes them over, also if it fails. A peer that
	// has none gets a free port on 127.0.0.1.
	Listeners map[string]net.Listener
	// Advertised is the host, a name or an IP address, that clients are told to dial, for listeners that they can't be told. Empty:
	// that of the listener.
	Advertised string
	// Hosts are names and addresses by which clients may find the peers, besides Advertised, localhost, the addresses of
	// this machine's loopback interface, and the peers' own names. The peers' TLS certificates are good for them.
	Hosts []string
	// Plaintext leaves TLS out.
	Plaintext bool
	// MutualTLS demands a certificate of each client, such as Network.ClientCertificate makes.
	MutualTLS bool
	// Limits bound what clients can make each peer do.
	Limits server.Limits
	// Logger gets what operators should know. Nil: nothing is logged.
	Logger *zap.Logger
}

// Endpoint is a peer as clients find it.
type Endpoint struct {
	// Peer is the peer's name, and MSPID the ID of its organization's MSP.
	Peer, MSPID string
	// Address is what clients dial, as host:port.
	Address string
	// TLSRoot is the certificate of the CA that clients trust, as PEM. Nil: the peer speaks plaintext.
	TLSRoot []byte
}

// Running is a network that is served. It is safe for concurrent use.
type Running struct {
	network   *peer.Network
	cfg       Config
	endpoints []Endpoint
	peers     []*served
	serving   sync.WaitGroup
}

// served is a peer with its server.
type served struct {
	peer     *peer.Peer
	listener net.Listener
	services services
	server   *server.Server
}

// Start serves all peers of a network. Close what it returns before the network.
func Start(ctx context.Context, network *peer.Network, cfg Config) (*Running, error) {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	r := &Running{network: network, cfg: cfg}
	err := r.listen(ctx)
	if err == nil {
		err = r.prepare()
	}
	if err != nil {
		_ = r.Close(ctx) // the first error says why
		for _, l := range cfg.Listeners {
			_ = l.Close() // some were not anybody's
		}
		return nil, errors.WithMessage(err, "serve network")
	}
	for _, p := range r.peers {
		r.serving.Go(func() {
			if err := p.server.Serve(p.listener); err != nil {
				cfg.Logger.Error("clients can't connect any more", zap.String("peer", p.peer.Name()), zap.String("error", err.Error()))
			}
		})
	}
	return r, nil
}

// listen gives each peer its listener. They are all known before anybody is told where they are.
func (r *Running) listen(ctx context.Context) error {
	left := len(r.cfg.Listeners)
	for _, p := range r.network.Peers() {
		l := r.cfg.Listeners[p.Name()]
		if l != nil {
			left--
		} else {
			var err error
			if l, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
				return errors.Wrap(err, "listen")
			}
		}
		r.peers = append(r.peers, &served{peer: p, listener: l})
		e, err := r.endpoint(p, l)
		if err != nil {
			return err
		}
		r.endpoints = append(r.endpoints, e)
	}
	if left > 0 {
		return errors.New("Config.Listeners has one for a peer that the network doesn't have")
	}
	return nil
}

// endpoint returns where clients find a peer.
func (r *Running) endpoint(p *peer.Peer, l net.Listener) (Endpoint, error) {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return Endpoint{}, errors.Wrapf(err, "address of %s", p.Name())
	}
	if r.cfg.Advertised != "" {
		host = r.cfg.Advertised
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return Endpoint{}, errors.Errorf("%s listens on every address of this machine: say by Config.Advertised which one clients dial", p.Name())
	}
	e := Endpoint{Peer: p.Name(), MSPID: p.MSPID(), Address: net.JoinHostPort(host, port)}
	if !r.cfg.Plaintext {
		e.TLSRoot = r.network.TLSRoot(p.MSPID())
	}
	return e, nil
}

// prepare makes the servers.
func (r *Running) prepare() error {
	clientCAs := r.clientCAs()
	for i, p := range r.peers {
		cfg := server.Config{Limits: r.cfg.Limits, Logger: r.cfg.Logger.Named(p.peer.Name())}
		if !r.cfg.Plaintext {
			certificate, err := r.network.ServerCertificate(p.peer.Name(), r.hosts(i))
			if err != nil {
				return err
			}
			cfg.TLS = &server.TLS{Certificate: certificate, ClientCAs: clientCAs}
		}
		var err error
		if p.services, err = r.servicesOf(p.peer); err != nil {
			return err
		}
		cfg.Services, cfg.Options = p.services.Services, p.services.options
		if p.server, err = server.New(cfg); err != nil {
			return err
		}
	}
	return nil
}

// clientCAs are those of all organizations, if clients need certificates.
func (r *Running) clientCAs() *x509.CertPool {
	if !r.cfg.MutualTLS || r.cfg.Plaintext {
		return nil
	}
	pool := x509.NewCertPool()
	for _, p := range r.peers {
		pool.AppendCertsFromPEM(r.network.TLSRoot(p.peer.MSPID()))
	}
	return pool
}

// hosts are what a peer's certificate is good for, besides its name.
func (r *Running) hosts(peer int) []string {
	host, _, _ := net.SplitHostPort(r.endpoints[peer].Address)
	hosts := append([]string{localhost, "127.0.0.1", "::1", host}, r.cfg.Hosts...)
	if name := exampleName(r.endpoints[peer]); name != "" {
		hosts = append(hosts, name)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Endpoints returns where the peers are, in the network's order.
func (r *Running) Endpoints() []Endpoint { return slices.Clone(r.endpoints) }

// Endpoint returns where a peer is, by its name, or the first one of an organization by the ID of its MSP. It is zero if there is none.
func (r *Running) Endpoint(name string) Endpoint {
	for _, e := range r.endpoints {
		if e.Peer == name || e.MSPID == name {
			return e
		}
	}
	return Endpoint{}
}

// Close ends the servers, but not the network. Calls under way may finish until ctx ends. When it returns, nothing of the servers is
// running, unless the error says so.
func (r *Running) Close(ctx context.Context) error {
	errs := make([]error, len(r.peers))
	var closing sync.WaitGroup
	for i, p := range r.peers {
		closing.Go(func() { errs[i] = p.close(ctx) })
	}
	closing.Wait()
	r.serving.Wait()
	for _, err := range errs {
		if err != nil {
			return errors.WithMessage(err, "close network's servers")
		}
	}
	return nil
}

func (p *served) close(ctx context.Context) error {
	var err error
	if p.server != nil {
		err = p.server.Close(ctx)
	}
	_ = p.listener.Close() // it is closed unless it was never served
	p.services.close()
	return err
}
