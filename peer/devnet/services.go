package devnet

import (
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/server"
)

// services are those of one peer.
type services struct {
	server.Services
	options []grpc.ServerOption
	closers []func()
}

// servicesOf makes a peer's.
func (r *Running) servicesOf(p *peer.Peer) (s services, err error) {
	s.Endorser = p
	return s, nil
}

func (s *services) close() {
	for _, c := range s.closers {
		c()
	}
	s.closers = nil
}
