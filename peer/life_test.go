package peer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// failing is a store that stops taking blocks.
type failing struct {
	*memory.Store
	full *atomic.Bool
}

func (f failing) Commit(ctx context.Context, b *store.Batch) error {
	if f.full.Load() {
		return errors.New("disk is full")
	}
	return f.Store.Commit(ctx, b)
}

// If one of the peers can't commit, those who wait are told, and so are those who come later, until it can again.
func TestCommitFails(t *testing.T) {
	var full atomic.Bool
	n := newNetwork(t, peer.NetworkConfig{
		Organizations: threeOrganizations,
		Store: func(name string) (store.Store, error) {
			if name == "peer1.Org2MSP" {
				return failing{memory.New(), &full}, nil
			}
			return memory.New(), nil
		},
	})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice")
	full.Store(true)
	var unknown *peer.UnknownError
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
	for what, err := range map[string]error{
		"submit": func() error { _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); return err }(),
		"deploy": n.Deploy(t.Context(), "", peer.Chaincode{Name: "asset"}),
	} {
		if err == nil || !strings.Contains(err.Error(), "peer1.Org2MSP can't commit block 1 of channel mychannel, and tries again: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	full.Store(false)
	blocks := n.Peer("peer1.Org2MSP").Channel("mychannel").Blocks(1)
	defer blocks.Close()
	if b, err := blocks.Next(t.Context()); err != nil || b.Transactions[0].Code != kvledger.Valid {
		t.Errorf("when there is room, it commits %+v, %v", b, err)
	}
	if err := n.Settle(t.Context()); err != nil { // it tells those who wait only after that
		t.Fatal(err)
	}
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err != nil {
		t.Error(err)
	}
	full.Store(true)
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	if err := n.Close(t.Context()); err != nil { // which doesn't wait for what can't be
		t.Error(err)
	}
}

// What was accepted before Close is committed by all peers, also if no batch was full.
func TestCloseCommits(t *testing.T) {
	all := stores{}
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations, Store: all.open, Batch: ordering.Batch{Timeout: time.Hour}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	var submitting sync.WaitGroup
	for i := range 3 {
		e, err := n.Endorse(t.Context(), client(t, n, "alice"), call("put", fmt.Sprint("key", i), "v"))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Orderer().Broadcast(t.Context(), e.Envelope); err != nil {
			t.Fatal(err)
		}
	}
	submitting.Go(func() {
		_, err := n.Submit(context.Background(), client(t, n, "alice"), call("put", "last", "v"))
		var (
			unknown *peer.UnknownError  // it was too late for the peers,
			refused *ordering.Error     // for the orderer,
			failed  *peer.ProposalError // or for the endorser
		)
		if err != nil && !errors.As(err, &unknown) && !errors.As(err, &refused) && !errors.As(err, &failed) && !errors.Is(err, ordering.ErrClosed) {
			t.Error(err)
		}
	})
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	submitting.Wait()
	for name := range all {
		for i := range 3 {
			if key := fmt.Sprint("key", i); !all.has(t, name, key) {
				t.Errorf("%s doesn't have %s", name, key)
			}
		}
	}
	if _, err := n.Submit(t.Context(), client(t, n, "alice"), call("put", "k", "v")); err == nil {
		t.Error("a closed network takes transactions")
	}
	if err := n.Close(t.Context()); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// Private data that is never ordered is bounded in bytes, and in blocks.
func TestPrivateDataIsForgotten(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	channel := n.Peers()[0].Channel("mychannel")
	megabyte := protowire.AppendTag(nil, 1000, protowire.BytesType) // a field that nobody knows fills it
	megabyte = protowire.AppendBytes(megabyte, make([]byte, 1<<20-len(megabyte)-3))
	for i := range 256 {
		if err := channel.KeepPrivateData(t.Context(), fmt.Sprint(i), megabyte); err != nil {
			t.Fatal(err)
		}
	}
	if err := channel.KeepPrivateData(t.Context(), "0", megabyte); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := channel.KeepPrivateData(t.Context(), "last", megabyte[:0:0]); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := channel.KeepPrivateData(t.Context(), "last", []byte("x")); err == nil || !strings.Contains(err.Error(), "decode private read/write set") {
		t.Errorf("what is none: %v", err)
	}
	if err := channel.KeepPrivateData(t.Context(), "last", []byte{8, 1}); err != nil { // the oldest makes room
		t.Errorf("one byte more: %v", err)
	}
	for i := range 1001 { // nobody orders here any more
		if _, err := channel.Ledger().CommitTx(t.Context(), kvledger.Transaction{TxID: fmt.Sprint("block", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := channel.KeepPrivateData(t.Context(), "last", megabyte); err != nil {
		t.Errorf("after 1,001 blocks: %v", err)
	}
}

func TestNewNetworkRefuses(t *testing.T) {
	for text, cfg := range map[string]peer.NetworkConfig{
		`organization ""`:          {Organizations: []peer.Organization{{}}},
		"with -1 peers":            {Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: -1}}},
		"channel c: it is there":   {Channels: []string{"c", "c"}},
		"two organizations have":   {Organizations: []peer.Organization{{MSPID: "A"}, {MSPID: "A"}}},
		"no such disk":             {Store: func(string) (store.Store, error) { return nil, errors.New("no such disk") }},
		"Batch":                    {Batch: ordering.Batch{MaxMessageCount: -1}},
		"StartupTimeout":           {Support: func(string) chaincodesupport.Config { return chaincodesupport.Config{StartupTimeout: -1} }},
		"TimeWindow is -1ns, want": {TimeWindow: -1},
	} {
		if n, err := peer.NewNetwork(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, %v, want %s", n, err, text)
		}
	}
}

// A peer can be had alone, with an orderer of one's own.
func TestPeerAlone(t *testing.T) {
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := msp.Issue(identity.Config{CommonName: "peer0", OUs: []string{"peer"}})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := msp.Issue(identity.Config{CommonName: "alice"})
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
	channel, err := p.Join(t.Context(), peer.ChannelConfig{ID: "mychannel", Organizations: []identity.Organization{msp.Organization()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Deploy(t.Context(), "mychannel", peer.Chaincode{Name: "asset", Runtime: runs(asset)}); err != nil {
		t.Fatal(err)
	}
	envelope := endorsed(t, p, alice, propose(t, alice, call("put", "k", "v")))
	if err := orderer.Broadcast(t.Context(), envelope); err != nil {
		t.Fatal(err)
	}
	if b, err := channel.Blocks(0).Next(t.Context()); err != nil || b.Transactions[0].Code != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	refuses(t, p, msp)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Join(t.Context(), peer.ChannelConfig{ID: "other", Organizations: []identity.Organization{msp.Organization()}}); err == nil {
		t.Error("a closed peer joins")
	}
}

// refuses holds what a peer can't do.
func refuses(t *testing.T, p *peer.Peer, msp *identity.MSP) {
	t.Helper()
	stranger, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	for text, cfg := range map[string]peer.ChannelConfig{
		"the peer is on it already": {ID: "mychannel", Organizations: []identity.Organization{msp.Organization()}},
		"channel does not exist":    {ID: "other", Organizations: []identity.Organization{msp.Organization()}},
		"the peer is no member":     {ID: "mychannel", Organizations: []identity.Organization{stranger.Organization()}},
	} {
		if _, err := p.Join(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	if err := p.Deploy(t.Context(), "other", peer.Chaincode{Name: "asset"}); err == nil || !strings.Contains(err.Error(), "the peer is not on the channel") {
		t.Errorf("deploy on another channel: %v", err)
	}
	if p.Channel("other") != nil || len(p.Channels()) != 1 {
		t.Errorf("the peer is on %v", p.Channels())
	}
	for text, cfg := range map[string]peer.Config{"Config.Name is empty": {}, "Signer, Store and Orderer are required": {Name: "peer0"}} {
		if _, err := peer.New(cfg); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}
