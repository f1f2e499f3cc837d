// Command embed is a peer of one's own: two channels, a chaincode in a process that connects by mutual TLS, private data, a rule
// for who may ask across channels, and an HTTP API that is not Fabric's. The README says how to talk to it.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
)

//go:embed collections_config.json
var collectionsConfig []byte

type peer struct {
	*chaincodesupport.ChaincodeSupport
	channels map[string]*kvledger.Ledger
	users    map[string]identity.Signer // by name
}

// newPeer makes a peer with two channels, whose chaincode is a program that dials it at an address.
func newPeer(ctx context.Context, program, address string) *peer {
	p := &peer{channels: map[string]*kvledger.Ledger{}, users: map[string]identity.Signer{}}
	provider, private := kvledger.NewProvider(memory.New()), must(collections.Parse(collectionsConfig))
	for _, id := range []string{"office", "archive"} {
		p.channels[id] = must(provider.Open(ctx, id))
		check(p.channels[id].Define(ctx, "notes", kvledger.Definition{Collections: private}))
	}
	for user, org := range map[string]string{"alice": "Org1MSP", "bob": "Org2MSP"} {
		p.users[user] = must(must(identity.NewMSP(identity.MSPConfig{ID: org})).Issue(identity.Config{CommonName: user}))
	}
	auth := must(accesscontrol.New(accesscontrol.Config{})) // a CA for chaincode: each launch gets a certificate of its own
	notes := must(process.New(process.Config{Command: program, PeerAddress: address, TLS: auth, MSPID: "Org1MSP"}))
	p.ChaincodeSupport = must(chaincodesupport.New(chaincodesupport.Config{
		Hooks: handler.Hooks{
			Ledgers:         handler.LedgersFunc(p.ledger), // of other channels than the caller's own
			ACL:             handler.ACLFunc(onlyOrg1),     // asked when chaincode calls chaincode there
			CollectionStore: collections.Store{},           // goes by what the ledgers were told of collections
		},
		Runtimes:    chaincodesupport.OneRuntime(notes), // which starts it when it is first called
		Credentials: auth.ServerCredentials(),
		Identify:    auth.Identify,
	}))
	return p
}

// transact runs a transaction, and commits what it has written if the caller wants it, and the chaincode agrees.
func (p *peer) transact(ctx context.Context, call identity.ProposalParams, commit bool) (*chaincodesupport.Result, error) {
	channel := p.channels[call.ChannelID]
	if channel == nil || call.Signer == nil {
		return nil, fmt.Errorf("there is no such channel, or no such user")
	}
	proposal, err := identity.NewProposal(call)
	if err != nil {
		return nil, err
	}
	sim, err := channel.NewSimulator(ctx, proposal.TxID)
	if err != nil {
		return nil, err
	}
	simulation := handler.NewSimulation(sim)
	defer simulation.Done()
	tx := handler.TxParams{ChannelID: call.ChannelID, TxID: proposal.TxID, SignedProposal: proposal.Signed, Simulation: simulation}
	result, err := p.Execute(ctx, call.Chaincode, tx, chaincodesupport.Input{Args: call.Args})
	if err != nil || result.Err() != nil || !commit {
		return result, err
	}
	written, err := kvledger.TransactionOf(ctx, sim, proposal.TxID, proposal.Timestamp)
	if err != nil {
		return nil, err
	}
	code, err := channel.CommitTx(ctx, written)
	if err == nil && code != kvledger.Valid {
		err = fmt.Errorf("transaction %s is not valid: %s", proposal.TxID, code)
	}
	return result, err
}

func (p *peer) ledger(_ context.Context, channel string) (ledger.Ledger, error) {
	if l, ok := p.channels[channel]; ok {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
}

func onlyOrg1(_ context.Context, _, channel string, signed *pb.SignedProposal) error {
	proposal, err := identity.ParseProposal(signed)
	if err != nil {
		return err
	}
	if org, err := proposal.MSPID(); err != nil || org != "Org1MSP" {
		return fmt.Errorf("channel %s is not for %s", channel, org)
	}
	return nil
}

// ServeHTTP answers POST /CHANNEL?as=USER&call=FUNCTION+ARGUMENT… by a transaction that is committed, and GET by a query.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, err := p.transact(r.Context(), identity.ProposalParams{
		ChannelID: r.URL.Path[1:], Chaincode: "notes", Args: bytes.Fields([]byte(r.FormValue("call"))),
		Transient: map[string][]byte{"note": []byte(r.FormValue("note"))}, // which no block has
		Signer:    p.users[r.FormValue("as")],                             // of a real peer, they prove who they are
	}, r.Method == http.MethodPost)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case result.Err() != nil:
		http.Error(w, result.Message, http.StatusUnprocessableEntity)
	default:
		_, _ = w.Write(result.Payload) // a client that has gone needs no answer
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener := must(net.Listen("tcp", "127.0.0.1:0")) // for chaincode
	p := newPeer(ctx, os.Args[1], listener.Addr().String())
	go func() { check(p.Serve(listener)) }() // until Close
	api := &http.Server{Addr: "127.0.0.1:8080", Handler: p, ReadHeaderTimeout: time.Second}
	go func() { check(api.ListenAndServe()) }()
	<-ctx.Done()
	check(p.Close(context.Background()))
}

func must[T any](value T, err error) T { check(err); return value }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
