package main

import (
	"context"
	"net"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/peer"
)

// home is where the chaincode of one peer runs: what it connects to, and who certifies it.
type home struct {
	node     *node
	name     string     // the peer's
	mspID    string     // of its organization
	cfg      nodeConfig // the node's, but for where chaincode connects to
	listener net.Listener
	config   chaincodesupport.Config
	auth     *accesscontrol.Authenticator // of chaincode; nil: it connects in plaintext
	attached map[string]*attach.Runtime   // what waits for chaincodes that are started by hand, by name
	support  *chaincodesupport.ChaincodeSupport
}

// settle makes the homes of all peers. The first one is where the node is configured to listen, the others are on any port.
func (n *node) settle(ctx context.Context) error {
	for _, o := range n.cfg.members() {
		for i := range o.Peers {
			h := &home{node: n, name: peerName(i, o.MSPID), mspID: o.MSPID, cfg: n.cfg, attached: map[string]*attach.Runtime{}}
			if len(n.cfg.members()) > 1 || o.Peers > 1 {
				h.cfg.log = n.cfg.log.Named(h.name) // whose chaincode it is
			}
			if len(n.homes) > 0 {
				h.cfg.listen = n.cfg.listen.next(h.name)
				h.cfg.advertise.port = ""
			}
			var err error
			if h.listener, h.cfg.listen, err = h.cfg.listen.listen(ctx); err != nil {
				return err
			}
			if n.homes = append(n.homes, h); len(n.homes) == 1 {
				n.cfg.listen = h.cfg.listen
			}
		}
	}
	return nil
}

// next is where the chaincode of another peer connects to.
func (a address) next(peerName string) address {
	if a.network == "unix" {
		return address{a.network, a.address + "." + peerName}
	}
	host, _, _ := net.SplitHostPort(a.address) // which parseAddress has made
	return address{a.network, net.JoinHostPort(host, "0")}
}

// prepare says how chaincode is run. Chaincode that dials the peer proves by mutual TLS that it is the one that was launched.
func (h *home) prepare(ctx context.Context) (err error) {
	cfg := h.cfg.support
	if !h.cfg.plaintext {
		if h.auth, err = accesscontrol.New(accesscontrol.Config{Hosts: h.cfg.hosts(), Logger: h.cfg.log}); err != nil {
			return err
		}
		cfg.Credentials, cfg.Identify = h.auth.ServerCredentials(), h.auth.Identify
	}
	runtimes, err := h.runtimes(ctx)
	if err != nil {
		return err
	}
	policies := map[string]chaincodesupport.RestartPolicy{}
	for _, c := range h.cfg.chaincodes {
		policies[c.id] = c.restart
	}
	cfg.Runtimes = chaincodesupport.RuntimesFunc(func(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
		if rt := runtimes[chaincodeID]; rt != nil {
			return rt, nil
		}
		return nil, chaincodesupport.ErrNoRuntime
	})
	cfg.Restart = func(chaincodeID string) chaincodesupport.RestartPolicy { return policies[chaincodeID] }
	cfg.Definitions = chaincodesupport.DefinitionsFunc(h.node.undefined)
	cfg.CollectionStore = collectionStore{h.node}
	cfg.Logger = h.cfg.log
	if h.cfg.trace != nil {
		h.cfg.trace.hook(&cfg.Hooks)
	}
	// Chaincode that is attached may come before it is called. Its certificate says which one it is.
	cfg.DevMode = h.cfg.dev || len(h.attached) > 0
	h.config = cfg
	return nil
}

// open serves chaincode that dials the peer.
func (h *home) open(p *peer.Peer) {
	h.support = p.Support()
	n, l := h.node, h.listener
	h.listener = nil
	n.serving.Go(func() {
		defer n.ended.Do(func() { close(n.served) })
		// The node may end before this has begun.
		if err := h.support.Serve(l); err != nil && !errors.Is(err, chaincodesupport.ErrClosed) {
			h.cfg.log.Error("chaincode can't connect any more", zap.String("peer", h.name), zap.String("error", err.Error()))
		}
	})
}

// homes are those of all peers.
type homes []*home

// close ends the chaincode of all peers.
func (all homes) close(ctx context.Context) error {
	errs := make([]error, len(all))
	var closing sync.WaitGroup
	for i, h := range all {
		if h.listener != nil {
			_ = h.listener.Close() // it was never served
		}
		if h.support != nil {
			closing.Go(func() { errs[i] = h.support.Close(ctx) })
		}
	}
	closing.Wait()
	for _, h := range all {
		h.node.serving.Wait()
		if h.auth != nil {
			h.auth.Flush()
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// detach ends what waits for chaincodes that are started by hand.
func (all homes) detach() error {
	var first error
	for _, h := range all {
		if err := h.detach(); first == nil {
			first = err
		}
	}
	return first
}
