package dial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/shim"
)

func clientTLS(roots *x509.CertPool) *tls.Config { return &tls.Config{RootCAs: roots} }

func insecureTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// pair is a self-signed certificate and its key.
type pair struct{ cert, key []byte }

func selfSigned(t *testing.T, names ...string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "test"},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(time.Hour),
		DNSNames:    names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if len(names) > 0 {
		template.IPAddresses = nil
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}

// client trusts the given certificates, and proves p if it isn't nil.
func client(t *testing.T, p *pair, trusted ...pair) *tls.Config {
	t.Helper()
	cfg := clientTLS(x509.NewCertPool())
	for _, c := range trusted {
		cfg.RootCAs.AppendCertsFromPEM(c.cert)
	}
	if p != nil {
		own, err := tls.X509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{own}
	}
	return cfg
}

func named(cfg *tls.Config, name string) *tls.Config {
	cfg.ServerName = name
	return cfg
}

func TestTLS(t *testing.T) {
	byIP, byName, peer, stranger := selfSigned(t), selfSigned(t, "asset.example.com"), selfSigned(t), selfSigned(t)
	for _, test := range []struct {
		name    string
		listen  func(testing.TB) *listener
		server  pair
		clients []byte // the server's ClientCACerts
		tls     *tls.Config
		want    string // "" is success
	}{
		{"host in the address", listenTCP, byIP, nil, client(t, nil, byIP), ""},
		{"name", listenTCP, byName, nil, named(client(t, nil, byName), "asset.example.com"), ""},
		{"socket", listenUnix, byName, nil, named(client(t, nil, byName), "asset.example.com"), ""},
		{"client certificate", listenTCP, byIP, peer.cert, client(t, &peer, byIP), ""},
		{"unknown root", listenTCP, byIP, nil, client(t, nil, stranger), "unknown authority"},
		{"another name", listenTCP, byName, nil, client(t, nil, byName), "doesn't contain any IP SANs"},
		// In TLS 1.3 the server says so when the client thinks that all is well: the alert may be lost to a reset.
		{"no client certificate", listenTCP, byIP, peer.cert, client(t, nil, byIP), "code = Unavailable"},
		{"another client certificate", listenTCP, byIP, peer.cert, client(t, &stranger, byIP), "code = Unavailable"},
		{"plaintext", listenTCP, byIP, nil, nil, "speaks TLS: give Config.TLS (tls_required in a connection.json), or start it without: rpc error: code = Unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := test.listen(t)
			server := plaintext(l, echo)
			server.TLSProps = shim.TLSProperties{Cert: test.server.cert, Key: test.server.key, ClientCACerts: test.clients}
			serve(t, server)
			cs := newSupport(t, newRuntime(t, dial.Config{Address: l.address(), TLS: test.tls}))
			if test.want == "" {
				wantEcho(t, cs, "t1")
				return
			}
			err := cs.Launch(t.Context(), "asset:1")
			wantText(t, err, "chaincode registration failed: connection to asset:1 failed: ")
			wantText(t, err, test.want)
		})
	}
}

// F68: one side speaks TLS, the other doesn't. The error says which.
func TestOnlyOneSpeaksTLS(t *testing.T) {
	p := selfSigned(t, "asset.example.com")
	secure := listenTCP(t)
	server := plaintext(secure, echo)
	server.TLSProps.Disabled, server.TLSProps.Cert, server.TLSProps.Key = false, p.cert, p.key
	serve(t, server)
	err := newRuntime(t, dial.Config{Address: secure.address()}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: the server at "+secure.address()+" speaks TLS: give Config.TLS (tls_required in a connection.json), or start it without: ")

	open := listenTCP(t)
	serve(t, plaintext(open, echo))
	err = newRuntime(t, dial.Config{Address: open.address(), TLS: client(t, nil, p)}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: the server at "+open.address()+" does not speak TLS: start it with TLS, or dial it in plaintext: ")
}
