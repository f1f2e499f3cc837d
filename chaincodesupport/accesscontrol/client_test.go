package accesscontrol_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// clientTLS is what a chaincode makes of its credential.
func clientTLS(t testing.TB, c *runtime.Credential) *tls.Config {
	t.Helper()
	own, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.RootCert) {
		t.Fatal("there is no root certificate")
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func changed(cfg *tls.Config, change func(*tls.Config)) *tls.Config {
	change(cfg)
	return cfg
}

// open opens a stream to the peer, without a message yet. A cfg of nil means plaintext.
func (p *testPeer) open(cfg *tls.Config) (pb.ClientStream, error) {
	creds := insecure.NewCredentials()
	if cfg != nil {
		creds = credentials.NewTLS(cfg)
	}
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(creds))
	if err != nil {
		return nil, err
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return pbgrpc.DialChaincodeSupport(p.t.Context(), conn)
}

func register(s pb.ClientStream, chaincodeID string) error {
	payload, err := proto.Marshal(&pb.ChaincodeID{Name: chaincodeID})
	if err != nil {
		return err
	}
	return s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: payload})
}

// outcome registers as a chaincode, and returns what the peer says to that.
func (p *testPeer) outcome(cfg *tls.Config, chaincodeID string) (*pb.ChaincodeMessage, error) {
	p.t.Helper()
	return in(p.t, patience, func() (*pb.ChaincodeMessage, error) {
		s, err := p.open(cfg)
		if err != nil {
			return nil, err
		}
		_ = register(s, chaincodeID) // Recv says why it could not be sent
		return s.Recv()
	})
}

func (p *testPeer) wantRefused(c *runtime.Credential, chaincodeID string, code codes.Code, text string) {
	p.t.Helper()
	p.wantOutcome(clientTLS(p.t, c), chaincodeID, code, text)
}

func (p *testPeer) wantOutcome(cfg *tls.Config, chaincodeID string, code codes.Code, text string) {
	p.t.Helper()
	m, err := p.outcome(cfg, chaincodeID)
	if status.Code(err) != code || err != nil && !strings.Contains(err.Error(), text) {
		p.t.Errorf("got %v, %v, want %s %q", m, err, code, text)
	}
	if err == nil && m.Type != pb.ChaincodeMessage_REGISTERED {
		p.t.Errorf("got %s, want REGISTERED", m.Type)
	}
}

// Who may connect, and register as asset:1, which the peer waits for.
func TestClients(t *testing.T) {
	p := newDevPeer(t)
	foreign, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := foreign.Issue("asset:1")
	if err != nil {
		t.Fatal(err)
	}
	own, market, revoked := p.issue("asset:1"), p.issue("market:1"), p.issue("asset:1")
	revoked.Revoke()
	revoked.Revoke() // no harm
	with := func(c *runtime.Credential, change func(*tls.Config)) *tls.Config {
		return changed(clientTLS(t, c), change)
	}
	trusting := func(roots *runtime.Credential) func(*tls.Config) {
		return func(c *tls.Config) { c.RootCAs = clientTLS(t, roots).RootCAs }
	}
	// In TLS 1.3 a client learns of its refusal after its handshake: the alert may be lost to a reset.
	for _, test := range []struct {
		name string
		tls  *tls.Config
		code codes.Code
		text string
	}{
		{"own certificate", clientTLS(t, own), codes.OK, ""},
		{"TLS 1.2", with(own, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), codes.OK, ""},
		{"TLS 1.1", with(own, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), codes.Unavailable, "protocol version"},
		{"no forward secrecy", with(own, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		}), codes.Unavailable, "handshake failure"},
		{"CBC", with(own, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}), codes.Unavailable, "handshake failure"},
		{"no certificate", with(own, func(c *tls.Config) { c.Certificates = nil }), codes.Unavailable, ""},
		{"another CA's certificate", with(stranger, trusting(own)), codes.Unavailable, ""},
		{"another CA for the peer", with(own, trusting(stranger)), codes.Unavailable, "certificate signed by unknown authority"},
		{"another name for the peer", with(own, func(c *tls.Config) { c.ServerName = "peer.example.com" }), codes.Unavailable,
			"certificate is valid for localhost, not peer.example.com"},
		{"revoked certificate", clientTLS(t, revoked), codes.Unauthenticated, "chaincode with given certificate hash "},
		{"another chaincode's certificate", clientTLS(t, market), codes.PermissionDenied,
			`chaincodeID name "asset:1" is not the one of this stream, "market:1"`},
		{"plaintext", nil, codes.Unavailable, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.wantOutcome(test.tls, "asset:1", test.code, test.text)
			if err := p.Stop(t.Context(), "asset:1"); err != nil { // so that the name is free again
				t.Error(err)
			}
		})
	}
}

// A name holds for as long as the stream does: there is no second REGISTER.
func TestSecondName(t *testing.T) {
	p := newDevPeer(t)
	s, err := p.open(clientTLS(t, p.issue("asset:1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, chaincodeID := range []string{"asset:1", "market:1"} {
		if err := register(s, chaincodeID); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	_, err = in(t, patience, func() (any, error) {
		for {
			m, err := s.Recv()
			if err != nil {
				return nil, err
			}
			got = append(got, m.Type.String())
		}
	})
	if status.Code(err) == codes.OK || strings.Contains(fmt.Sprint(got), "market") {
		t.Errorf("got %v, then %v", got, err)
	}
	if err := p.Launch(t.Context(), "market:1"); err == nil {
		t.Error("market:1 is taken to be running")
	}
}

// A stream that an old launch has left behind does not become the next launch's.
func TestRevocationCutsConnections(t *testing.T) {
	p := newPeer(t, listenTCP(t))
	old, other := p.issue("asset:1"), p.issue("asset:1")
	waiting, err := p.open(clientTLS(t, old))
	if err != nil {
		t.Fatal(err)
	}
	untouched, err := p.open(clientTLS(t, other))
	if err != nil {
		t.Fatal(err)
	}
	if launches, conns := p.auth.Watched(); launches != 2 || conns != 2 {
		t.Fatalf("%d connections of %d launches are watched, want 2 of 2", conns, launches)
	}
	old.Revoke()
	if _, err := in(t, patience, waiting.Recv); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ends with %v", err)
	}
	if err := register(untouched, "market:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := in(t, patience, untouched.Recv); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the other stream ends with %v, want the peer's refusal", err)
	}
	p.pid("asset:1", "t1")
	p.stop() // which checks that a connection which has ended is forgotten, though its certificate is still valid
}

// Who does not speak TLS is told so at once, and does not keep others waiting.
func TestPlaintextEndsQuickly(t *testing.T) {
	p := newPeer(t, listenTCP(t))
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("the connection is still open")
			}
			break
		}
	}
	p.pid("asset:1", "t1")
}
