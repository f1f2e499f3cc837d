package interop_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// keeping issues certificates, and keeps them.
type keeping struct {
	runtime.Issuer
	mu     sync.Mutex
	issued []runtime.Credential
	replay bool // from now on, the first one is issued again
}

// Issue implements runtime.Issuer.
func (k *keeping) Issue(chaincodeID string) (*runtime.Credential, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.replay && len(k.issued) > 0 {
		first := k.issued[0]
		return &first, nil
	}
	c, err := k.Issuer.Issue(chaincodeID)
	if err == nil {
		k.issued = append(k.issued, *c)
	}
	return c, err
}

// first returns what was issued first.
func (k *keeping) first() runtime.Credential {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.issued[0]
}

// F15: a chaincode that has been stopped, and comes back with the certificate that it had, is refused, however often it
// comes. The shim says so in the launch's error.
func TestCertificateOfAStoppedLaunch(t *testing.T) {
	t.Parallel()
	atOnce(t, securedShims(t), func(t *testing.T, s secured) {
		p := newWatched(t, s, func(c *process.Config) { c.TLS = &keeping{Issuer: c.TLS, replay: true} })
		p.text("PutState k v")
		if err := p.Stop(t.Context(), "a:1"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := p.Launch(t.Context(), "a:1")
			var exit *process.ExitError
			if !errors.As(err, &exit) || !tells(err, "not found in registry") {
				t.Errorf("Launch: %v", err)
			}
		}
		p.awaitStatus("refused", 20*time.Second, func(s chaincodesupport.Status) bool { return s.State == chaincodesupport.Stopped })
	})
}

// tells says whether a shim has printed why its stream was refused. Where the stream has ended before it has sent REGISTER,
// Go's does not ask.
func tells(err error, why string) bool {
	return strings.Contains(err.Error(), why) || strings.HasSuffix(err.Error(), "error sending chaincode REGISTER: EOF")
}

// F15, F17: as long as a runs, whoever else has its certificate becomes neither b, though that is being launched, nor a
// second a. a does not notice.
func TestCertificateOfALiveLaunch(t *testing.T) {
	t.Parallel()
	atOnce(t, overTCP(securedShims(t)), func(t *testing.T, s secured) {
		var issuer *keeping
		var address string
		p := newWatched(t, s, func(c *process.Config) {
			issuer, address = &keeping{Issuer: c.TLS}, c.PeerAddress
			c.TLS = issuer
		}, neverRegisters("b:1"))
		p.text("PutState k v")
		before := p.status()
		launched := make(chan error, 1)
		go func() { launched <- p.Launch(t.Context(), "b:1") }()
		p.awaitList("b's launch", 20*time.Second, func(list []chaincodesupport.Status) bool { return len(list) == 2 })
		client := dialPeer(t, address, issuer.first())
		for name, want := range map[string]codes.Code{"b:1": codes.PermissionDenied, "a:1": codes.AlreadyExists, "a:2": codes.PermissionDenied} {
			chat := newChat(t, client)
			chat.register(name)
			if _, err := chat.Recv(); status.Code(err) != want {
				t.Errorf("REGISTER %s: %v, want %s", name, err, want)
			}
		}
		if list := p.List(); len(list) != 2 || list[0] != before || list[1].State != chaincodesupport.Launching || len(p.pids()) != 1 {
			t.Errorf("chaincodes are %+v, and a was %+v; processes %d", list, before, p.pids())
		}
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
		if err := p.Stop(t.Context(), "b:1"); err != nil {
			t.Error(err)
		}
		if err := <-launched; err == nil {
			t.Error("b was launched")
		}
	})
}

// neverRegisters has a chaincode be launched for ever.
func neverRegisters(chaincodeID string) setting {
	return func(c *chaincodesupport.Config) {
		others := c.Runtimes
		c.Runtimes = choose(func(id string) runtime.Runtime {
			if id == chaincodeID {
				return silent{}
			}
			return askRuntime(others, id)
		})
	}
}

// silent is a runtime whose chaincode says nothing.
type silent struct{}

var _ runtime.Runtime = silent{}

// Run implements runtime.Runtime.
func (silent) Run(ctx context.Context, _ string, _ runtime.StreamHandler) error {
	<-ctx.Done()
	return nil
}

// F16: who has registered as a on a stream, and is ready, does not become b on it.
func TestNameOfAStream(t *testing.T) {
	t.Parallel()
	auth := authenticator(t)
	turn, answers := make(chan struct{}), make(chan error, 1)
	w := way{family: goWays()[0].family, name: "tcp", listen: listenTCP, runtime: func(t testing.TB, address string) runtime.Runtime {
		return turncoat{t: t, address: address, issuer: auth, turn: turn, answers: answers}
	}}
	p := newUnlaunched(t, w, identified(auth))
	if err := p.Launch(t.Context(), "a:1"); err != nil {
		t.Fatal(err)
	}
	close(turn)
	if err := <-answers; status.Code(err) != codes.InvalidArgument {
		t.Errorf("its stream has ended with %v", err)
	}
	if list := p.List(); slices.ContainsFunc(list, func(s chaincodesupport.Status) bool { return s.ChaincodeID == "b:1" }) {
		t.Errorf("there is a b: %+v", list)
	}
}

// turncoat is chaincode that registers under its name, and then under another.
type turncoat struct {
	t       testing.TB
	address string
	issuer  runtime.Issuer
	turn    <-chan struct{} // closed when it is time for the second REGISTER
	answers chan<- error    // gets what that is answered with
}

var _ runtime.Runtime = turncoat{}

// Run implements runtime.Runtime.
func (r turncoat) Run(ctx context.Context, chaincodeID string, _ runtime.StreamHandler) error {
	credential, err := r.issuer.Issue(chaincodeID)
	if err != nil {
		return err
	}
	defer credential.Revoke()
	c := newChat(r.t, dialPeer(r.t, r.address, *credential))
	c.register(chaincodeID)
	for _, want := range []peer.ChaincodeMessage_Type{peer.ChaincodeMessage_REGISTERED, peer.ChaincodeMessage_READY} {
		if m, err := c.Recv(); err != nil || m.Type != want {
			return errors.Errorf("want %s: %v, %v", want, m, err)
		}
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return errors.New("the first REGISTER has ended it")
	}
	c.register("b:1")
	_, err = c.Recv()
	r.answers <- err
	<-ctx.Done()
	return nil
}

// dialPeer connects to the peer as chaincode with this credential does.
func dialPeer(t testing.TB, address string, c runtime.Credential) peer.ChaincodeSupportClient {
	t.Helper()
	own, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.RootCert)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: roots, MinVersion: tls.VersionTLS12,
	})))
	if err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return peer.NewChaincodeSupportClient(conn)
}

// chat is a stream to the peer on the official bindings.
type chat struct {
	t testing.TB
	peer.ChaincodeSupport_RegisterClient
}

func newChat(t testing.TB, client peer.ChaincodeSupportClient) chat {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	s, err := client.Register(ctx)
	if err != nil {
		t.Error(err)
	}
	return chat{t, s}
}

// register sends REGISTER.
func (c chat) register(name string) {
	c.t.Helper()
	payload, err := proto.Marshal(&peer.ChaincodeID{Name: name})
	if err != nil {
		c.t.Error(err)
	}
	if err := c.Send(&peer.ChaincodeMessage{Type: peer.ChaincodeMessage_REGISTER, Payload: payload}); err != nil {
		c.t.Error(err)
	}
}
