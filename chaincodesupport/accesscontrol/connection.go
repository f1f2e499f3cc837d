package accesscontrol

import (
	"net"

	"google.golang.org/grpc/credentials"
)

// ServerCredentials are for the gRPC server that serves chaincode. They ask for TLS 1.2 or later. The server shows the
// Authenticator's certificate, and its clients must show one that the Authenticator has issued. When a certificate is
// revoked, the connections that were made with it are closed.
func (a *Authenticator) ServerCredentials() credentials.TransportCredentials {
	return &serverCredentials{TransportCredentials: credentials.NewTLS(a.ca.listenerConfig(a.server)), auth: a}
}

// serverCredentials remember which connections were made with which certificate.
type serverCredentials struct {
	credentials.TransportCredentials
	auth *Authenticator
}

var _ credentials.TransportCredentials = (*serverCredentials)(nil)

// ServerHandshake implements credentials.TransportCredentials.
func (c *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		c.auth.refuse("refused a connection", raw.RemoteAddr(), err)
		return nil, nil, err
	}
	return c.auth.watch(raw, secured, info), info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *serverCredentials) Clone() credentials.TransportCredentials {
	return &serverCredentials{TransportCredentials: c.TransportCredentials.Clone(), auth: c.auth}
}

// A certificate that is revoked must be of no use any more. But TLS looks at certificates only when a connection is made. So
// each launch knows the connections that were made with its certificate, and closes them when the certificate is revoked. If
// a connection is made at that very moment, it is either found and closed, or Identify finds no launch and refuses the
// stream.

// conn is a connection that its launch knows.
type conn struct {
	net.Conn          // under TLS
	raw      net.Conn // the connection below TLS
	forget   func(*conn)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.forget(c)
	return c.Conn.Close()
}

// watch makes a connection one that revoke closes. If the certificate has been revoked already, it leaves the connection
// open, so that Identify can tell the client why.
func (a *Authenticator) watch(raw, secured net.Conn, info credentials.AuthInfo) net.Conn {
	t, ok := info.(credentials.TLSInfo)
	if !ok || len(t.State.PeerCertificates) == 0 {
		return secured
	}
	hash := hashOf(t.State.PeerCertificates[0])
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.launches[hash]
	if l == nil {
		return secured
	}
	c := &conn{Conn: secured, raw: raw, forget: func(c *conn) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.launches[hash] == l { // otherwise revoke reads conns
			delete(l.conns, c)
		}
	}}
	l.conns[c] = struct{}{}
	return c
}
