package network

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// ChannelID is the channel that the peers are on.
const ChannelID = "mychannel"

// limit is how long a network may take to start, even on a machine that is busy with something else.
const limit = 3 * time.Minute

// Config says what a network has.
type Config struct {
	// Chaincodes are the chaincodes of the channel. Nil: Both and Either.
	Chaincodes []Chaincode
	// MaxMessages and Timeout say when the orderer cuts a block. Zero: only when somebody wants it (see Network.Cut).
	MaxMessages int
	Timeout     time.Duration
	// ClientCertificates says that peers want to see a certificate of who connects to them.
	ClientCertificates bool
	// PullTimeout is how long a peer waits for private data that it should have, before it commits a block. Zero: not at all.
	PullTimeout time.Duration
}

// Network is a network of Fabric.
type Network struct {
	// Organizations are Org1MSP and Org2MSP.
	Organizations [2]*Organization
	// OrdererMSP is the organization of the orderer.
	OrdererMSP *identity.MSP

	t              testing.TB
	dir, bin       string
	tls            *authority
	orderer, admin node
	broadcasts     *grpc.ClientConn
	genesis        []byte
	cfg            Config
	submitted      submissions
	processes      map[string]int
}

// Processes returns the IDs of the network's processes, by what they are. It must not be modified.
func (n *Network) Processes() map[string]int { return n.processes }

// Organization is one of those that have a peer.
type Organization struct {
	// MSP issues identities.
	MSP *identity.MSP
	// Admin and User are an administrator and a client. Peer is the peer itself, so that a test can endorse what no peer would.
	Admin, User, Peer *identity.Identity

	network         *Network
	peer, chaincode node
	conn            *grpc.ClientConn
}

// node is something that listens.
type node struct{ port int }

func (n node) address() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// Start starts a network with a channel, and defines chaincodes Both and Either on it. bin is where Build has built Fabric's
// programs. The network ends with the test, which fails if it doesn't start.
func Start(t testing.TB, bin string) *Network {
	t.Helper()
	return StartWith(t, bin, Config{})
}

// StartWith starts a network as Start does, but one that has what is wanted.
func StartWith(t testing.TB, bin string, cfg Config) *Network {
	t.Helper()
	if cfg.Chaincodes == nil {
		cfg.Chaincodes = chaincodes()
	}
	n := &Network{t: t, bin: bin, dir: t.TempDir(), cfg: cfg}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"make organizations", n.makeOrganizations},
		{"choose ports", n.choosePorts},
		{"start", n.start},
		{"connect", n.connect},
		{"join orderer to channel", n.joinOrderer},
		{"join peers to channel", n.joinPeers},
		{"wait for the orderer", n.Cut},
		{"define chaincode", n.defineChaincodes},
		{"wait until the peers know each other", n.meet},
	} {
		begun := time.Now()
		if err := step.do(ctx); err != nil {
			t.Fatalf("%s: %+v", step.name, err)
		}
		t.Logf("%s: %s", step.name, time.Since(begun).Round(time.Millisecond))
	}
	return n
}

func (n *Network) makeOrganizations(context.Context) (err error) {
	if n.tls, err = newAuthority(); err != nil {
		return err
	}
	if err := n.tls.write(n.path("tls")); err != nil {
		return err
	}
	issue := func(msp *identity.MSP, unit string) (id *identity.Identity, err error) {
		if id, err = msp.Issue(identity.Config{CommonName: unit, OUs: []string{unit}}); err != nil {
			return nil, err
		}
		return id, n.tls.writeMSP(n.path(msp.ID(), unit), msp, id)
	}
	if n.OrdererMSP, err = identity.NewMSP(identity.MSPConfig{ID: "OrdererMSP"}); err != nil {
		return err
	}
	if _, err := issue(n.OrdererMSP, "orderer"); err != nil {
		return err
	}
	for i := range n.Organizations {
		o := &Organization{network: n}
		n.Organizations[i] = o
		if o.MSP, err = identity.NewMSP(identity.MSPConfig{ID: fmt.Sprintf("Org%dMSP", i+1)}); err != nil {
			return err
		}
		for unit, id := range map[string]**identity.Identity{"admin": &o.Admin, "client": &o.User, "peer": &o.Peer} {
			if *id, err = issue(o.MSP, unit); err != nil {
				return err
			}
		}
		if err := n.tls.writeMSP(n.path(o.MSP.ID(), "msp"), o.MSP, nil); err != nil {
			return err
		}
	}
	return n.tls.writeMSP(n.path("OrdererMSP", "msp"), n.OrdererMSP, nil)
}

// choosePorts finds ports that nobody listens on. They are all taken before any of them is let go of. They are below those from which
// systems connect: otherwise a connection of anybody's could have one before a process listens on it.
func (n *Network) choosePorts(context.Context) error {
	nodes := []*node{&n.orderer, &n.admin}
	for _, o := range n.Organizations {
		nodes = append(nodes, &o.peer, &o.chaincode)
	}
	for _, x := range nodes {
		var l net.Listener
		for tries := 0; l == nil; tries++ {
			var err error
			x.port = 10_000 + rand.IntN(20_000) //nolint:gosec // it needn't be a secret
			if l, err = net.Listen("tcp", x.address()); err != nil && tries == 1000 {
				return errors.WithStack(err)
			}
		}
		defer l.Close() //nolint:errcheck // nobody has connected
	}
	return nil
}

// start starts the processes, and makes the channel's first block.
func (n *Network) start(context.Context) error {
	files := map[string]string{"configtx.yaml": n.configtx(), "orderer/orderer.yaml": n.ordererConfig()}
	for name, text := range builder() {
		files["builder/bin/"+name] = text
	}
	for _, o := range n.Organizations {
		files[o.MSP.ID()+"/core.yaml"] = n.peerConfig(o)
	}
	for name, text := range files {
		if err := target.WriteFile(n.path(filepath.FromSlash(name)), []byte(text)); err != nil {
			return err
		}
	}
	for name := range builder() {
		if err := os.Chmod(n.path("builder", "bin", name), 0o700); err != nil { //nolint:gosec // they are run
			return errors.WithStack(err)
		}
	}
	n.processes = map[string]int{"orderer": start(n.t, "orderer", program(n.bin, "orderer", n.path("orderer")))}
	for _, o := range n.Organizations {
		name := "peer of " + o.MSP.ID()
		n.processes[name] = start(n.t, name, program(n.bin, "peer", n.path(o.MSP.ID()), "node", "start"))
	}
	out, err := program(n.bin, "configtxgen", n.dir, "-profile", "channel", "-channelID", ChannelID, "-outputBlock", "genesis.pb").CombinedOutput()
	if err != nil {
		return errors.Wrapf(err, "configtxgen\n%s", out)
	}
	n.genesis, err = os.ReadFile(n.path("genesis.pb"))
	return errors.WithStack(err)
}

func (n *Network) connect(context.Context) (err error) {
	if n.broadcasts, err = n.dial(n.orderer); err != nil {
		return err
	}
	for _, o := range n.Organizations {
		if o.conn, err = n.dial(o.peer); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) dial(to node) (*grpc.ClientConn, error) {
	conn, err := dial(to.address(), n.tls.client())
	if err == nil {
		n.t.Cleanup(func() {
			if err := conn.Close(); err != nil {
				n.t.Error(err)
			}
		})
	}
	return conn, err
}

// joinOrderer gives the orderer the channel's first block, by its API for administrators.
func (n *Network) joinOrderer(ctx context.Context) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("config-block", "genesis.pb")
	if err != nil {
		return errors.WithStack(err)
	}
	if _, err := part.Write(n.genesis); err != nil {
		return errors.WithStack(err)
	}
	if err := form.Close(); err != nil {
		return errors.WithStack(err)
	}
	transport := &http.Transport{TLSClientConfig: n.tls.client()}
	defer transport.CloseIdleConnections()
	for {
		status, err := post(ctx, transport, "https://"+n.admin.address()+"/participation/v1/channels", form.FormDataContentType(), body.Bytes())
		switch {
		case err == nil && status == http.StatusCreated:
			return nil
		case err == nil:
			return errors.Errorf("status %d", status)
		}
		if pause(ctx) != nil { // it isn't listening yet
			return err
		}
	}
}

func post(ctx context.Context, by http.RoundTripper, url, contentType string, body []byte) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.WithStack(err)
	}
	r.Header.Set("Content-Type", contentType)
	response, err := by.RoundTrip(r)
	if err != nil {
		return 0, errors.WithStack(err)
	}
	return response.StatusCode, errors.WithStack(response.Body.Close())
}

// pause waits a moment before something is tried again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.WithStack(ctx.Err())
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// joinPeers gives the peers the channel's first block.
func (n *Network) joinPeers(ctx context.Context) error {
	return n.each(func(o *Organization) error {
		return o.call(ctx, "cscc", []byte("JoinChain"), n.genesis)
	})
}

// each does something for both organizations at once.
func (n *Network) each(do func(*Organization) error) error {
	results := make(chan error, len(n.Organizations))
	for _, o := range n.Organizations {
		go func() { results <- errors.WithMessage(do(o), o.MSP.ID()) }()
	}
	var first error
	for range n.Organizations {
		if err := <-results; first == nil {
			first = err
		}
	}
	return first
}
