package builder_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// ccaas does what Fabric's ccaas_builder does, for packages whose connection.json has no templates.
func ccaas(t testing.TB) builder.Builder {
	b := newBuilder(t, "ccaas", map[string]string{
		"detect":  `grep -qi '"type": *"ccaas"' "$2/metadata.json"`,
		"build":   `cp "$2/metadata.json" "$1/connection.json" "$3"; if [ -d "$1/META-INF" ]; then cp -R "$1/META-INF" "$3"; fi`,
		"release": `mkdir -p "$2/chaincode/server"; cp "$1/connection.json" "$2/chaincode/server"; if [ -d "$1/META-INF/statedb" ]; then cp -R "$1/META-INF/statedb" "$2"; fi`,
	})
	return b
}

// serve starts a chaincode server as a process of its own, and returns its address. It is ended with the test.
func serve(t testing.TB, a serverArgs) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), childVar+"=server", "GORACE=atexit_sleep_ms=0"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("chaincode server: %v", err)
		}
	})
	if err := json.NewEncoder(in).Encode(a); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// freeAddress returns one on which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

type connection map[string]any

func (c connection) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func newCCAAS(t testing.TB, dir string) *builder.Runtime {
	t.Helper()
	rt, err := builder.New(builder.Config{Builders: []builder.Builder{ccaas(t)}, Dir: dir}) // which needs no PeerAddress
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// A chaincode package as a service, from the archive to a transaction. The chaincode's ID has the package's hash, and the
// server is told its ID when it is started: so the package names the address first.
func TestServer(t *testing.T) {
	dir := t.TempDir()
	front, address := relay(t)
	p := newPackage(t, "ccaas", file{name: "connection.json", text: connection{"address": front, "dial_timeout": "10s", "tls_required": false}.String()},
		file{name: "META-INF/statedb/couchdb/indexes/owner.json", text: `{"index":{"fields":["owner"]},"ddoc":"d","name":"byOwner","type":"json"}`},
		file{name: "META-INF/statedb/couchdb/collections/secret/indexes/size.json", text: `{"index":{"fields":["size"]},"ddoc":"d","name":"bySize","type":"json"}`})
	rt := newCCAAS(t, dir)
	b := build(t, rt, p)
	address <- serve(t, serverArgs{ID: p.ID})
	cs := newSupport(t, rt)
	wantEcho(t, cs, p.ID, "t1")
	if err := cs.Stop(t.Context(), p.ID); err != nil {
		t.Errorf("Stop: %v", err)
	}
	wantEcho(t, newSupport(t, newCCAAS(t, dir)), p.ID, "t2") // after a restart
	indexes, err := kvledger.LoadIndexes(b.Metadata())
	if err != nil || len(indexes) != 2 || indexes[0].Name().Name != "byOwner" || indexes[0].Collection != "" || indexes[1].Collection != "secret" {
		t.Errorf("indexes are %+v, %v", indexes, err)
	}
}

// relay forwards connections to the address that it is given, so that a test knows an address before its server does.
func relay(t testing.TB) (address string, to chan<- string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		behind := <-target
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", behind)
			if err != nil {
				_ = c.Close()
				continue
			}
			go splice(c, back)
			go splice(back, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		select {
		case target <- "": // if the test did not come to it
		default:
		}
		<-done
	})
	return l.Addr().String(), target
}

// splice copies until one side ends, and ends the other.
func splice(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if _, writeErr := to.Write(b[:n]); err != nil || writeErr != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

func TestMetadata(t *testing.T) {
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", map[string]string{"release": `mkdir "$2/statedb"; echo x > "$2/statedb/a"`})}})
	fsys := build(t, rt, newPackage(t, "any")).Metadata()
	below, err := fs.Sub(fsys, "META-INF/statedb")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(below, "a"); err != nil {
		t.Error(err)
	}
	if all, err := fs.ReadDir(fsys, "META-INF"); err != nil || len(all) != 1 || all[0].Name() != "statedb" {
		t.Errorf("META-INF has %v, %v", all, err)
	}
	for _, name := range []string{".", "bld", "META-INF/../build-info.json", "META-INFO", "/META-INF", "META-INF/"} {
		if f, err := fsys.Open(name); err == nil {
			_ = f.Close()
			t.Errorf("%q can be opened", name)
		}
	}
	none, err := kvledger.LoadIndexes(build(t, rt, newPackage(t, "any", file{name: "x"})).Metadata())
	if err != nil || len(none) > 0 {
		t.Errorf("indexes are %v, %v", none, err)
	}
}

// pair is a certificate and its key, PEM.
type pair struct{ cert, key string }

// selfSigned returns a certificate for names, or if there are none, for 127.0.0.1.
func selfSigned(t testing.TB, names ...string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	if len(names) == 0 {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))}
}

// F68, and TLS as connection.json has it: the server's name is always verified, also where the server verifies the peer's.
func TestServerTLS(t *testing.T) {
	right, wrong, peer, stranger := selfSigned(t), selfSigned(t, "asset.example.com"), selfSigned(t), selfSigned(t)
	for name, test := range map[string]struct {
		server serverArgs
		file   connection
		want   string // "" is success
	}{
		"server only": {serverArgs{Cert: []byte(right.cert), Key: []byte(right.key)}, connection{"root_cert": right.cert}, ""},
		"mutual": {serverArgs{Cert: []byte(right.cert), Key: []byte(right.key), ClientCert: []byte(peer.cert)},
			connection{"root_cert": right.cert, "client_auth_required": true, "client_cert": peer.cert, "client_key": peer.key}, ""},
		"wrong name": {serverArgs{Cert: []byte(wrong.cert), Key: []byte(wrong.key)}, connection{"root_cert": wrong.cert}, "doesn't contain any IP SANs"},
		"domain is not the name that counts": {serverArgs{Cert: []byte(wrong.cert), Key: []byte(wrong.key)},
			connection{"root_cert": wrong.cert, "domain": "asset.example.com"}, "doesn't contain any IP SANs"},
		"wrong root": {serverArgs{Cert: []byte(right.cert), Key: []byte(right.key)}, connection{"root_cert": stranger.cert}, "unknown authority"},
		"peer has no certificate": {serverArgs{Cert: []byte(right.cert), Key: []byte(right.key), ClientCert: []byte(peer.cert)},
			connection{"root_cert": right.cert}, "code = Unavailable"},
		"peer has another certificate": {serverArgs{Cert: []byte(right.cert), Key: []byte(right.key), ClientCert: []byte(peer.cert)},
			connection{"root_cert": right.cert, "client_auth_required": true, "client_cert": stranger.cert, "client_key": stranger.key}, "code = Unavailable"},
		"the server has no TLS": {serverArgs{}, connection{"root_cert": right.cert}, "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			front, address := relay(t)
			test.file["address"], test.file["tls_required"], test.file["dial_timeout"] = front, true, "1s"
			p := newPackage(t, "ccaas", file{name: "connection.json", text: test.file.String()})
			rt := newCCAAS(t, t.TempDir())
			build(t, rt, p)
			test.server.ID = p.ID
			address <- serve(t, test.server)
			cs := newSupport(t, rt)
			if test.want == "" {
				wantEcho(t, cs, p.ID, "t1")
				return
			}
			err := cs.Launch(t.Context(), p.ID)
			wantText(t, err, "chaincode registration failed: connection to "+p.ID+" failed: ", test.want)
			var stranger *tls.CertificateVerificationError
			if wants := strings.Contains(test.want, "SANs"); wants && !errors.As(err, &stranger) {
				t.Errorf("error is %#v", err)
			}
		})
	}
}

// A server that is another chaincode's is not taken for this one's; the handler says so.
func TestServerOfAnotherChaincode(t *testing.T) {
	address := serve(t, serverArgs{ID: "other:1"})
	p := newPackage(t, "ccaas", file{name: "connection.json", text: connection{"address": address}.String()})
	rt := newCCAAS(t, t.TempDir())
	build(t, rt, p)
	wantText(t, newSupport(t, rt).Launch(t.Context(), p.ID), `chaincodeID name "other:1" is not the one of this stream`)
}

func TestServerIsNotUsable(t *testing.T) {
	for text, want := range map[string]string{
		"{":                           "decode connection.json",
		"{}":                          "chaincode address not provided",
		`{"address":"10.0.0.1:9999"}`: "plaintext is for loopback and unix: only",
	} {
		p := newPackage(t, "ccaas", file{name: "connection.json", text: text})
		rt := newCCAAS(t, t.TempDir())
		build(t, rt, p)
		wantNotStarted(t, rt.Run(t.Context(), p.ID, nil), "error starting container: ", want)
	}
	p := newPackage(t, "ccaas", file{name: "connection.json", text: connection{"address": freeAddress(t), "dial_timeout": "200ms"}.String()})
	rt := newCCAAS(t, t.TempDir())
	build(t, rt, p)
	wantText(t, rt.Run(t.Context(), p.ID, nil), "connection to "+p.ID+" failed: dial tcp", "connection refused")
	_, err := rt.Build(t.Context(), newPackage(t, "golang"))
	wantText(t, err, `no builder is for chaincode of type "golang"`)
}
