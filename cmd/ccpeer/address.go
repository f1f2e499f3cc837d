package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// address is where a peer listens: host:port, or unix:///path.
type address struct{ network, address string }

func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return socketAddress(s, strings.TrimPrefix(path, "//"))
	}
	tcp, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		return address{}, errors.Wrapf(err, "parse address %q (want host:port or unix:///path)", s)
	}
	return address{"tcp", tcp.String()}, nil
}

// parseLocalAddress is parseAddress for what is plaintext, and open to whoever can connect: it accepts what only this
// machine can connect to.
func parseLocalAddress(s string) (address, error) {
	a, err := parseAddress(s)
	if err != nil || a.isLocal() {
		return a, err
	}
	_, port, _ := net.SplitHostPort(a.address)
	return address{}, errors.Errorf("address %q can be reached from the network, and this peer speaks plaintext there: "+
		"give a loopback address such as 127.0.0.1:%s, or unix:///path", s, port)
}

// ip is the IP address that a peer listens on: nil for a socket, and an unspecified one for all that it has.
func (a address) ip() net.IP {
	if a.network == "unix" {
		return nil
	}
	host, _, _ := net.SplitHostPort(a.address) // which parseAddress has made
	if host == "" {
		return net.IPv6unspecified
	}
	return net.ParseIP(host)
}

// isLocal says whether nobody but this machine can connect.
func (a address) isLocal() bool { return a.network == "unix" || a.ip().IsLoopback() }

func socketAddress(s, path string) (address, error) {
	if path == "" {
		return address{}, errors.Errorf("address %q has no path (want unix:///path)", s)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return address{}, errors.Wrapf(err, "parse address %q", s)
	}
	return address{"unix", path}, nil
}

// String returns the address in the form that parseAddress and every shim understand.
func (a address) String() string {
	if a.network == "unix" {
		return "unix://" + a.address
	}
	return a.address
}

func (a address) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, a.network, a.address)
}

// listen opens a listener, and returns the address that it got: port 0 means any that is free.
func (a address) listen(ctx context.Context) (net.Listener, address, error) {
	l, err := a.open(ctx)
	if errors.Is(err, errAddressInUse) && a.network == "unix" && !isSocket(a.address) {
		return nil, address{}, errors.Errorf("listen on %s: there is something that is no socket, which is left as it is: give another path", a)
	}
	if errors.Is(err, errAddressInUse) {
		return nil, address{}, errors.Errorf("listen on %s: address already in use: is a peer running? "+
			"Give another address with --listen, --gateway and --api", a)
	}
	if err != nil {
		return nil, address{}, errors.Wrapf(err, "listen on %s", a)
	}
	return l, address{a.network, l.Addr().String()}, nil
}

func (a address) open(ctx context.Context) (net.Listener, error) {
	if a.network == "unix" {
		return listenSocket(ctx, a.address)
	}
	return new(net.ListenConfig).Listen(ctx, a.network, a.address)
}
