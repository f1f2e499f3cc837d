package shim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// identity is a self-signed certificate for localhost, good for both sides of a connection.
type identity struct {
	cert, key []byte // PEM
	pair      tls.Certificate
	pool      *x509.CertPool
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pool: x509.NewCertPool(),
	}
	id.pool.AppendCertsFromPEM(id.cert)
	if id.pair, err = tls.X509KeyPair(id.cert, id.key); err != nil {
		t.Fatal(err)
	}
	return id
}

// write writes content to a file of the test's and returns its name.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// environment makes a lookup function of a map.
func environment(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}

// support is a peer whose every stream is served by a function.
type support func(peer) error

func (f support) Register(s pbgrpc.ChaincodeSupport_RegisterServer) error { return f(peer{nil, s}) }

// listen serves a peer on loopback, or on a Unix socket, and returns the address to dial.
func listen(t *testing.T, network string, serve support, opts ...grpc.ServerOption) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "peer.sock")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(append(opts, grpc.WaitForHandlers(true))...)
	pbgrpc.RegisterChaincodeSupportServer(g, serve)
	served := make(chan struct{})
	go func() { defer close(served); _ = g.Serve(l) }()
	t.Cleanup(func() { g.Stop(); <-served })
	if network == "unix" {
		return "unix://" + address
	}
	return l.Addr().String()
}

// readK is a chaincode that returns what it reads.
func readK(s stub) *shim.Response {
	v, err := s.GetState("k")
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(v)
}

// converse plays a whole conversation with readK.
func converse(t *testing.T, p peer) {
	t.Helper()
	p.t = t
	p.handshake()
	p.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	p.answer(p.expect(pb.ChaincodeMessage_GET_STATE, nil), pb.ChaincodeMessage_RESPONSE, []byte("value"))
	if res := p.completed("tx"); string(res.GetPayload()) != "value" {
		t.Errorf("got %v", res)
	}
}

// Chaincode that dials its peer, over TCP, a Unix socket and mutual TLS, with its settings from the environment.
func TestRun(t *testing.T) {
	id := newIdentity(t)
	plain := map[string]string{"CORE_CHAINCODE_ID_NAME": "cc:1", "CORE_PEER_TLS_ENABLED": "false"}
	mutual := grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{id.pair}, ClientCAs: id.pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	for _, test := range []struct {
		name, network string
		env           map[string]string
		opts          []grpc.ServerOption
	}{
		{"tcp", "tcp", plain, nil},
		{"unix", "unix", plain, nil},
		{"tls", "tcp", map[string]string{
			"CORE_CHAINCODE_ID_NAME": "cc:1", "CORE_PEER_TLS_ENABLED": "true",
			"CORE_TLS_CLIENT_KEY_PATH":    write(t, "key", []byte(base64.StdEncoding.EncodeToString(id.key))),
			"CORE_TLS_CLIENT_CERT_FILE":   write(t, "cert", id.cert),
			"CORE_PEER_TLS_ROOTCERT_FILE": write(t, "root", id.cert),
		}, []grpc.ServerOption{mutual}},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := listen(t, test.network, func(p peer) error { converse(t, p); return nil }, test.opts...)
			cfg, err := shim.LoadConfig(address, environment(test.env))
			if err != nil {
				t.Fatal(err)
			}
			if err := shim.Run(t.Context(), cfg, function(readK)); !errors.Is(err, io.EOF) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// When its context ends, Run lets the transaction that runs finish, and refuses others.
func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, "tcp", func(p peer) error {
		p.t = t
		p.handshake()
		p.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		request := p.expect(pb.ChaincodeMessage_GET_STATE, nil)
		cancel()
		for { // until the shim has seen that its context has ended
			p.begin(pb.ChaincodeMessage_TRANSACTION, "late")
			m, err := p.Recv()
			if err != nil {
				t.Errorf("the stream has ended before a transaction was refused: %v", err)
				return err
			}
			if m.GetType() == pb.ChaincodeMessage_ERROR {
				if string(m.GetPayload()) != "chaincode is shutting down" || m.GetTxid() != "late" {
					t.Errorf("got %v", m)
				}
				break
			}
			p.answer(m, pb.ChaincodeMessage_RESPONSE, nil)
			p.completed("late")
		}
		p.answer(request, pb.ChaincodeMessage_RESPONSE, []byte("value"))
		p.completed("tx")
		if _, err := p.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the last result: %v", err)
		}
		return nil
	})
	if err := shim.Run(ctx, shim.Config{ChaincodeID: "cc:1", PeerAddress: address}, function(readK)); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunFails(t *testing.T) {
	refuse := listen(t, "tcp", func(peer) error { return status.Error(codes.AlreadyExists, "duplicate chaincodeID: cc:1") })
	nobody := "unix://" + filepath.Join(t.TempDir(), "nobody.sock")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		cfg  shim.Config
		want string
	}{
		{"no address", t.Context(), shim.Config{ChaincodeID: "cc:1"}, "peer address must be specified"},
		{"no ID", t.Context(), shim.Config{PeerAddress: refuse}, "chaincode ID must be specified"},
		{"nobody listens", t.Context(), shim.Config{ChaincodeID: "cc:1", PeerAddress: nobody}, "connect to peer \"" + nobody},
		{"refused", t.Context(), shim.Config{ChaincodeID: "cc:1", PeerAddress: refuse}, "duplicate chaincodeID: cc:1"},
		{"context has ended", ended, shim.Config{ChaincodeID: "cc:1", PeerAddress: refuse}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := shim.Run(test.ctx, test.cfg, function(ok))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Setenv("CORE_CHAINCODE_ID_NAME", "")
	if err := shim.Start(function(readK)); err == nil || err.Error() != "'CORE_CHAINCODE_ID_NAME' must be set" {
		t.Errorf("without a name: %v", err)
	}
	t.Setenv("CORE_CHAINCODE_ID_NAME", "cc:1")
	t.Setenv("CORE_PEER_TLS_ENABLED", "false")
	t.Setenv("CORE_PEER_ADDRESS", listen(t, "tcp", func(p peer) error { converse(t, p); return nil }))
	if err := shim.Start(function(readK)); !errors.Is(err, io.EOF) {
		t.Errorf("Start: %v", err)
	}
}

func TestLoadConfigFails(t *testing.T) {
	file := write(t, "not-pem", []byte("!"))
	tlsOn := func(more ...string) map[string]string {
		env := map[string]string{"CORE_CHAINCODE_ID_NAME": "cc", "CORE_PEER_ADDRESS": "p", "CORE_PEER_TLS_ENABLED": "true"}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	for want, env := range map[string]map[string]string{
		"'CORE_CHAINCODE_ID_NAME' must be set":                                           {},
		"flag 'peer.address' must be set":                                                {"CORE_CHAINCODE_ID_NAME": "cc"},
		"'CORE_PEER_TLS_ENABLED' must be set to 'true' or 'false'":                       {"CORE_CHAINCODE_ID_NAME": "cc", "CORE_PEER_ADDRESS": "p"},
		"with TLS, 'CORE_TLS_CLIENT_KEY_FILE' or 'CORE_TLS_CLIENT_KEY_PATH' must be set": tlsOn(),
		"read CORE_TLS_CLIENT_KEY_FILE: ":                                                tlsOn("CORE_TLS_CLIENT_KEY_FILE", "/none"),
		"read CORE_TLS_CLIENT_KEY_PATH: ":                                                tlsOn("CORE_TLS_CLIENT_KEY_PATH", "/none"),
		"decode CORE_TLS_CLIENT_KEY_PATH":                                                tlsOn("CORE_TLS_CLIENT_KEY_PATH", file),
		"with TLS, 'CORE_TLS_CLIENT_CERT_":                                               tlsOn("CORE_TLS_CLIENT_KEY_FILE", file),
		"read CORE_PEER_TLS_ROOTCERT_FILE: ":                                             tlsOn("CORE_TLS_CLIENT_KEY_FILE", file, "CORE_TLS_CLIENT_CERT_FILE", file),
		"parse client key pair: ":                                                        tlsOn("CORE_TLS_CLIENT_KEY_FILE", file, "CORE_TLS_CLIENT_CERT_FILE", file, "CORE_PEER_TLS_ROOTCERT_FILE", file),
	} {
		if _, err := shim.LoadConfig("", environment(env)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Chaincode that its peer dials: over TCP and a Unix socket, in plaintext and with TLS, two streams at once.
func TestServe(t *testing.T) {
	id := newIdentity(t)
	mutual := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{id.pair}, RootCAs: id.pool})
	plain := shim.TLSProperties{Disabled: true}
	for _, test := range []struct {
		name, network string
		tls           shim.TLSProperties
		creds         credentials.TransportCredentials
	}{
		{"tcp", "tcp", plain, insecure.NewCredentials()},
		{"unix", "unix", plain, insecure.NewCredentials()},
		{"tls", "tcp", shim.TLSProperties{Key: id.key, Cert: id.cert, ClientCACerts: id.cert}, mutual},
	} {
		t.Run(test.name, func(t *testing.T) {
			cs := shim.ChaincodeServer{CCID: "cc:1", CC: function(readK), TLSProps: test.tls}
			target := "unix://" + filepath.Join(t.TempDir(), "cc.sock")
			cs.Address = target
			if test.network == "tcp" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				cs.Listener, target = l, l.Addr().String()
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- shim.Serve(ctx, cs) }()

			conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(test.creds))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			var streams []pb.ClientStream
			for range 2 {
				s, err := pbgrpc.DialChaincode(t.Context(), conn, grpc.WaitForReady(true))
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, s)
			}
			for _, s := range streams {
				converse(t, peer{t, s})
			}
			if err := streams[0].CloseSend(); err != nil {
				t.Fatal(err)
			}
			if _, err := streams[0].Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("after CloseSend: %v", err)
			}
			cancel()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if _, err := streams[1].Recv(); status.Code(err) != codes.Unavailable {
				t.Errorf("after the server's end: %v", err)
			}
		})
	}
}

// When its context ends, a server lets the transaction that runs finish, then ends the stream.
func TestServeStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- shim.Serve(ctx, shim.ChaincodeServer{CCID: "cc:1", Listener: l, CC: function(readK), TLSProps: shim.TLSProperties{Disabled: true}})
	}()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	s, err := pbgrpc.DialChaincode(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	p := peer{t, s}
	p.handshake()
	p.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	request := p.expect(pb.ChaincodeMessage_GET_STATE, nil)
	cancel()
	p.answer(request, pb.ChaincodeMessage_RESPONSE, []byte("value"))
	if res := p.completed("tx"); string(res.GetPayload()) != "value" {
		t.Errorf("got %v", res)
	}
	if _, err := p.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after the last result: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeFails(t *testing.T) {
	valid := shim.ChaincodeServer{CCID: "cc:1", Address: "127.0.0.1:0", CC: function(ok), TLSProps: shim.TLSProperties{Disabled: true}}
	id := newIdentity(t)
	for want, change := range map[string]func(*shim.ChaincodeServer){
		"ccid must be specified":                                      func(cs *shim.ChaincodeServer) { cs.CCID = "" },
		"address must be specified":                                   func(cs *shim.ChaincodeServer) { cs.Address = "" },
		"chaincode must be specified":                                 func(cs *shim.ChaincodeServer) { cs.CC = nil },
		"key not provided: set Key and Cert of TLSProps, or Disabled": func(cs *shim.ChaincodeServer) { cs.TLSProps = shim.TLSProperties{} },
		"cert not provided: set Cert of TLSProps":                     func(cs *shim.ChaincodeServer) { cs.TLSProps = shim.TLSProperties{Key: id.key} },
		"parse server key pair: ":                                     func(cs *shim.ChaincodeServer) { cs.TLSProps = shim.TLSProperties{Key: id.key, Cert: id.key} },
		"parse client CA certificates: no PEM certificate found": func(cs *shim.ChaincodeServer) {
			cs.TLSProps = shim.TLSProperties{Key: id.key, Cert: id.cert, ClientCACerts: id.key}
		},
		`listen on "unix:///none/cc.sock": listen unix /none/cc.sock`: func(cs *shim.ChaincodeServer) { cs.Address = "unix:///none/cc.sock" },
	} {
		cs := valid
		change(&cs)
		if err := cs.Start(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
