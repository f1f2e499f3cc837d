package peer_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// described is a network whose channel says everything.
func described(all stores, folder string) peer.NetworkConfig {
	return peer.NetworkConfig{
		Organizations: threeOrganizations, Store: all.open, Folder: folder, Batch: ordering.Batch{MaxMessageCount: 7, Timeout: 5 * time.Millisecond},
		OrdererAddresses: []string{"localhost:7050"}, AnchorPeers: map[string][]string{"Org2MSP": {"localhost:7051"}},
	}
}

// A new channel begins with its configuration, which stays the same on all peers, whatever happens to them.
func TestConfig(t *testing.T) {
	all, folder := stores{}, filepath.Join(t.TempDir(), "network")
	var first *pb.Block
	for i := range 3 {
		if i == 2 { // a peer has lost everything
			delete(all, "peer0.Org1MSP")
		}
		n := newNetwork(t, described(all, folder))
		for _, p := range n.Peers() {
			c, err := p.Channel("mychannel").Config(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = c.Block
			}
			if !proto.Equal(c.Block, first) {
				t.Errorf("start %d: %s has another configuration", i, p.Name())
			}
			if b, err := p.Channel("mychannel").ConfigBlock(t.Context()); err != nil || b.GetHeader().GetNumber() != 0 {
				t.Errorf("%v, %v", b.GetHeader(), err)
			}
			checkGenesis(t, n, c)
		}
		deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
		submitWith(t, n, call("put", "k", "v"))
		b, err := n.Peers()[0].Channel("mychannel").Ledger().Block(t.Context(), uint64(i)+1)
		if err != nil {
			t.Fatal(err)
		}
		if last, err := block.LastConfig(b.Metadata); err != nil || last != 0 {
			t.Errorf("block %d says that the configuration is in block %d, %v", b.Number, last, err)
		}
		sameBlocks(t, n)
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// checkGenesis holds that a first block is as Fabric's, and says what the network is.
func checkGenesis(t *testing.T, n *peer.Network, c *peer.Configuration) {
	t.Helper()
	if err := block.Check(c.Block, 0, nil); err != nil {
		t.Error(err)
	}
	slots := c.Block.GetMetadata().GetMetadata()
	if filter := slots[pb.BlockMetadataIndex_TRANSACTIONS_FILTER]; !bytes.Equal(filter, []byte{0}) || len(slots[pb.BlockMetadataIndex_COMMIT_HASH]) != 0 {
		t.Errorf("its metadata are %x", slots)
	}
	says, err := channelconfig.Read(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, o := range says.Application.Organizations {
		members = append(members, o.MSP.MSPID)
		if !bytes.Contains(n.TLSRoot(o.MSP.MSPID), []byte("CERTIFICATE")) || len(o.MSP.TLSRoots) != 1 {
			t.Errorf("%s has the TLS roots %v", o.Name, o.MSP.TLSRoots)
		}
	}
	if !slices.Equal(members, []string{"Org1MSP", "Org2MSP", "Org3MSP"}) || !slices.Equal(says.Application.Organizations[1].AnchorPeers, []string{"localhost:7051"}) {
		t.Errorf("members are %v, anchor peers %v", members, says.Application.Organizations[1].AnchorPeers)
	}
	if a := says.OrdererAddresses(); !slices.Equal(a, []string{"localhost:7050"}) || says.Orderer.Batch.MaxMessageCount != 7 || says.Orderer.Batch.Timeout != 5*time.Millisecond {
		t.Errorf("orderers are at %v, and cut %+v", a, says.Orderer.Batch)
	}
}

// The peers go by the policies that a channel's configuration has.
func TestConfigPolicies(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	channel := n.Peers()[0].Channel("mychannel")
	c, err := channel.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	says, err := channelconfig.Read(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	if b := says.Orderer.Batch; b.MaxMessageCount != 1 || b.Timeout <= 0 {
		t.Errorf("each transaction has a block, but the configuration says %+v", b)
	}
	for name, p := range says.Application.Policies {
		want, err := says.Policy("/Channel/Application/" + name)
		if err != nil {
			t.Fatal(err)
		}
		has, err := channel.Policy(p.Rule, p.Of)
		if err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"alice@Org1MSP", "admin@Org2MSP"} {
			signer, err := channel.Verifier().Identify(client(t, n, who).Creator())
			if err != nil {
				t.Fatal(err)
			}
			if got := has.Evaluate([]*identity.Verified{signer}); (got == nil) != (want.Evaluate([]*identity.Verified{signer}) == nil) {
				t.Errorf("%s for %s: the peer says %v, the configuration %v", name, who, got, want.Evaluate([]*identity.Verified{signer}))
			}
		}
	}
}

// A channel from before there were configurations goes on without one.
func TestConfigMissing(t *testing.T) {
	all := stores{}
	s, err := all.open("peer0.Org1MSP")
	if err != nil {
		t.Fatal(err)
	}
	l, err := kvledger.NewProvider(s).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: "old"}); err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 2}}, Store: all.open})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	done, err := n.Submit(t.Context(), client(t, n, "alice"), call("put", "k", "v"))
	if err != nil || done.Outcome.Block != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	for _, p := range n.Peers() {
		if c, err := p.Channel("mychannel").Config(t.Context()); !errors.Is(err, peer.ErrNoConfig) {
			t.Errorf("%s has %v, %v", p.Name(), c, err)
		}
	}
}

// full is a store that takes nothing while it is full.
type full struct {
	store.Store
	is *atomic.Bool
}

func (f full) Commit(ctx context.Context, b *store.Batch) error {
	if f.is.Load() {
		return errors.New("disk is full")
	}
	return f.Store.Commit(ctx, b)
}

// F200: if a network ends before all peers have the first block, the others get it at the next start. What can't be a channel leaves nothing.
func TestConfigInterrupted(t *testing.T) {
	all := stores{}
	var isFull atomic.Bool
	isFull.Store(true)
	cfg := peer.NetworkConfig{Organizations: threeOrganizations, Folder: t.TempDir(), Store: func(name string) (store.Store, error) {
		s, err := all.open(name)
		if name == "peer1.Org2MSP" {
			return full{s, &isFull}, err
		}
		return s, err
	}}
	cfg.Batch.PreferredMaxBytes = -1
	if _, err := peer.NewNetwork(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "want nothing negative") {
		t.Errorf("%v", err)
	}
	cfg.Batch.PreferredMaxBytes = 1234
	if _, err := peer.NewNetwork(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "peer1.Org2MSP: commit block 0 of channel mychannel: commit block 0: disk is full") {
		t.Errorf("%v", err)
	}
	there, err := kvledger.NewProvider(all["peer0.Org1MSP"]).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	first, err := there.Block(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	isFull.Store(false)
	n := newNetwork(t, cfg)
	sameBlocks(t, n)
	c, err := n.Peer("peer1.Org2MSP").Channel("mychannel").Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(c.Block.GetHeader(), first.Header) {
		t.Errorf("the first block isn't the one from before, but %v", c.Block.GetHeader())
	}
}

// addresses are those in the configuration of a channel, as each peer has it, and the number of its block.
func addresses(t *testing.T, n *peer.Network) (orderers, anchors []string, number uint64) {
	t.Helper()
	for i, p := range n.Peers() {
		c, err := p.Channel("mychannel").Config(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		says, err := channelconfig.Read(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && c.Block.GetHeader().GetNumber() != number {
			t.Errorf("%s has the configuration of block %d, others of %d", p.Name(), c.Block.GetHeader().GetNumber(), number)
		}
		orderers, anchors, number = says.OrdererAddresses(), says.Application.Organizations[1].AnchorPeers, c.Block.GetHeader().GetNumber()
		if want := uint64(len(says.Application.Organizations)); c.Config.GetSequence() > number || want < 2 {
			t.Errorf("sequence %d in block %d, with %d organizations", c.Config.GetSequence(), number, want)
		}
	}
	return orderers, anchors, number
}

// A channel's configuration follows the network: its addresses, and what is another than before when it starts.
func TestSetAddresses(t *testing.T) {
	all, folder := stores{}, filepath.Join(t.TempDir(), "network")
	cfg := described(all, folder)
	cfg.Organizations = []peer.Organization{{MSPID: "Org1MSP", Peers: 2}, {MSPID: "Org2MSP"}}
	n := newNetwork(t, cfg)
	want := func(orderer, anchor string, number uint64) {
		t.Helper()
		o, a, at := addresses(t, n)
		if !slices.Equal(o, []string{orderer}) || !slices.Equal(a, []string{anchor}) || at != number {
			t.Errorf("orderers are at %v, peers at %v, by block %d, want %s, %s, %d", o, a, at, orderer, anchor, number)
		}
	}
	set := func(orderers []string, anchors map[string][]string) {
		t.Helper()
		if err := n.SetAddresses(t.Context(), orderers, anchors); err != nil {
			t.Fatal(err)
		}
	}
	want("localhost:7050", "localhost:7051", 0)
	set(nil, nil)
	set([]string{"localhost:7050"}, nil)
	want("localhost:7050", "localhost:7051", 0)
	saved, err := n.Save(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set([]string{"localhost:0"}, nil)
	want("localhost:0", "localhost:7051", 1)
	if err := n.Restore(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	want("localhost:7050", "localhost:7051", 0)
	set([]string{"localhost:1"}, nil)
	want("localhost:1", "localhost:7051", 1)
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	submitWith(t, n, call("put", "k", "v"))
	set(nil, map[string][]string{"Org2MSP": {"localhost:2"}})
	want("localhost:1", "localhost:2", 3)
	sameBlocks(t, n)

	// It starts again with other addresses that it knows, as another network, and with a peer that has lost everything.
	if err := n.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	delete(all, "peer1.Org1MSP")
	cfg.OrdererAddresses, cfg.AnchorPeers = []string{"localhost:3"}, nil
	n = newNetwork(t, cfg)
	want("localhost:3", "localhost:2", 4)
	sameBlocks(t, n)
	if err := n.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	cfg.Organizations, cfg.OrdererAddresses = threeOrganizations, nil
	n = newNetwork(t, cfg)
	want("localhost:3", "localhost:2", 5)
	sameBlocks(t, n)
	b, err := n.Peers()[0].Channel("mychannel").Ledger().Block(t.Context(), 5)
	if err != nil || b.Transactions[0].Code != kvledger.Valid {
		t.Fatalf("%+v, %v", b, err)
	}
	if last, err := block.LastConfig(b.Metadata); err != nil || last != 5 {
		t.Errorf("the block with a configuration says that it is in block %d, %v", last, err)
	}
	if err := n.SetAddresses(t.Context(), nil, map[string][]string{"Org2MSP": {"nowhere"}}); err == nil || !strings.Contains(err.Error(), "set addresses of channel mychannel: make configuration: anchor peer") {
		t.Errorf("%v", err)
	}
}

// F201: nobody else changes a configuration, although it is a member who has signed.
func TestConfigOfStrangers(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	c, err := n.Peers()[0].Channel("mychannel").Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := channelconfig.Envelope("mychannel", c.Config, client(t, n, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Orderer().Broadcast(t.Context(), envelope); err == nil || !strings.Contains(err.Error(), "message is of type that cannot be processed directly") {
		t.Errorf("%v", err)
	}
}

// F201: a peer takes the first configuration that an ordering service has, and no other one that a member has only signed.
func TestConfigOfForeignOrderer(t *testing.T) {
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := msp.Issue(identity.Config{CommonName: "peer0", OUs: []string{"peer"}})
	if err != nil {
		t.Fatal(err)
	}
	orderer, err := ordering.New(ordering.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer orderer.Close()
	if err := orderer.AddChannel(ordering.Channel{ID: "mychannel"}); err != nil {
		t.Fatal(err)
	}
	p, err := peer.New(peer.Config{Name: "peer0", Signer: id, Store: memory.New(), Orderer: orderer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	c, err := p.Join(t.Context(), peer.ChannelConfig{ID: "mychannel", Organizations: []identity.Organization{msp.Organization()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Config(t.Context()); !errors.Is(err, peer.ErrNoConfig) {
		t.Errorf("before there are blocks: %v", err)
	}
	says := channelconfig.Channel{Application: channelconfig.Application{Organizations: []channelconfig.Organization{{MSP: msp.Organization()}}}}
	blocks := c.Blocks(0)
	defer blocks.Close()
	for i, code := range []kvledger.ValidationCode{kvledger.Valid, kvledger.InvalidConfigTransaction} {
		config, err := says.Config()
		if err != nil {
			t.Fatal(err)
		}
		config.Sequence = uint64(i)
		envelope, err := channelconfig.Envelope("mychannel", config, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := orderer.Configure(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
		if b, err := blocks.Next(t.Context()); err != nil || b.Transactions[0].Code != code {
			t.Errorf("configuration %d: %+v, %v", i, b, err)
		}
		if has, err := c.Config(t.Context()); err != nil || has.Config.GetSequence() != 0 || has.Block.GetHeader().GetNumber() != 0 {
			t.Errorf("after configuration %d it is %+v, %v", i, has, err)
		}
	}
}

// F231: a network changes a channel's configuration, and again, while a peer has not committed the first change. All peers judge both
// alike.
func TestSetAddressesAgain(t *testing.T) {
	var is atomic.Bool
	n := newNetwork(t, peer.NetworkConfig{
		Organizations: threeOrganizations,
		Store: func(name string) (store.Store, error) {
			if name == "peer1.Org2MSP" {
				return full{memory.New(), &is}, nil
			}
			return memory.New(), nil
		},
	})
	is.Store(true)
	var unknown *peer.UnknownError
	if err := n.SetAddresses(t.Context(), []string{"localhost:1"}, nil); !errors.As(err, &unknown) {
		t.Errorf("while a disk is full: %v", err)
	}
	if err := n.SetAddresses(t.Context(), []string{"localhost:2"}, nil); err == nil {
		t.Error("it changes it again")
	}
	is.Store(false)
	if err := n.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameBlocks(t, n)
	if err := n.SetAddresses(t.Context(), []string{"localhost:3"}, nil); err != nil {
		t.Fatal(err)
	}
	if o, _, number := addresses(t, n); !slices.Equal(o, []string{"localhost:3"}) || number != 2 {
		t.Errorf("orderers are at %v by block %d", o, number)
	}
	sameBlocks(t, n)
}

// slow is a store that has taken a batch some time before it says so.
type slow struct {
	store.Store
	taken, goOn chan struct{} // nil if it isn't slow
}

func (s *slow) Commit(ctx context.Context, b *store.Batch) error {
	err := s.Store.Commit(ctx, b)
	if s.taken != nil {
		s.taken <- struct{}{}
		<-s.goOn
	}
	return err
}

// F232: whoever has got a block with a configuration finds that configuration.
func TestConfigOfTheBlockThatIsThere(t *testing.T) {
	s := &slow{Store: memory.New()}
	n := newNetwork(t, peer.NetworkConfig{Store: func(string) (store.Store, error) { return s, nil }})
	c := n.Peers()[0].Channel("mychannel")
	if _, err := c.Config(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.taken, s.goOn = make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- n.SetAddresses(t.Context(), []string{"localhost:1"}, nil) }()
	<-s.taken
	for range 2 {
		if now, err := c.Config(t.Context()); err != nil || now.Block.GetHeader().GetNumber() != 1 {
			t.Errorf("%+v, %v", now, err)
		}
	}
	close(s.goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
