package dial

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/pkg/errors"
)

// probeTimeout is how long a server may take to show that it speaks TLS.
const probeTimeout = time.Second

// explain adds to an error of connecting that one side speaks TLS and the other doesn't, if that is the reason. To gRPC, such a
// server has just sent garbage, or hung up.
func (c *Config) explain(ctx context.Context, err error) error {
	var noTLS tls.RecordHeaderError
	var dialling *net.OpError
	switch {
	case errors.As(err, &noTLS):
		return errors.WithMessagef(err, "the server at %s does not speak TLS: start it with TLS, or dial it in plaintext", c.Address)
	case c.TLS != nil, errors.As(err, &dialling) && dialling.Op == "dial", errors.Is(err, errRemote), !c.speaksTLS(ctx):
		return err
	}
	return errors.WithMessagef(err, "the server at %s speaks TLS: give Config.TLS (tls_required in a connection.json), or start it without", c.Address)
}

// speaksTLS reports whether the server does, which was dialled in plaintext. It says hello by TLS and looks whether the answer
// is TLS. It doesn't matter whether the server is the right one, because nothing is said to it after that.
func (c *Config) speaksTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := c.dialer().DialContext(ctx, c.network, c.address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	proved := errors.New("it speaks TLS")
	err = tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		InsecureSkipVerify: true, //nolint:gosec // no more than the certificate is taken from it
		VerifyConnection:   func(tls.ConnectionState) error { return proved },
	}).HandshakeContext(ctx)
	var refusal *net.OpError // an alert of the server's
	return errors.Is(err, proved) || errors.As(err, &refusal) && refusal.Op == "remote error"
}
