package dial

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/ccpeer/ccpeer/chaincodesupport/internal/gate"
	pb "github.com/ccpeer/ccpeer/proto"
)

// DefaultDialTimeout is Config.DialTimeout's default, and that of the dial_timeout in a connection.json.
const DefaultDialTimeout = 3 * time.Second

const (
	// pingAfter is how long a connection may be quiet before the peer pings. Chaincode servers hang up on a peer that pings
	// more often than every 60 s.
	pingAfter   = 65 * time.Second
	pingTimeout = 20 * time.Second
	// window is the size in bytes of gRPC's flow control windows. It is the same as that of a peer's own server.
	window = 1 << 20
)

// cipherSuites are the suites of TLS 1.2 that are used. TLS 1.3 chooses its own.
var cipherSuites = [...]uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Config says where a chaincode server is, and how to talk to it. New copies it.
type Config struct {
	// Address is where the server listens: "host:port", or "unix:///path" for a socket. Required.
	Address string
	// TLS is the client's side of TLS. It has the roots that the server's certificate must come from, and the client's
	// certificate if the server wants one. ServerName is the name that the certificate must be for; empty means the host in
	// Address. InsecureSkipVerify is refused. At least TLS 1.2 is asked for and, unless CipherSuites says otherwise, only
	// suites with forward secrecy and authenticated encryption.
	//
	// Nil means plaintext. That is allowed only for a server on this machine: an address that is loopback or a socket.
	// Whatever listens there is taken for the chaincode.
	TLS *tls.Config
	// DialTimeout is how long it may take until the connection is usable, including handshakes. Zero means
	// DefaultDialTimeout.
	DialTimeout time.Duration
	// RetryFor is how long Run goes on trying while there is no connection. No attempt begins later than that after the
	// first one. The pauses are about 1 s for the first 10 s, and grow up to 5 s then. A server that cannot prove its name
	// isn't tried again. Zero means one attempt.
	RetryFor time.Duration
	// MaxRecvMsgSize and MaxSendMsgSize are how many bytes a message may have. Zero means 100 MiB, which shims allow.
	MaxRecvMsgSize int
	MaxSendMsgSize int
	// Logger gets a line for each connection, under the name "extcc". Nil: nothing is logged.
	Logger *zap.Logger

	network string // of address
	address string // to net.Dial
	// quiet is how long a connection may be quiet before the peer pings. silence is how long the answer may take.
	quiet, silence time.Duration
}

// validate checks the values. It also sets network and address.
func (c *Config) validate() error {
	host, err := c.parseAddress()
	if err != nil {
		return err
	}
	switch {
	case c.TLS == nil && c.network == "tcp" && !isLoopback(host):
		return errors.Errorf("address %q is not on this machine: plaintext is for loopback and unix: only, give Config.TLS", c.Address)
	case c.TLS != nil && c.TLS.InsecureSkipVerify:
		return errors.New("Config.TLS does not verify the server: unset InsecureSkipVerify, and give RootCAs")
	case c.TLS != nil && c.TLS.ServerName == "" && host == "":
		return errors.Errorf("address %q has no host to verify the server's certificate for: set ServerName in Config.TLS", c.Address)
	case c.DialTimeout < 0:
		return errors.Errorf("dial timeout %s is negative", c.DialTimeout)
	case c.RetryFor < 0:
		return errors.Errorf("time to try again %s is negative", c.RetryFor)
	case c.MaxRecvMsgSize < 0:
		return errors.Errorf("message size limit %d is negative", c.MaxRecvMsgSize)
	case c.MaxSendMsgSize < 0:
		return errors.Errorf("message size limit %d is negative", c.MaxSendMsgSize)
	}
	return nil
}

// parseAddress sets network and address, and returns the host. A socket has no host.
func (c *Config) parseAddress() (host string, err error) {
	if path, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		c.network, c.address = "unix", strings.TrimPrefix(path, "//")
		if c.address == "" {
			return "", errors.Errorf("address %q has no path: write unix:///path", c.Address)
		}
		return "", nil
	}
	c.network, c.address = "tcp", c.Address
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" || port == "" || port == "0" {
		return "", errors.Errorf("address %q cannot be dialled: write host:port or unix:///path", c.Address)
	}
	return host, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// complete returns a copy in which everything that has a default is set.
func (c Config) complete() Config {
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		if c.TLS.ServerName == "" {
			c.TLS.ServerName, _, _ = net.SplitHostPort(c.Address) // which is valid
		}
		c.TLS.MinVersion = max(c.TLS.MinVersion, tls.VersionTLS12)
		if c.TLS.CipherSuites == nil {
			c.TLS.CipherSuites = cipherSuites[:]
		}
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = DefaultDialTimeout
	}
	if c.MaxRecvMsgSize == 0 {
		c.MaxRecvMsgSize = pb.MaxMessageSize
	}
	if c.MaxSendMsgSize == 0 {
		c.MaxSendMsgSize = pb.MaxMessageSize
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.quiet == 0 {
		c.quiet, c.silence = pingAfter, pingTimeout
	}
	return c
}

// dialOptions returns the options for one connection. The first error of dialling, or of the TLS handshake, is put into
// failed, which has room for it. g is the gate of the connection.
func (c *Config) dialOptions(failed chan<- error, g *gate.Gate) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { // not gRPC's, which asks the environment for proxies
			conn, err := c.dialer().DialContext(ctx, c.network, c.address)
			if err != nil && ctx.Err() == nil {
				select {
				case failed <- err:
				default:
				}
			}
			return conn, err
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.MaxRecvMsgSize), grpc.MaxCallSendMsgSize(c.MaxSendMsgSize)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.quiet, Timeout: c.silence}),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithDisableRetry(), // a stream can't be repeated, and gRPC would keep what was sent
		grpc.WithDisableServiceConfig(),
	}
	if c.TLS != nil {
		return append(options, grpc.WithTransportCredentials(guarded{reporting{credentials.NewTLS(c.TLS), failed}, g}))
	}
	authority := c.address
	if c.network == "unix" {
		authority = "localhost" // a path is none
	}
	return append(options, grpc.WithTransportCredentials(guarded{insecure.NewCredentials(), g}), grpc.WithAuthority(authority))
}

// dialer probes a quiet TCP connection. So a half-open connection is noticed within 30 s, between gRPC's rare pings.
func (c *Config) dialer() *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if c.TLS == nil {
		d.Control = refuseRemote
	}
	return d
}

var errRemote = errors.New("address is not on this machine, and there is no TLS")

// refuseRemote refuses plaintext to another machine, whatever the name localhost was resolved to.
func refuseRemote(network, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if strings.HasPrefix(network, "tcp") && (err != nil || !isLoopback(host)) {
		return errRemote
	}
	return nil
}
