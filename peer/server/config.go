package server

import (
	"crypto/tls"
	"crypto/x509"
	"math"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/internal/limit"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Config says what is served, and how.
type Config struct {
	Services
	Limits
	// TLS is how connections are kept from others. Nil: they are plaintext.
	TLS *TLS
	// Options are gRPC's, besides the server's own, such as deliver.ServerOption. Credentials and limits are not among them.
	Options []grpc.ServerOption
	// Logger gets what operators should know: connections that were refused, and panics. Nil: nothing is logged.
	Logger *zap.Logger
}

// Services are those of one peer. Clients that ask for one that is nil get the status Unimplemented, as from a peer that hasn't
// got it. One service is required.
//
// A method that serves a stream should return when the stream's context ends. It need not look at it while it receives.
type Services struct {
	// Gateway is what applications talk to that use Fabric's Gateway clients.
	Gateway pbgrpc.GatewayServer
	// Deliver gives out blocks.
	Deliver pbgrpc.DeliverServer
	// Endorser runs proposals. A *peer.Peer does.
	Endorser pbgrpc.EndorserServer
	// AtomicBroadcast is an ordering service, on the same port.
	AtomicBroadcast pbgrpc.AtomicBroadcastServer
	// Discovery tells older clients which peers there are.
	Discovery pbgrpc.DiscoveryServer
}

// TLS is a server's side of it. It is TLS 1.2 or 1.3.
type TLS struct {
	// Certificate is the server's, with its key. Required.
	Certificate tls.Certificate
	// ClientCAs are those of whom each client must have a certificate: that is mutual TLS. A service finds the certificate's
	// hash by pbgrpc.ClientCertificateHash. Nil: clients are asked for none, and those that have one may connect,
	// too.
	ClientCAs *x509.CertPool
}

// config returns the form that Go wants.
func (t *TLS) config() (*tls.Config, error) {
	if len(t.Certificate.Certificate) == 0 || t.Certificate.PrivateKey == nil {
		return nil, errors.New("Config.TLS.Certificate is missing, or has no key")
	}
	c := &tls.Config{Certificates: []tls.Certificate{t.Certificate}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	if t.ClientCAs != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, t.ClientCAs
	}
	return c, nil
}

// Limits bound what clients can make a server do. Zero means the default.
type Limits struct {
	// GatewayConcurrency is how many calls of the Gateway may run at once. Streams of events and calls that wait for a commit
	// count, too. One more is refused, with Fabric's text and the status Unknown. Negative: any number. 0: 500.
	GatewayConcurrency int
	// EndorserConcurrency is the same for proposals. 0: 2,500.
	EndorserConcurrency int
	// DeliverConcurrency is the same for streams of blocks, but not for those of the AtomicBroadcast. 0: 2,500.
	DeliverConcurrency int
	// MaxRecvMsgSize is how many bytes a client's message may have. 0: pb.MaxMessageSize.
	MaxRecvMsgSize int
	// MaxSendMsgSize is how many bytes a message to a client may have. 0: pb.MaxMessageSize.
	MaxSendMsgSize int
	// MaxHeaderBytes is how many bytes the headers of a call may have. Clients of Fabric send a few hundred. 0: 65,536.
	MaxHeaderBytes int
	// MaxConnections is how many connections there may be at once, including those in their handshakes. One more is hung up on.
	// 0: 5,000.
	MaxConnections int
	// MaxStreamsPerConnection is how many calls one connection may have under way at once. A client keeps back those that are
	// more. 0: 20,000.
	MaxStreamsPerConnection int
	// HandshakeTimeout is how long a connection may take until it can have calls. 0: 10 s.
	HandshakeTimeout time.Duration
	// UnusedTimeout is how long a connection may last without its first call. 0: 120 s.
	UnusedTimeout time.Duration
	// MinPingInterval is how long a client must wait between two pings. Whoever pings more often is hung up on. 0: 60 s, as in
	// Fabric.
	MinPingInterval time.Duration
}

// table has a row for each limit.
func (l *Limits) table() []limit.Row {
	return []limit.Row{
		limit.Number("GatewayConcurrency", &l.GatewayConcurrency, 500).From(math.MinInt),
		limit.Number("EndorserConcurrency", &l.EndorserConcurrency, 2500).From(math.MinInt),
		limit.Number("DeliverConcurrency", &l.DeliverConcurrency, 2500).From(math.MinInt),
		limit.Number("MaxRecvMsgSize", &l.MaxRecvMsgSize, pb.MaxMessageSize),
		limit.Number("MaxSendMsgSize", &l.MaxSendMsgSize, pb.MaxMessageSize),
		limit.Number("MaxHeaderBytes", &l.MaxHeaderBytes, 64<<10),
		limit.Number("MaxConnections", &l.MaxConnections, 5000),
		limit.Number("MaxStreamsPerConnection", &l.MaxStreamsPerConnection, 20000),
		limit.Duration("HandshakeTimeout", &l.HandshakeTimeout, 10*time.Second),
		limit.Duration("UnusedTimeout", &l.UnusedTimeout, 2*time.Minute),
		limit.Duration("MinPingInterval", &l.MinPingInterval, time.Minute),
	}
}

// withDefaults checks the values, and completes those that are missing.
func (c Config) withDefaults() (Config, error) {
	if c.Services == (Services{}) {
		return c, errors.New("Config has no service")
	}
	if err := limit.Check(c.table()); err != nil {
		return c, errors.WithMessage(err, "Config")
	}
	limit.Complete(c.table())
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	c.Logger = c.Logger.Named("server")
	return c, nil
}
