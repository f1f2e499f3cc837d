package accesscontrol

import (
	"net"

	"google.golang.org/grpc/credentials"
)

// ServerCredentials are for the gRPC server that serves chaincode: TLS 1.2 or later, with the Authenticator's certificate,
// for clients that show one of its own. A connection is closed when the certificate that it was made with is revoked.
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

// A certificate that is revoked must not be of use any more, and TLS looks at certificates only when a connection is made. So
// each launch knows the connections that were made with its certificate, and closes them when the certificate is revoked. Where
// the two happen at once, either the connection is found and closed, or Identify finds no launch and refuses the stream.

// conn is a connection that its launch knows.
type conn struct {
	net.Conn          // under TLS
	raw      net.Conn // what is below
	forget   func(*conn)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.forget(c)
	return c.Conn.Close()
}

// watch makes a connection one that revoke closes. One whose certificate has been revoked already is left to be told why,
// by Identify.
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
		if a.launches[hash] == l { // else it is revoke that reads conns
			delete(l.conns, c)
		}
	}}
	l.conns[c] = struct{}{}
	return c
}
