package interop_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// secureServers are the official shims as servers that a peer dials by mutual TLS.
func secureServers(t testing.TB) []secured {
	install(t)
	this := func(family string) func(testing.TB) process.Config {
		return func(t testing.TB) process.Config { return serverProcess(t, family) }
	}
	return []secured{
		{family: goWays()[0].family, name: "server", process: this(goFamily)},
		{family: contractGoWays()[0].family, name: "server", process: this(contractGoFamily)},
		{family: nodeFamily("node", "shim25"), name: "server", process: func(t testing.TB) process.Config {
			return nodeProcess(t, "shim25")
		}},
		{family: nodeContractFamily(), name: "server", process: nodeContractTLS},
	}
}

// nodeContractTLS runs the contracts as a server, with the program that fabric-shim brings along for that.
func nodeContractTLS(t testing.TB) process.Config {
	cfg := nodeContractProcess(t, "-c", `
		set -- server --chaincode-address "$`+serverVar+`" --chaincode-id "$CORE_CHAINCODE_ID_NAME"
		if "$CORE_PEER_TLS_ENABLED"; then
			set -- "$@" --chaincode-tls-key-file "$CORE_TLS_CLIENT_KEY_FILE" --chaincode-tls-cert-file "$CORE_TLS_CLIENT_CERT_FILE" \
				--chaincode-tls-client-cacert-file "$CORE_PEER_TLS_ROOTCERT_FILE"
		fi
		exec "$0" "$@"`)
	cfg.Args = append(cfg.Args, cfg.Command)
	cfg.Command = "/bin/sh"
	return cfg
}

// serverTLS is mutual TLS between chaincode that is a server and the peer that dials it, with one authority for both.
type serverTLS struct {
	ca *authority
	// spoil changes what the two have, so that they must not come together. Nil: nothing.
	spoil func(*proofs)
}

// proofs are what a server and its peer prove to each other who they are with.
type proofs struct {
	process    *process.Config // the server's
	server     pair
	connection connection // the peer's
}

// connection is a connection.json.
type connection struct {
	Address            string `json:"address"`
	DialTimeout        string `json:"dial_timeout"`
	TLSRequired        bool   `json:"tls_required"`
	ClientAuthRequired bool   `json:"client_auth_required"`
	ClientKey          string `json:"client_key"`
	ClientCert         string `json:"client_cert"`
	RootCert           string `json:"root_cert"`
}

// arrange gives a server's process its side of TLS, and returns the peer's.
func (s *serverTLS) arrange(cfg *process.Config, address string) (dial.Config, error) {
	p, err := s.proofs(cfg, address)
	if err != nil {
		return dial.Config{}, err
	}
	file, err := json.Marshal(p.connection)
	if err != nil {
		return dial.Config{}, errors.Wrap(err, "encode connection.json")
	}
	return dial.ParseConnection(file)
}

// proofs are arrange's.
func (s *serverTLS) proofs(cfg *process.Config, address string) (*proofs, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Wrap(err, "split the server's address")
	}
	p := &proofs{process: cfg}
	if p.server, err = s.ca.issue(host); err != nil {
		return nil, err
	}
	client, err := s.ca.issue("peer.example.com")
	if err != nil {
		return nil, err
	}
	p.connection = connection{
		Address: address, DialTimeout: "10s", TLSRequired: true, ClientAuthRequired: true,
		ClientKey: client.key, ClientCert: client.cert, RootCert: s.ca.root(),
	}
	if s.spoil != nil {
		s.spoil(p)
	}
	cfg.TLS = fixed{Key: []byte(p.server.key), Cert: []byte(p.server.cert), RootCert: []byte(s.ca.root())}
	return p, nil
}

// fixed has the process runtime write a server's key and certificates to files: it always issues the same.
type fixed runtime.Credential

var _ runtime.Issuer = fixed{}

// Issue implements runtime.Issuer.
func (f fixed) Issue(string) (*runtime.Credential, error) {
	c := runtime.Credential(f)
	c.Revoke = func() {}
	return &c, nil
}

// served returns how to run a server with this TLS. change may change its process; nil: nothing.
func (s secured) served(t testing.TB, tls serverTLS, change func(*process.Config)) way {
	t.Helper()
	return way{family: s.family, name: s.name, runtime: func(t testing.TB, _ string) runtime.Runtime {
		cfg := s.process(t)
		if change != nil {
			change(&cfg)
		}
		return server{process: cfg, tls: &tls}
	}}
}

// newWatchedServer is newWatched for a server with this TLS.
func newWatchedServer(t testing.TB, s secured, tls serverTLS) watchedPeer {
	t.Helper()
	seen := new(watched)
	return newPeer(t, s.served(t, tls, seen.watch)).watchedBy(seen)
}

// Official servers work by mutual TLS with a peer that dials them as a connection.json says, also when they are launched
// again.
func TestServerMutualTLS(t *testing.T) {
	t.Parallel()
	atOnce(t, secureServers(t), func(t *testing.T, s secured) {
		p := newWatched(t, s, nil)
		p.text("PutState k v")
		if err := p.Stop(t.Context(), "a:1"); err != nil {
			t.Fatal(err)
		}
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q, want v", got)
		}
		if got := p.success(call{chaincode: "b", args: []string{"GetState", "k"}}); got != "" {
			t.Errorf("b has a's key: %q", got)
		}
	})
}

// F68: a server that is somebody else, or a peer that it doesn't know, and nothing is launched.
func TestServerWithoutTheCertificate(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	elsewhere, unknown := ca.mustIssue(t, "elsewhere.example.com"), stranger.mustIssue(t, "peer.example.com")
	for _, test := range []struct {
		name   string
		spoil  func(*proofs)
		want   string // in the error
		verify bool   // it is one of verifying the server
	}{
		{"another name", func(p *proofs) { setEnv(p.process, "CORE_CHAINCODE_ID_NAME=b:1") }, `chaincodeID name "b:1" is not the one of this stream`, false},
		{"server of another host", func(p *proofs) { p.server = elsewhere }, "doesn't contain any IP SANs", true},
		{"server of another CA", func(p *proofs) { p.connection.RootCert = stranger.root() }, "certificate signed by unknown authority", true},
		{"server in plaintext", func(p *proofs) { setEnv(p.process, "CORE_PEER_TLS_ENABLED=false") }, "first record does not look like a TLS handshake", false},
		{"peer in plaintext", func(p *proofs) { p.connection.TLSRequired = false }, "code = Unavailable", false},
		{"peer without a certificate", func(p *proofs) { p.connection.ClientAuthRequired = false }, "code = Unavailable", false},
		{"peer of another CA", func(p *proofs) { p.connection.ClientCert, p.connection.ClientKey = unknown.cert, unknown.key }, "code = Unavailable", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			atOnce(t, secureServers(t), func(t *testing.T, s secured) {
				w := s.served(t, serverTLS{ca: ca, spoil: func(p *proofs) {
					p.connection.DialTimeout = "3s"
					test.spoil(p)
				}}, nil)
				err := newUnlaunched(t, w).Launch(t.Context(), "a:1")
				if err == nil || !strings.Contains(err.Error(), "connection to a:1 failed: ") || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Launch: %v, want %s", err, test.want)
				}
				var unverified *tls.CertificateVerificationError
				if errors.As(err, &unverified) != test.verify {
					t.Errorf("Launch: %#v", err)
				}
			})
		})
	}
}

// F15, F68: a server that has registered under its name, and comes back with another one, is refused.
func TestServerChangesItsName(t *testing.T) {
	t.Parallel()
	atOnce(t, secureServers(t), func(t *testing.T, s secured) {
		launches := 0
		p := newWatchedServer(t, s, serverTLS{ca: newAuthority(t), spoil: func(p *proofs) {
			if launches++; launches > 1 {
				setEnv(p.process, "CORE_CHAINCODE_ID_NAME=b:1")
			}
		}})
		p.text("PutState k v")
		p.signal(syscall.SIGKILL)
		p.awaitStatus("killed", 20*time.Second, func(s chaincodesupport.Status) bool { return s.State == chaincodesupport.Stopped })
		for range 2 {
			err := p.Launch(t.Context(), "a:1")
			if err == nil || !strings.Contains(err.Error(), `chaincodeID name "b:1" is not the one of this stream, "a:1"`) {
				t.Errorf("Launch: %v", err)
			}
		}
		for _, status := range p.List() {
			if status.State == chaincodesupport.Ready {
				t.Errorf("%s is there", status.ChaincodeID)
			}
		}
	})
}

func setEnv(cfg *process.Config, kv string) { cfg.Env = append(slices.Clone(cfg.Env), kv) }
