package devnet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/golden"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hello is a chaincode that answers with the organization of its peer.
type hello struct{}

func (hello) Init(shim.ChaincodeStubInterface) *pb.Response   { return shim.Success(nil) }
func (hello) Invoke(shim.ChaincodeStubInterface) *pb.Response { return shim.Success([]byte("hello")) }

// newNetwork starts a network with the chaincode hello, which lasts as long as the test.
func newNetwork(t testing.TB, cfg peer.NetworkConfig) *peer.Network {
	t.Helper()
	n, err := peer.NewNetwork(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	run := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error { return shim.StartInProc(id, s, hello{}) })
	if err := n.Deploy(t.Context(), peer.DefaultChannel, peer.Chaincode{Name: "hello", Runtime: run}); err != nil {
		t.Fatal(err)
	}
	return n
}

// start serves a network as long as the test lasts.
func start(t testing.TB, n *peer.Network, cfg devnet.Config) *devnet.Running {
	t.Helper()
	r, err := devnet.Start(t.Context(), n, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// dial connects to a peer as an application does that has the endpoint, and a certificate or none.
func dial(t testing.TB, e devnet.Endpoint, certificates ...tls.Certificate) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if e.TLSRoot != nil {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(e.TLSRoot) {
			t.Fatal("no certificate")
		}
		creds = credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: certificates})
	}
	conn, err := grpc.NewClient(e.Address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// propose has a client of an organization call hello.
func propose(t testing.TB, n *peer.Network, mspID string, conn *grpc.ClientConn) (*pb.ProposalResponse, error) {
	t.Helper()
	who, err := n.Client("User1@"+mspID, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: peer.DefaultChannel, Chaincode: "hello", Signer: who, Args: [][]byte{[]byte("hi")}})
	if err != nil {
		t.Fatal(err)
	}
	return pbgrpc.Call[pb.ProposalResponse](t.Context(), conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, p.Signed)
}

var twoOrganizations = []peer.Organization{{MSPID: "Org1MSP", Peers: 2}, {MSPID: "Org2MSP"}}

// Each peer is where it says that it is, with a certificate that fits, and endorses.
func TestStart(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: twoOrganizations})
	r := start(t, n, devnet.Config{})
	if len(r.Endpoints()) != 3 {
		t.Fatalf("got %v", r.Endpoints())
	}
	for _, e := range r.Endpoints() {
		if of := r.Endpoint(e.Peer); of.Address != e.Address || e.TLSRoot == nil {
			t.Errorf("%s is at %v and at %v", e.Peer, of, e)
		}
		response, err := propose(t, n, "Org1MSP", dial(t, e))
		if err != nil || string(response.GetResponse().GetPayload()) != "hello" {
			t.Errorf("%s: %v, %v", e.Peer, response, err)
			continue
		}
		var endorser pb.SerializedIdentity
		if err := proto.Unmarshal(response.GetEndorsement().GetEndorser(), &endorser); err != nil || endorser.Mspid != e.MSPID {
			t.Errorf("%s: endorsed by %s, %v", e.Peer, endorser.Mspid, err)
		}
	}
	if e := r.Endpoint("Org2MSP"); e.Peer != "peer0.Org2MSP" {
		t.Errorf("the first of Org2MSP: %v", e)
	}
	if e := r.Endpoint("Org3MSP"); e.Address != "" {
		t.Errorf("Org3MSP: %v", e)
	}
}

func TestPlaintext(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	e := start(t, n, devnet.Config{Plaintext: true}).Endpoint("Org1MSP")
	if e.TLSRoot != nil {
		t.Error("it has a TLS root")
	}
	if _, err := propose(t, n, "Org1MSP", dial(t, e)); err != nil {
		t.Error(err)
	}
}

// With mutual TLS, clients of all organizations may come, and nobody else.
func TestMutualTLS(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: twoOrganizations})
	r := start(t, n, devnet.Config{MutualTLS: true})
	e := r.Endpoint("Org1MSP")
	for _, mspID := range []string{"Org1MSP", "Org2MSP"} {
		certificate, err := n.ClientCertificate("User1@" + mspID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := propose(t, n, mspID, dial(t, e, certificate)); err != nil {
			t.Errorf("%s: %v", mspID, err)
		}
	}
	if _, err := propose(t, n, "Org1MSP", dial(t, e)); status.Code(err) != codes.Unavailable {
		t.Errorf("without a certificate: %v", err)
	}
}

// A network with a folder comes back where it was, with the same certificates. Its profiles are beside its MSP folders.
func TestRestart(t *testing.T) {
	folder := t.TempDir()
	var (
		before  devnet.Endpoint
		profile string
	)
	for range 2 {
		n := newNetwork(t, peer.NetworkConfig{Folder: folder})
		address := "127.0.0.1:0"
		if before.Address != "" {
			address = before.Address
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, n, devnet.Config{Listeners: map[string]net.Listener{"peer0.Org1MSP": l}})
		if err := r.WriteProfiles(folder); err != nil {
			t.Fatal(err)
		}
		e := r.Endpoint("Org1MSP")
		text, err := os.ReadFile(filepath.Join(folder, "organizations", "Org1MSP", devnet.ProfileFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.LinkSamples(folder, "User1"); err != nil {
			t.Fatal(err)
		}
		if before.Address != "" && (e.Address != before.Address || string(e.TLSRoot) != string(before.TLSRoot) || string(text) != profile) {
			t.Errorf("it was %v, and is %v\n%s\n%s", before, e, profile, text)
		}
		before, profile = e, string(text)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Applications of Fabric's samples find their files in the folder of a network, also when it is moved.
func TestLinkSamples(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no links")
	}
	folder := filepath.Join(t.TempDir(), "n")
	n := newNetwork(t, peer.NetworkConfig{Folder: folder, Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP", Peers: 2}, {MSPID: "acme"}}})
	if _, err := n.Client("User1@Org2MSP", nil); err != nil {
		t.Fatal(err)
	}
	r := start(t, n, devnet.Config{})
	if err := r.WriteProfiles(folder); err != nil {
		t.Fatal(err)
	}
	if err := r.LinkSamples(folder, "User1"); err != nil {
		t.Fatal(err)
	}
	moved := folder + "2"
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{
		"org2.example.com/users/User1@org2.example.com/msp/signcerts/cert.pem": true,
		"org2.example.com/users/User1@org2.example.com/msp/keystore/priv_sk":   true,
		"org2.example.com/peers/peer1.org2.example.com/tls/ca.crt":             true,
		"org2.example.com/connection-org2.json":                                true,
		"org1.example.com/msp/cacerts":                                         true,
		"org1.example.com/users/User1@org1.example.com/msp":                    false, // nobody has made it
		"acme": false,
	} {
		if _, err := os.Stat(filepath.Join(moved, "organizations/peerOrganizations", name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The certificates are good for the names that applications of Fabric's samples expect.
func TestNames(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org2MSP"}, {MSPID: "acme"}}})
	r := start(t, n, devnet.Config{Hosts: []string{"ledger.test"}})
	for _, test := range []struct {
		mspID, name string
		want        bool
	}{
		{"Org2MSP", "peer0.org2.example.com", true}, {"Org2MSP", "peer0.Org2MSP", true}, {"acme", "peer0.acme", true}, {"acme", "ledger.test", true},
		{"acme", "localhost", true}, {"acme", "peer0.org2.example.com", false},
	} {
		e := r.Endpoint(test.mspID)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(e.TLSRoot)
		c, err := tls.Dial("tcp", e.Address, &tls.Config{RootCAs: roots, ServerName: test.name, NextProtos: []string{"h2"}})
		if (err == nil) != test.want {
			t.Errorf("%s as %s: %v", test.mspID, test.name, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestStartFails(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for want, cfg := range map[string]devnet.Config{
		"serve network: Config.Listeners has one for a peer that the network doesn't have":                {Listeners: map[string]net.Listener{"peer1.Org1MSP": listen("127.0.0.1:0")}},
		"serve network: peer0.Org1MSP listens on every address of this machine: say by Config.Advertised": {Listeners: map[string]net.Listener{"peer0.Org1MSP": listen("0.0.0.0:0")}},
	} {
		if _, err := devnet.Start(t.Context(), n, cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		for _, l := range cfg.Listeners {
			if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
				_ = c.Close()
				t.Error("the listener is open")
			}
		}
	}
	r := start(t, n, devnet.Config{})
	if err := r.WriteProfiles(t.TempDir()); err == nil {
		t.Error("profiles were written, and the folder isn't the network's")
	}
}

// A profile has the form that fabric-network takes.
func TestProfile(t *testing.T) {
	text, err := devnet.Profile(devnet.ProfileConfig{MSPID: "Org2MSP", Channels: []string{"mychannel", "other"}, Peers: []devnet.Endpoint{
		{Peer: "peer0.Org1MSP", MSPID: "Org1MSP", Address: "127.0.0.1:7051", TLSRoot: []byte("-----BEGIN CERTIFICATE-----\n…\n")},
		{Peer: "peer0.Org2MSP", MSPID: "Org2MSP", Address: "127.0.0.1:9051", TLSRoot: []byte("-----BEGIN CERTIFICATE-----\n…\n")},
		{Peer: "peer1.Org2MSP", MSPID: "Org2MSP", Address: "[::1]:10051"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Error("it is no JSON")
	}
	const file = "testdata/connection.json"
	if golden.Update() {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(text) != string(want) {
		t.Errorf("got %s, want %s (%v)", text, want, err)
	}
	for _, cfg := range []devnet.ProfileConfig{
		{MSPID: "Org1MSP"},
		{MSPID: "Org1MSP", Peers: []devnet.Endpoint{{Peer: "p", MSPID: "Org1MSP", Address: "nowhere"}}},
	} {
		if _, err := devnet.Profile(cfg); err == nil {
			t.Errorf("%v: no error", cfg)
		}
	}
}
