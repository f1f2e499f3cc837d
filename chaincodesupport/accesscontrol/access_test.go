package accesscontrol_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
)

func newAuth(t testing.TB, cfg accesscontrol.Config) *accesscontrol.Authenticator {
	t.Helper()
	a, err := accesscontrol.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// certificate is that of a PEM block.
func certificate(t testing.TB, b []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(b)
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block: %q", b)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// under is a stream's context whose client has shown certificates.
func under(ctx context.Context, shown ...*x509.Certificate) context.Context {
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: shown}}})
}

func TestIdentify(t *testing.T) {
	a, foreign := newAuth(t, accesscontrol.Config{}), newAuth(t, accesscontrol.Config{})
	issue := func(a *accesscontrol.Authenticator, chaincodeID string) (*x509.Certificate, func()) {
		c, err := a.Issue(chaincodeID)
		if err != nil {
			t.Fatal(err)
		}
		return certificate(t, c.Cert), c.Revoke
	}
	first, _ := issue(a, "asset:1")
	second, revoke := issue(a, "asset:1")
	market, _ := issue(a, "market:1")
	stranger, _ := issue(foreign, "asset:1")
	unknown := func(err error) bool {
		var e *accesscontrol.UnknownCertificateError
		return errors.As(err, &e) && strings.Contains(err.Error(), "chaincode with given certificate hash ")
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	none := is(nil)
	ctx := t.Context()
	for _, test := range []struct {
		name string
		ctx  context.Context
		want string
		err  func(error) bool
	}{
		{"own", under(ctx, first), "asset:1", none},
		{"another of that name", under(ctx, second), "asset:1", none},
		{"another name", under(ctx, market), "market:1", none},
		{"only the first counts", under(ctx, stranger, first), "", unknown},
		{"another CA's", under(ctx, stranger), "", unknown},
		{"none", under(ctx), "", is(accesscontrol.ErrNoCertificate)},
		{"no TLS", peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{}}), "", is(accesscontrol.ErrNoTLS)},
		{"no connection", ctx, "", is(accesscontrol.ErrNoTLS)},
	} {
		if got, err := a.Identify(test.ctx); got != test.want || !test.err(err) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
	revoke()
	if got, err := a.Identify(under(ctx, second)); got != "" || !unknown(err) {
		t.Errorf("revoked: %q, %v", got, err)
	}
	if got, err := a.Identify(under(ctx, first)); got != "asset:1" || err != nil {
		t.Errorf("not revoked: %q, %v", got, err)
	}
}

func TestCredential(t *testing.T) {
	a := newAuth(t, accesscontrol.Config{})
	if _, err := a.Issue(""); err == nil {
		t.Error("a certificate is issued for no chaincode")
	}
	c, err := a.Issue("asset:1")
	if err != nil {
		t.Fatal(err)
	}
	root, own := certificate(t, c.RootCert), certificate(t, c.Cert)
	block, _ := pem.Decode(c.Key)
	if block == nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("key is not PKCS #8: %v", block)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := key.(*ecdsa.PrivateKey); !ok || !k.PublicKey.Equal(own.PublicKey) || k.Params().BitSize != 256 {
		t.Error("the key is not the certificate's, on P-256")
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	// F58: also with a clock that is a day off.
	for _, now := range []time.Time{time.Now(), time.Now().Add(-24 * time.Hour), time.Now().Add(24 * time.Hour)} {
		opts := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if _, err := own.Verify(opts); err != nil {
			t.Errorf("at %s: %v", now, err)
		}
	}
	if _, err := own.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("the certificate is good for a server")
	}
	if own.IsCA || strings.Contains(own.Subject.String(), "asset") {
		t.Errorf("certificate is for %s, CA: %t", own.Subject, own.IsCA)
	}
}

func TestHosts(t *testing.T) {
	for _, test := range []struct {
		hosts    []string
		serves   []string
		declines string
		want     string // part of New's error
	}{
		{nil, []string{"localhost", "127.0.0.1", "::1"}, "peer.example.com", ""},
		{[]string{"peer.example.com", "192.0.2.1"}, []string{"peer.example.com", "192.0.2.1"}, "localhost", ""},
		{[]string{""}, nil, "", `host "" is neither`},
		{[]string{"localhost:7052"}, nil, "", `host "localhost:7052" is neither`},
		{[]string{"unix:///run/peer.sock"}, nil, "", "is neither a name nor an IP address"},
	} {
		a, err := accesscontrol.New(accesscontrol.Config{Hosts: test.hosts})
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New with %q: %v, want %s", test.hosts, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("New with %q: %v", test.hosts, err)
			continue
		}
		for _, host := range test.serves {
			if err := handshake(t, a, host); err != nil {
				t.Errorf("New with %q: as %s: %v", test.hosts, host, err)
			}
		}
		if err := handshake(t, a, test.declines); err == nil {
			t.Errorf("New with %q serves as %s", test.hosts, test.declines)
		}
	}
}

// handshake connects to a listener that it expects to be host, and returns the client's error.
func handshake(t *testing.T, a *accesscontrol.Authenticator, host string) error {
	t.Helper()
	return handshakeFor(t, a, host, "h2")
}

func handshakeFor(t *testing.T, a *accesscontrol.Authenticator, host string, protocols ...string) error {
	t.Helper()
	c, err := a.Issue("asset:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Revoke()
	theirs, ours := net.Pipe()
	defer func() { _ = ours.Close() }()
	var done sync.WaitGroup
	defer done.Wait()
	done.Go(func() {
		if conn, _, err := a.ServerCredentials().Clone().ServerHandshake(theirs); err == nil {
			_ = conn.Close()
		}
		_ = theirs.Close()
	})
	cfg := clientTLS(t, c)
	cfg.ServerName, cfg.NextProtos = host, protocols
	conn := tls.Client(ours, cfg)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		_ = ours.Close()
		return err
	}
	_, _ = conn.Read(make([]byte, 1)) // the other side has finished as well
	return nil
}

// What strangers send is not repeated in the log as long as it is.
func TestRefusalsAreShort(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	a := newAuth(t, accesscontrol.Config{Logger: zap.New(core)})
	protocols := slices.Repeat([]string{strings.Repeat("p", 250)}, 200)
	if err := handshakeFor(t, a, "localhost", protocols...); err == nil {
		t.Error("a protocol that nobody knows is spoken")
	}
	for _, line := range logs.All() {
		if text, _ := line.ContextMap()["error"].(string); len(text) > 600 || !strings.Contains(text, "unsupported application protocols") || !strings.HasSuffix(text, "bytes cut)") {
			t.Errorf("a line has %d bytes: %.100s", len(text), text)
		}
	}
	if logs.Len() != 1 {
		t.Errorf("there are %d lines", logs.Len())
	}
}

// F165: whoever knocks at the door does not fill the log, and every knock is counted, nor does a Logger that panics open it.
func TestRefusalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		a := newAuth(t, accesscontrol.Config{Logger: zap.New(core)})
		knock := func(times, lines int) {
			t.Helper()
			before := logs.Len()
			for range times {
				_, _ = a.Identify(under(t.Context()))
			}
			if n := logs.Len() - before; n != lines {
				t.Errorf("%d lines of %d refusals, want %d", n, times, lines)
			}
		}
		knock(100, 10)
		for range 20 { // as long as a minute's sampler would leave them out
			<-time.After(time.Second)
			knock(50, 1)
		}
		knock(7, 0)
		if n := logs.FilterLoggerName("chaincode.accesscontrol").FilterMessage("refused a chaincode's stream").Len(); n != logs.Len() {
			t.Errorf("%d lines of %d", n, logs.Len())
		}
		for range 2 {
			a.Flush()
		}
		counted := int64(logs.Len() - 1) // one line only counts
		for _, line := range logs.All() {
			n, _ := line.ContextMap()["skipped"].(int64)
			counted += n
		}
		if counted != 100+20*50+7 || logs.Len() != 31 {
			t.Errorf("%d refusals are written or counted in %d lines", counted, logs.Len())
		}
	})
	a := newAuth(t, accesscontrol.Config{Logger: zap.New(brokenCore{zapcore.NewNopCore()})})
	for range 12 {
		if _, err := a.Identify(under(t.Context())); !errors.Is(err, accesscontrol.ErrNoCertificate) {
			t.Errorf("Identify: %v", err)
		}
	}
	a.Flush()
}

// brokenCore is a logger that panics.
type brokenCore struct{ zapcore.Core }

func (brokenCore) Enabled(zapcore.Level) bool      { return true }
func (c brokenCore) With([]zap.Field) zapcore.Core { return c }
func (brokenCore) Check(zapcore.Entry, *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	panic("disk full")
}
