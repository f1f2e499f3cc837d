package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/devnet"
)

const (
	defaultGateway = "127.0.0.1:7051" // Fabric's port for a peer
	noGateway      = "none"
	// gatewayDrain is how long calls of applications may take to finish when the peer is stopped. One that waits for a transaction
	// to be committed may have to wait for ever.
	gatewayDrain = 3 * time.Second
	// portsBetween is how far apart the ports of peers are, and portsOfOrganization those of organizations at least: Fabric's samples have
	// 7051, 8051, 9051 and 10051.
	portsBetween, portsOfOrganization = 1000, 2000
)

// gateway says where applications connect to. The zero gateway is nowhere.
type gateway struct {
	listen address // of the first peer
	tls    gatewayTLS
}

// gatewayTLS is how applications connect.
type gatewayTLS string

// What --gateway-tls may be.
const (
	tlsOn     gatewayTLS = "on"
	tlsMutual gatewayTLS = "mutual"
	tlsOff    gatewayTLS = "off"
)

func (g gateway) served() bool { return g.listen != address{} }

// parseGateway reads where applications connect to.
func parseGateway(listen, tls setting) (gateway, error) {
	g := gateway{tls: gatewayTLS(tls.text)}
	switch g.tls {
	case tlsOn, tlsMutual, tlsOff:
	default:
		return g, tls.wrong("%s: want on, mutual or off", quote(tls.text))
	}
	if listen.text == noGateway {
		return g, nil
	}
	parse := parseAddress
	if g.tls == tlsOff {
		parse = parseLocalAddress
	}
	var err error
	if g.listen, err = listen.address(parse); err != nil {
		return g, err
	}
	if g.listen.network != "tcp" {
		return g, listen.wrong("%s: Fabric's clients dial host:port: want that, or none", quote(listen.text))
	}
	return g, nil
}

// checkGateway says what is wrong with where applications connect to.
func (c *nodeConfig) checkGateway() error {
	if c.gateway.served() && c.gateway.listen.ip().IsUnspecified() && c.advertise.host == "" {
		return errors.Errorf("address %q is every one that this machine has, and applications have to dial one of them: "+
			"name it with --advertise HOST, or advertise in the configuration file; or listen on one only", c.gateway.listen)
	}
	return nil
}

// listenGateways opens the listeners for applications, by the peers' names: the first peer's port is the one that is configured.
func (c *nodeConfig) listenGateways(ctx context.Context) (listeners map[string]net.Listener, err error) {
	listeners = map[string]net.Listener{}
	if !c.gateway.served() {
		return listeners, nil
	}
	defer func() {
		if err != nil {
			for _, l := range listeners {
				_ = l.Close() // there is an error already
			}
		}
	}()
	host, port, err := net.SplitHostPort(c.gateway.listen.address)
	if err != nil {
		return nil, errors.Wrap(err, "address of applications")
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, errors.Wrap(err, "address of applications")
	}
	for _, o := range c.members() {
		for i := range o.Peers {
			at := address{"tcp", net.JoinHostPort(host, portAfter(first, i*portsBetween))}
			name := peerName(i, o.MSPID)
			if listeners[name], _, err = at.listen(ctx); err != nil {
				delete(listeners, name)
				return listeners, errors.WithMessagef(err, "for applications, at %s", name)
			}
		}
		if first != 0 {
			first += max(o.Peers*portsBetween, portsOfOrganization)
		}
	}
	return listeners, nil
}

// gatewayAddresses are where applications find the peers of each organization, by the ID of its MSP.
func (c *nodeConfig) gatewayAddresses(listeners map[string]net.Listener) map[string][]string {
	all := map[string][]string{}
	for _, o := range c.members() {
		for i := range o.Peers {
			l := listeners[peerName(i, o.MSPID)]
			if l == nil {
				continue
			}
			host, port, err := net.SplitHostPort(l.Addr().String())
			if c.advertise.host != "" {
				host = c.advertise.host
			}
			if err == nil { // a listener of TCP has both
				all[o.MSPID] = append(all[o.MSPID], net.JoinHostPort(host, port))
			}
		}
	}
	return all
}

// portAfter is a port, so many after the first, or any if that is 0.
func portAfter(first, more int) string {
	if first == 0 {
		return "0"
	}
	return strconv.Itoa(first + more)
}

// serveGateways serves applications, and writes the files that they need. The listeners are closed if that fails.
func (n *node) serveGateways(ctx context.Context, listeners map[string]net.Listener) error {
	g := n.cfg.gateway
	var err error
	n.gateways, err = devnet.Start(ctx, n.network, devnet.Config{
		Listeners: listeners, Advertised: n.cfg.advertise.host, Plaintext: g.tls == tlsOff, MutualTLS: g.tls == tlsMutual,
		Limits: n.cfg.gatewayLimits, Logger: n.cfg.log,
	})
	if err != nil {
		return err
	}
	for _, o := range n.cfg.members() {
		for _, user := range applicationUsers {
			if err := n.prepareUser(user + "@" + o.MSPID); err != nil {
				return err
			}
		}
	}
	if n.folder == "" {
		return nil
	}
	if err := n.gateways.WriteProfiles(n.folder); err != nil {
		return err
	}
	return n.gateways.LinkSamples(n.folder, applicationUsers...)
}

// applicationUsers are those of each organization whose files are there from the beginning, as in Fabric's test network.
var applicationUsers = []string{defaultUser, "Admin"}

// defaultUser is who applications are, unless they choose another.
const defaultUser = "User1"

// prepareUser makes the files of a user.
func (n *node) prepareUser(name string) error {
	if _, err := n.network.Client(name, nil); err != nil {
		return err
	}
	if n.cfg.gateway.tls != tlsMutual {
		return nil
	}
	_, err := n.network.ClientCertificate(name)
	return err
}

// keepFiles chooses the folder of identities. With a ledger in memory it is a temporary one, for applications read files.
func (n *node) keepFiles() (err error) {
	n.folder = n.cfg.ledger.identities(n.cfg.log)
	if n.folder == "" && n.cfg.gateway.served() {
		n.folder, err = os.MkdirTemp("", "ccpeer-")
		n.temporary = n.folder
	}
	return errors.Wrap(err, "make folder for identities")
}

// endGateways ends what applications talk to.
func (n *node) endGateways(ctx context.Context) error {
	if n.gateways == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, gatewayDrain)
	defer cancel()
	return n.gateways.Close(ctx)
}

// printGateways prints what whoever has an application must know.
func (n *node) printGateways(w io.Writer, where string) {
	if n.gateways == nil {
		return
	}
	how := map[gatewayTLS]string{tlsOn: "by TLS", tlsMutual: "by mutual TLS", tlsOff: "in plaintext"}[n.cfg.gateway.tls]
	for _, e := range n.gateways.Endpoints() {
		_, _ = fmt.Fprintf(w, "applications of %s connect to %s %s\n", e.MSPID, e.Address, how)
	}
	if n.folder != "" {
		_, _ = fmt.Fprintf(w, "their certificates, keys and connection profiles: %s\n", filepath.Join(n.folder, "organizations"))
	}
	_, _ = fmt.Fprintf(w, "what an application needs: ccpeer env%s\n", where)
}
