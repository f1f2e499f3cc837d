package shim

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// connectTimeout is how long a new connection may take for its handshakes, as in the official shim.
const connectTimeout = 5 * time.Second

// TLSProperties are a chaincode server's keys and certificates, all in PEM.
type TLSProperties struct {
	// Disabled asks for plaintext. Otherwise Key and Cert are required.
	Disabled bool
	// Key is the server's private key.
	Key []byte
	// Cert is the server's certificate, and the certificates that it is signed with.
	Cert []byte
	// ClientCACerts are the roots of the certificates that peers must show. Nil: peers need to show none.
	ClientCACerts []byte
}

// ChaincodeServer is chaincode that peers dial.
type ChaincodeServer struct {
	// CCID is the chaincode ID to register under: the package ID that the peer knows. Required.
	CCID string
	// Address is where to listen: "host:port" or "unix:///path". Required, unless Listener is set.
	Address string
	// Listener, if not nil, is served in place of Address. Serve closes it.
	Listener net.Listener
	// CC is the chaincode. Required.
	CC Chaincode
	// TLSProps are the keys and certificates. TLS is on unless they say otherwise.
	TLSProps TLSProperties
	// KaOpts, if not nil, says how a quiet peer is pinged. By default it is pinged every minute, and has 20 seconds to
	// answer.
	KaOpts *keepalive.ServerParameters
	// Logger gets panics, results that could not be sent and the like. Grace is how long running transactions may take to
	// finish when the server stops. Both have the same defaults as in Config.
	Logger *slog.Logger
	Grace  time.Duration
}

// Start serves peers for as long as the process lives. It returns only if it cannot serve.
func (cs *ChaincodeServer) Start() error { return Serve(context.Background(), *cs) }

// Serve serves peers that dial. When ctx ends, it refuses new transactions, and gives running ones cs.Grace to finish. Then
// it ends all streams, and returns nil. Otherwise it returns only if it cannot serve.
func Serve(ctx context.Context, cs ChaincodeServer) error {
	opts, err := cs.options()
	if err != nil {
		return err
	}
	listener, err := cs.listen()
	if err != nil {
		return err
	}
	s := &server{cfg: cs.config(), cc: cs.CC, stopping: ctx.Done()}
	defer s.streams.Wait()
	g := grpc.NewServer(opts...)
	pbgrpc.RegisterChaincodeServer(g, s)

	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		timer := time.AfterFunc(s.cfg.grace()+connectTimeout, g.Stop) // if a peer does not even take the stream's end
		defer timer.Stop()
		g.GracefulStop() // waits for Connect, which sees stopping
	})
	err = g.Serve(listener) // closes the listener
	if stop() {
		g.Stop()
		return errors.Wrapf(err, "serve %s", listener.Addr())
	}
	<-stopped
	return nil
}

func (cs *ChaincodeServer) config() Config {
	return Config{ChaincodeID: cs.CCID, Logger: cs.Logger, Grace: cs.Grace}
}

func (cs *ChaincodeServer) options() ([]grpc.ServerOption, error) {
	if cs.CCID == "" {
		return nil, errors.New("ccid must be specified")
	}
	if cs.Address == "" && cs.Listener == nil {
		return nil, errors.New("address must be specified")
	}
	if cs.CC == nil {
		return nil, errors.New("chaincode must be specified")
	}
	ka := keepalive.ServerParameters{Time: pingInterval, Timeout: pingTimeout}
	if cs.KaOpts != nil {
		ka = *cs.KaOpts
	}
	opts := []grpc.ServerOption{
		grpc.KeepaliveParams(ka),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingInterval, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.MaxRecvMsgSize(pb.MaxMessageSize),
		grpc.MaxSendMsgSize(pb.MaxMessageSize),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.WaitForHandlers(true),
	}
	if cs.TLSProps.Disabled {
		return opts, nil
	}
	cfg, err := cs.TLSProps.config()
	if err != nil {
		return nil, err
	}
	return append(opts, grpc.Creds(credentials.NewTLS(cfg))), nil
}

func (p TLSProperties) config() (*tls.Config, error) {
	if p.Key == nil {
		return nil, errors.New("key not provided: set Key and Cert of TLSProps, or Disabled")
	}
	if p.Cert == nil {
		return nil, errors.New("cert not provided: set Cert of TLSProps")
	}
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, errors.Wrap(err, "parse server key pair")
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if p.ClientCACerts != nil {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		if cfg.ClientCAs, err = certPool(p.ClientCACerts); err != nil {
			return nil, errors.Wrap(err, "parse client CA certificates")
		}
	}
	return cfg, nil
}

func (cs *ChaincodeServer) listen() (net.Listener, error) {
	if cs.Listener != nil {
		return cs.Listener, nil
	}
	network, address := "tcp", cs.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", strings.TrimPrefix(path, "//")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, errors.Wrapf(err, "listen on %q", cs.Address)
	}
	return l, nil
}

// server serves any number of streams, of one peer or several.
type server struct {
	cfg      Config
	cc       Chaincode
	stopping <-chan struct{}
	streams  sync.WaitGroup // goroutines that Connect started
}

var _ pbgrpc.ChaincodeServer = (*server)(nil)

// Connect serves one stream. The conversation has a goroutine of its own, since a server can end a stream only by
// returning from here.
func (s *server) Connect(stream pbgrpc.Chaincode_ConnectServer) error {
	h := newHandler(stream, s.cc, s.cfg.logger())
	ended := make(chan error, 1)
	s.streams.Go(func() { ended <- h.chat(s.cfg.ChaincodeID, s.cfg.grace()) }) // Serve waits for it
	select {
	case err := <-ended:
		if errors.Is(err, io.EOF) {
			return nil // the peer ended the stream in good order
		}
		return err
	case <-s.stopping:
	}
	timer := time.NewTimer(s.cfg.grace())
	defer timer.Stop()
	select {
	case <-h.drain():
	case <-h.done:
	case <-timer.C:
	}
	return status.Error(codes.Unavailable, "chaincode is shutting down")
}
