package interop_test

import (
	"net"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// secured is chaincode on a shim that dials its peer, or is dialled by it, and that has to be by mutual TLS.
type secured struct {
	*family
	name    string
	listen  func(testing.TB) net.Listener   // nil: it is a server
	process func(testing.TB) process.Config // but for what concerns the peer
}

// securedShims are those of all shims that dial. Over a Unix socket, Go's take the peer for localhost.
func securedShims(t testing.TB) []secured {
	install(t)
	this := func(family string) func(testing.TB) process.Config {
		return func(t testing.TB) process.Config {
			return process.Config{Command: self(t), MSPID: mspID, Env: []string{childVar + "=" + family}}
		}
	}
	node := func(project string) func(testing.TB) process.Config {
		return func(t testing.TB) process.Config {
			return nodeProcess(t, project, "--peer.address", "{{.PeerAddress}}")
		}
	}
	started := func(t testing.TB) process.Config {
		return nodeContractProcess(t, "start", "--peer.address", "{{.PeerAddress}}")
	}
	return []secured{
		{goWays()[0].family, "tcp", listenTCP, this(goFamily)},
		{goWays()[0].family, "unix", listenUnix, this(goFamily)},
		{contractGoWays()[0].family, "tcp", listenTCP, this(contractGoFamily)},
		{nodeFamily("node", "shim25"), "tcp", listenTCP, node("shim25")},
		{nodeContractFamily(), "tcp", listenTCP, started},
		{node22Family(), "tcp", listenTCP, node("shim22")},
	}
}

// way returns how to run it under mutual TLS: with the process runtime and what accesscontrol issues. What spoil changes of
// that makes the chaincode one that must be refused.
func (s secured) way(t testing.TB, spoil func(*process.Config)) (way, setting) {
	t.Helper()
	auth := authenticator(t)
	start := func(t testing.TB, peerAddress string) runtime.Runtime {
		cfg := s.process(t)
		cfg.PeerAddress, cfg.TLS = peerAddress, auth
		if spoil != nil {
			spoil(&cfg)
		}
		return newProcess(t, cfg)
	}
	w := way{family: s.family, name: s.name, listen: s.listen, runtime: start}
	return w, identified(auth)
}

func authenticator(t testing.TB) *accesscontrol.Authenticator {
	t.Helper()
	a, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Official shims work with the TLS settings that the process runtime gives them, also when they are launched again.
func TestMutualTLS(t *testing.T) {
	for _, s := range securedShims(t) {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			w, identify := s.way(t, nil)
			p := newPeer(t, w, identify)
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
}

// swapped issues certificates of one CA to chaincode that trusts another one.
type swapped struct{ runtime.Issuer }

func (s swapped) Issue(chaincodeID string) (*runtime.Credential, error) {
	foreign, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return nil, err
	}
	theirs, err := foreign.Issue(chaincodeID)
	if err != nil {
		return nil, err
	}
	ours, err := s.Issuer.Issue(chaincodeID)
	if err != nil {
		return nil, err
	}
	ours.Key, ours.Cert = theirs.Key, theirs.Cert
	return ours, nil
}

// F15: who has a's certificate does not become b, and who has none does not become anything. What the peer says of a's
// stream, or the shim of one that the peer cannot tell to be a's, is in the launch's error.
func TestWithoutTheCertificate(t *testing.T) {
	for _, s := range securedShims(t) {
		for _, test := range []struct {
			name  string
			spoil func(*process.Config)
			want  string
		}{
			{"another name", func(c *process.Config) { c.Env = append(c.Env, "CORE_CHAINCODE_ID_NAME=b:1") },
				`chaincodeID name "b:1" is not the one of this stream, "a:1"`},
			{"plaintext", func(c *process.Config) { c.Env = append(c.Env, "CORE_PEER_TLS_ENABLED=false") }, "unavailable"},
			{"another CA's", func(c *process.Config) { c.TLS = swapped{c.TLS} }, "unavailable"},
			{"another peer", func(c *process.Config) { c.TLS = authenticator(t) }, "unavailable"},
		} {
			t.Run(s.String()+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				w, identify := s.way(t, test.spoil)
				err := newUnlaunched(t, w, identify).Launch(t.Context(), "a:1")
				if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(test.want)) {
					t.Errorf("Launch: %v, want %s", err, test.want)
				}
			})
		}
	}
}
