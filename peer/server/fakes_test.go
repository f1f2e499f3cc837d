package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ccpeer/ccpeer/peer/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// endorser is an Endorser that does what it is told.
type endorser func(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error)

func (e endorser) ProcessProposal(ctx context.Context, p *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return e(ctx, p)
}

// echo answers with what was proposed.
func echo(_ context.Context, p *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return &pb.ProposalResponse{Payload: p.ProposalBytes}, nil
}

// deliver is a Deliver that does the same in all methods.
type deliver func(pbgrpc.Deliver_DeliverServer) error

func (d deliver) Deliver(s pbgrpc.Deliver_DeliverServer) error                { return d(s) }
func (d deliver) DeliverFiltered(s pbgrpc.Deliver_DeliverServer) error        { return d(s) }
func (d deliver) DeliverWithPrivateData(s pbgrpc.Deliver_DeliverServer) error { return d(s) }

// gateway is a Gateway whose calls all wait.
type gateway struct{ wait func(context.Context) error }

func (g gateway) Evaluate(ctx context.Context, _ *pb.EvaluateRequest) (*pb.EvaluateResponse, error) {
	return &pb.EvaluateResponse{}, g.wait(ctx)
}

func (g gateway) Endorse(ctx context.Context, _ *pb.EndorseRequest) (*pb.EndorseResponse, error) {
	return &pb.EndorseResponse{}, g.wait(ctx)
}

func (g gateway) Submit(ctx context.Context, _ *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	return &pb.SubmitResponse{}, g.wait(ctx)
}

func (g gateway) CommitStatus(ctx context.Context, _ *pb.SignedCommitStatusRequest) (*pb.CommitStatusResponse, error) {
	return &pb.CommitStatusResponse{}, g.wait(ctx)
}

func (g gateway) ChaincodeEvents(_ *pb.SignedChaincodeEventsRequest, s pbgrpc.Gateway_ChaincodeEventsServer) error {
	return g.wait(s.Context())
}

// broadcast is an AtomicBroadcast that says SUCCESS to everything, and has no blocks.
type broadcast struct{}

func (broadcast) Broadcast(s pbgrpc.AtomicBroadcast_BroadcastServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
		if err := s.Send(&pb.BroadcastResponse{Status: pb.Status_SUCCESS}); err != nil {
			return err
		}
	}
}

func (broadcast) Deliver(s pbgrpc.AtomicBroadcast_DeliverServer) error {
	return s.Send(&pb.OrdererDeliverResponse{Type: &pb.OrdererDeliverResponse_Status{Status: pb.Status_NOT_FOUND}})
}

// discovery knows nothing.
type discovery struct{}

func (discovery) Discover(context.Context, *pb.SignedDiscoveryRequest) (*pb.DiscoveryResponse, error) {
	return &pb.DiscoveryResponse{}, nil
}

// start serves on a loopback port as long as the test lasts.
func start(t testing.TB, cfg server.Config) (s *server.Server, address string) {
	t.Helper()
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Close(ended); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

// dial returns a connection that lasts as long as the test. Without a configuration of TLS it is plaintext.
func dial(t testing.TB, address string, c *tls.Config, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if c != nil {
		creds = credentials.NewTLS(c)
	}
	conn, err := grpc.NewClient(address, append(opts, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // it may be closed already
	return conn
}

// propose calls ProcessProposal.
func propose(t testing.TB, conn *grpc.ClientConn, bytes []byte) (*pb.ProposalResponse, error) {
	t.Helper()
	return pbgrpc.Call[pb.ProposalResponse](t.Context(), conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, &pb.SignedProposal{ProposalBytes: bytes})
}

// authority is a CA for TLS.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.certificate, a.key = a.sign(t, template)
	return a
}

// sign completes a template, and signs it; an authority without a certificate signs its own.
func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template.SerialNumber, template.Subject = big.NewInt(now.UnixNano()), pkix.Name{CommonName: t.Name()}
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	issuer, signer := a.certificate, a.key
	if issuer == nil {
		issuer, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// issue makes a certificate for both ends of a connection on this machine.
func (a *authority) issue(t testing.TB) tls.Certificate {
	t.Helper()
	certificate, key := a.sign(t, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.certificate)
	return p
}
