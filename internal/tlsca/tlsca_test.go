package tlsca_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/tlsca"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCA(t *testing.T) *tlsca.CA {
	t.Helper()
	ca, err := tlsca.New("Org1MSP")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// handshake has a client and a server of one CA meet, both of which show their certificates.
func handshake(t *testing.T, ca *tlsca.CA, hosts []string, dialled string) error {
	t.Helper()
	certificate := func(p tlsca.Pair, err error) []tls.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Root())
	there, here := net.Pipe()
	server := tls.Server(there, &tls.Config{
		Certificates: certificate(ca.Server("peer0.Org1MSP", hosts)), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MinVersion: tls.VersionTLS12,
	})
	client := tls.Client(here, &tls.Config{Certificates: certificate(ca.Client("alice")), RootCAs: roots, ServerName: dialled, MinVersion: tls.VersionTLS12})
	served := make(chan error, 1)
	go func() {
		served <- server.HandshakeContext(t.Context())
		_ = there.Close()
	}()
	err := client.HandshakeContext(t.Context())
	_ = here.Close()
	if refused := <-served; err == nil && refused != nil {
		t.Errorf("the server has refused: %v", refused)
	}
	return err
}

func TestHandshake(t *testing.T) {
	ca, hosts := newCA(t), []string{"localhost", "127.0.0.1", "::1"}
	for _, dialled := range append(hosts, "peer0.org1msp") { // case means nothing in names
		if err := handshake(t, ca, hosts, dialled); err != nil {
			t.Errorf("%s: %v", dialled, err)
		}
	}
	if err := handshake(t, ca, hosts, "elsewhere"); err == nil || !strings.Contains(err.Error(), "certificate is valid for") {
		t.Errorf("elsewhere: %v", err)
	}
}

func TestGood(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	again, err := tlsca.Load("Org1MSP", ca.Pair)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Server("a b", []string{"localhost", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.Client("alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		ca    *tlsca.CA
		pair  tlsca.Pair
		of    string
		hosts []string
		want  bool
	}{
		{"the same hosts in another order", again, server, "a b", []string{"127.0.0.1", "localhost", "localhost"}, true},
		{"one more host", ca, server, "a b", []string{"127.0.0.1", "localhost", "::1"}, false},
		{"one name less", ca, server, "a b", []string{"127.0.0.1"}, false},
		{"another server", ca, server, "b", []string{"127.0.0.1", "localhost"}, false},
		{"another CA", other, server, "a b", []string{"127.0.0.1", "localhost"}, false},
		{"a client", ca, client, "alice", nil, true},
		{"another client", ca, client, "bob", nil, false},
		{"another's key", ca, tlsca.Pair{Cert: client.Cert, Key: server.Key}, "alice", nil, false},
		{"nothing", ca, tlsca.Pair{}, "", nil, false},
	} {
		if got := c.ca.Good(c.pair, c.of, c.hosts); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// A certificate is renewed while it is still good.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t)
		client, err := ca.Client("alice")
		if err != nil {
			t.Fatal(err)
		}
		for _, good := range []bool{true, true, false} {
			if got := ca.Good(client, "alice", nil); got != good {
				t.Errorf("at %s it is good: %t", time.Now(), got)
			}
			time.Sleep(200 * 24 * time.Hour) //nolint:forbidigo // the clock is synctest's
		}
	})
}

func TestLoadRefuses(t *testing.T) {
	ca := newCA(t)
	client, err := ca.Client("alice")
	if err != nil {
		t.Fatal(err)
	}
	for want, pair := range map[string]tlsca.Pair{
		"load certificate and key": {Cert: []byte("nonsense"), Key: ca.Key}, "is not a CA's": client, "private key does not match": {Cert: ca.Cert, Key: client.Key},
	} {
		if _, err := tlsca.Load("Org1MSP", pair); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := ca.Server("peer0", []string{"münchen"}); err == nil {
		t.Error("a host that can't stand in a certificate was taken")
	}
}
