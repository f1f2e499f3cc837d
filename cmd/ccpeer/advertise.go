package main

import (
	"net"
	"slices"

	"github.com/pkg/errors"
)

// advertised is where chaincode is told that the peer is, if that is not where the peer listens: a host, and its port
// unless that is the listener's.
type advertised struct{ host, port string }

func parseAdvertised(s string) (advertised, error) {
	a := advertised{host: s}
	if host, port, err := net.SplitHostPort(s); err == nil && net.ParseIP(s) == nil {
		a = advertised{host, port}
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return a, errors.Errorf("%s has no port that can be dialled: want HOST or HOST:PORT", quote(s))
		}
	}
	if ip := net.ParseIP(a.host); a.host == "" || ip.IsUnspecified() || ip == nil && !isHostName(a.host) {
		return a, errors.Errorf("%s is nothing that can be dialled: want HOST or HOST:PORT", quote(s))
	}
	return a, nil
}

func isHostName(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_'
	})
}

// checkListening says what is wrong with where a peer listens for chaincode. What is to be said of the advertised address
// comes second.
func (c *nodeConfig) checkListening() (listen, advertise error) {
	set := c.advertise != advertised{}
	switch {
	case c.plaintext && !c.listen.isLocal():
		_, listen = parseLocalAddress(c.listen.String())
	case c.plaintext && set:
		advertise = errors.New("chaincode that connects in plaintext is on this machine, and finds the peer where it listens: leave this out")
	case c.listen.network == "unix" && set:
		advertise = errors.New("the peer listens on a Unix socket, which has no other address: leave this out")
	case c.listen.ip().IsUnspecified() && !set:
		listen = errors.Errorf("address %q is every one that this machine has, and chaincode has to dial one of them, for which the peer "+
			"gets a certificate: name it with --advertise HOST, or advertise in the configuration file; or listen on one only", c.listen)
	}
	return listen, advertise
}

// peerAddress is where chaincode finds a peer that listens.
func (c *nodeConfig) peerAddress() string {
	if c.advertise.host == "" {
		return c.listen.String()
	}
	port := c.advertise.port
	if port == "" {
		_, port, _ = net.SplitHostPort(c.listen.address)
	}
	return net.JoinHostPort(c.advertise.host, port)
}

// hosts are what chaincode may find the peer by: its certificate is for them. By a Unix socket, it is localhost.
func (c *nodeConfig) hosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if ip := c.listen.ip(); ip != nil && !ip.IsUnspecified() {
		hosts = append(hosts, ip.String())
	}
	if c.advertise.host != "" {
		hosts = append(hosts, c.advertise.host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
