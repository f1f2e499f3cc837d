package devnet

import (
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/deliver"
	"github.com/ccpeer/ccpeer/peer/server"
)

// services are those of one peer.
type services struct {
	server.Services
	options []grpc.ServerOption
	closers []func()
}

// servicesOf makes a peer's. Each peer speaks for the orderer, too. Older clients are told of the first one only: they trust an orderer
// if its certificate is of the organization that the channel's configuration has for it, which is the first one.
func (r *Running) servicesOf(p *peer.Peer) (s services, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	own := r.Endpoint(p.Name()).Address
	gateway, err := peer.NewGateway(r.network, p, peer.GatewayConfig{Address: r.address, OrdererAddress: own})
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, gateway.Close)
	blocks, err := p.Deliver(peer.DeliverConfig{MutualTLS: r.cfg.MutualTLS && !r.cfg.Plaintext})
	if err != nil {
		return s, err
	}
	orderer, err := p.AtomicBroadcast(r.network.Orderer(), blocks)
	if err != nil {
		return s, err
	}
	// With mutual TLS, Fabric means to compare the hash of the certificate that requests have. But it doesn't, and so there may be
	// clients that have none, or another one.
	discovery, err := peer.NewDiscovery(r.network, p, peer.DiscoveryConfig{Address: r.address, Orderers: []string{r.endpoints[0].Address}})
	if err != nil {
		return s, err
	}
	s.Services = server.Services{Gateway: gateway, Deliver: blocks, Endorser: p, AtomicBroadcast: orderer, Discovery: discovery}
	s.options = append(s.options, deliver.ServerOption())
	return s, nil
}

func (r *Running) address(peerName string) string { return r.Endpoint(peerName).Address }

func (s *services) close() {
	for _, c := range s.closers {
		c()
	}
	s.closers = nil
}
