package main

import (
	"context"
	"crypto/tls"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// register tries to be a chaincode, and returns what the peer says to that.
func register(t *testing.T, at, chaincodeID string, creds credentials.TransportCredentials) (pb.ChaincodeMessage_Type, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	s, err := pbgrpc.DialChaincodeSupport(ctx, conn)
	if err != nil {
		return 0, err
	}
	name, err := proto.Marshal(&pb.ChaincodeID{Name: chaincodeID})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: name}); err != nil && err != io.EOF {
		return 0, err
	}
	msg, err := s.Recv()
	return msg.GetType(), err
}

// foreignCertificate is what another peer has issued for a chaincode of that ID.
func foreignCertificate(t *testing.T, chaincodeID string) tls.Certificate {
	t.Helper()
	other, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := other.Issue(chaincodeID)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestStrangers has somebody else be quicker than the chaincode that the peer is launching.
func TestStrangers(t *testing.T) {
	t.Parallel()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	secure := func(certs ...tls.Certificate) credentials.TransportCredentials {
		//nolint:gosec // a stranger doesn't care which peer this is
		return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: certs})
	}
	for _, c := range []struct {
		name  string
		flags string
		creds credentials.TransportCredentials
		let   bool // whether the stranger is taken for the chaincode
	}{
		{"no TLS", "", insecure.NewCredentials(), false},
		{"no certificate", "", secure(), false},
		{"a foreign certificate", "", secure(foreignCertificate(t, "slow:1.0")), false},
		{"a peer in plaintext", "--plaintext", insecure.NewCredentials(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := servePeer(t, append(append([]string{"--chaincode", "slow=" + sleep + " 60"}, anyPort...), strings.Fields(c.flags)...)...)
			if s.secure != (c.flags == "") {
				t.Errorf("it is %v that chaincode needs a certificate", s.secure)
			}
			called := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer close(called)
				_ = peerCommand(ctx, t.TempDir(), "query", "-n", "slow", "-c", `{"Args":["x"]}`, "--api", s.api).Run()
			}()
			s.await(t, "slow", func(c chaincodeJSON) bool { return c.State == "launching" })
			typ, err := register(t, s.chaincode, "slow:1.0", c.creds)
			switch {
			case c.let && (err != nil || typ != pb.ChaincodeMessage_REGISTERED):
				t.Errorf("a stranger gets %s, %v", typ, err)
			case !c.let && status.Code(err) != codes.Unavailable:
				t.Errorf("a stranger gets %s, %v; want no connection", typ, err)
			case !c.let && s.listed(t)["slow"].State != "launching":
				t.Errorf("with a stranger, it is %+v", s.listed(t)["slow"])
			}
			// Nothing has happened to the others.
			ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["get","k"]}`, "--api", s.api).check(t, exitOK, "\n")
			cancel()
			<-called
			s.kill(t) // it would wait for the launch
		})
	}
}

// TestServePlaintext runs chaincode without TLS, and over a Unix socket.
func TestServePlaintext(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "p") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, listen := range []string{"127.0.0.1:0", "unix://" + filepath.Join(dir, "c")} {
		s := servePeer(t, "--plaintext", "--listen", listen, "--api", "127.0.0.1:0")
		if s.secure {
			t.Error("it says that there is TLS")
		}
		ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["put","k","v"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
		s.stop(t)
	}
}

// TestServeAdvertised has chaincode find the peer by another name.
func TestServeAdvertised(t *testing.T) {
	t.Parallel()
	s := servePeer(t, append(anyPort, "--advertise", "localhost")...)
	_, port, _ := strings.Cut(s.chaincode, ":")
	if s.chaincode != "localhost:"+port {
		t.Errorf("chaincode connects to %s", s.chaincode)
	}
	ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["arguments"]}`, "--api", s.api).check(t, exitOK, "-peer.address localhost:"+port+"\n")
	s.stop(t)
}

// The certificate of the listener is for what chaincode is told to dial.
func TestHosts(t *testing.T) {
	for _, c := range []struct{ listen, advertise, want string }{
		{"127.0.0.1:1", "", "127.0.0.1 ::1 localhost"},
		{"unix:///s", "", "127.0.0.1 ::1 localhost"},
		{"127.0.0.2:1", "", "127.0.0.1 127.0.0.2 ::1 localhost"},
		{"192.0.2.1:1", "", "127.0.0.1 192.0.2.1 ::1 localhost"},
		{"0.0.0.0:1", "peer0.example.com", "127.0.0.1 ::1 localhost peer0.example.com"},
		{":1", "2001:db8::1", "127.0.0.1 2001:db8::1 ::1 localhost"},
		{"192.0.2.1:1", "[2001:db8::1]:9", "127.0.0.1 192.0.2.1 2001:db8::1 ::1 localhost"},
	} {
		cfg := nodeConfig{}
		var err error
		if cfg.listen, err = parseAddress(c.listen); err != nil {
			t.Fatal(err)
		}
		if c.advertise != "" {
			if cfg.advertise, err = parseAdvertised(c.advertise); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(cfg.hosts(), " "); got != c.want {
			t.Errorf("a peer at %s, %s has the hosts %s, want %s", c.listen, c.advertise, got, c.want)
		}
		if _, err := accesscontrol.New(accesscontrol.Config{Hosts: cfg.hosts()}); err != nil {
			t.Errorf("a peer at %s, %s: %v", c.listen, c.advertise, err)
		}
	}
}
