package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/gateway"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// world is a channel of three organizations with two peers each, 1a to 3b, of which 1b is the host. The test plays the peers, the
// orderers and the ledger.
type world struct {
	alice     *identity.Identity
	peers     []*plan.Peer
	endorsers map[string]*endorser // by address
	orderers  *gateway.Orderers
	ledger    *ledger
	policies  map[string]policies.Policy // of chaincodes
	members   map[string][]string        // of collections
	allowed   error                      // what the ACL says
	config    gateway.Config
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{endorsers: map[string]*endorser{}, orderers: &gateway.Orderers{}, ledger: newLedger(), members: map[string][]string{}}
	w.policies = map[string]policies.Policy{"asset": parse(t, "OR('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")}
	for org := range 3 {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: fmt.Sprintf("Org%dMSP", org+1)})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := identity.NewVerifier(msp.Organization())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			id := issue(t, msp, name, identity.Peer)
			who, err := verifier.Identify(id.Creator())
			if err != nil {
				t.Fatal(err)
			}
			e := &endorser{creator: id.Creator(), answer: endorses("done")}
			p := &plan.Peer{
				Address: fmt.Sprint(org+1, name), Identity: who, Height: 5, Host: org == 0 && name == "b", Endorser: e,
				Runs: func(chaincode string) bool { return slices.Contains(e.chaincodes, chaincode) },
			}
			e.chaincodes = []string{"asset", "undefined"}
			w.peers, w.endorsers[p.Address] = append(w.peers, p), e
		}
		if org == 0 {
			w.alice = issue(t, msp, "alice", identity.Client)
		}
	}
	w.config = gateway.Config{MSPID: "Org1MSP", Channel: w.channel, ACL: acl.CheckerFunc(func(context.Context, acl.Request) error { return w.allowed })}
	return w
}

func issue(t testing.TB, msp *identity.MSP, name string, role identity.Role) *identity.Identity {
	t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: name, OUs: []string{string(role)}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func parse(t testing.TB, text string) policies.Policy {
	t.Helper()
	p, err := policies.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) channel(channelID string) *gateway.Channel {
	if channelID != "mychannel" {
		return nil
	}
	return &gateway.Channel{
		Peers: func(context.Context) ([]*plan.Peer, error) { return w.peers, nil }, Policies: w, Ledger: w.ledger,
		Orderers: func(context.Context) (*gateway.Orderers, error) {
			if w.orderers == nil || w.orderers.Cluster >= 0 {
				return w.orderers, nil
			}
			return nil, errors.New("config is invalid")
		},
	}
}

// Endorsement implements plan.Policies.
func (w *world) Endorsement(_ context.Context, chaincode string) (policies.Policy, error) {
	return w.policies[chaincode], nil
}

// Collection implements plan.Policies.
func (w *world) Collection(context.Context, string, string) (policies.Policy, error) { return nil, nil }

// MayHave implements plan.Policies.
func (w *world) MayHave(_ context.Context, _, collection string, who *identity.Verified) (bool, error) {
	return slices.Contains(w.members[collection], who.MSPID()), nil
}

// gateway returns a gateway, which lives as long as the test.
func (w *world) gateway(t testing.TB) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// play says what peers answer, given their addresses.
func (w *world) play(answer answer, addresses ...string) {
	for _, a := range addresses {
		w.endorsers[a].answer = answer
	}
}

// asked are the addresses of the peers that were asked, in the order of their addresses.
func (w *world) asked() string {
	var all []string
	for _, p := range w.peers {
		for range w.endorsers[p.Address].calls {
			all = append(all, p.Address)
		}
	}
	return strings.Join(all, " ")
}

type answer func(ctx context.Context, e *endorser) (*pb.ProposalResponse, error)

// endorser is a peer that is played.
type endorser struct {
	creator    []byte
	chaincodes []string
	answer     answer

	mu    sync.Mutex
	calls int
}

// ProcessProposal implements plan.Endorser.
func (e *endorser) ProcessProposal(ctx context.Context, _ *pb.SignedProposal) (*pb.ProposalResponse, error) {
	e.mu.Lock()
	e.calls++
	e.mu.Unlock()
	return e.answer(ctx, e)
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// endorses is an answer with a payload, and with an interest if there is one.
func endorses(payload string, interest ...*pb.ChaincodeCall) answer {
	return func(_ context.Context, e *endorser) (*pb.ProposalResponse, error) {
		r := &pb.ProposalResponse{
			Version: 1, Response: &pb.Response{Status: 200, Payload: []byte("not this")},
			Payload:     marshal(&pb.ProposalResponsePayload{Extension: marshal(&pb.ChaincodeAction{Response: &pb.Response{Status: 200, Payload: []byte(payload)}})}),
			Endorsement: &pb.Endorsement{Endorser: e.creator, Signature: []byte("signature")},
		}
		if interest != nil {
			r.Interest = &pb.ChaincodeInterest{Chaincodes: interest}
		}
		return r, nil
	}
}

// says is an answer without an endorsement.
func says(status int32, message string, payload []byte) answer {
	return func(context.Context, *endorser) (*pb.ProposalResponse, error) {
		return &pb.ProposalResponse{Response: &pb.Response{Status: status, Message: message}, Payload: payload}, nil
	}
}

// fails is an answer of a peer that can't be reached, or of one in this process that refuses.
func fails(text string, local bool) answer {
	return func(context.Context, *endorser) (*pb.ProposalResponse, error) {
		if local {
			return &pb.ProposalResponse{Response: &pb.Response{Status: 500, Message: text}}, errors.New(text)
		}
		return nil, errors.New(text)
	}
}

// hangs waits for the end of the call.
func hangs(ctx context.Context, _ *endorser) (*pb.ProposalResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// panics is a peer with a fault.
func panics(context.Context, *endorser) (*pb.ProposalResponse, error) { panic("fault") }

// proposal is alice's.
func (w *world) proposal(t testing.TB, chaincode, channelID string, transient map[string][]byte) *pb.SignedProposal {
	t.Helper()
	p, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: channelID, Chaincode: chaincode, Args: [][]byte{[]byte("call")}, Signer: w.alice, Transient: transient,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.Signed
}

// said is an error as a client sees it: its code, its text, and its details.
func said(t testing.TB, err error) string {
	t.Helper()
	s, ok := status.FromError(err)
	if !ok {
		t.Fatalf("%v has no code", err)
	}
	if s.Code() == codes.OK {
		return ""
	}
	text := s.Code().String() + ": " + s.Message()
	for _, a := range s.Proto().GetDetails() {
		var d pb.ErrorDetail
		if err := proto.Unmarshal(a.GetValue(), &d); err != nil || a.GetTypeUrl() != "type.googleapis.com/gateway.ErrorDetail" {
			t.Fatalf("%v: %v", a, err)
		}
		text += fmt.Sprintf("; %s of %s: %s", d.GetAddress(), d.GetMspId(), d.GetMessage())
	}
	return text
}

// ledger is a ledger that a test commits to.
type ledger struct {
	mu     sync.Mutex
	blocks []*gateway.Block
	moved  chan struct{} // is closed when something has changed
	left   chan struct{} // is closed when somebody has closed Blocks
	broken error         // what everybody gets
	open   int           // Blocks that are not closed
	looked func()        // is called when somebody asks for a transaction
}

func newLedger() *ledger {
	return &ledger{moved: make(chan struct{}), left: make(chan struct{}), looked: func() {}}
}

func (l *ledger) commit(txs ...gateway.Transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = append(l.blocks, &gateway.Block{Number: uint64(len(l.blocks)), Transactions: txs})
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	close(l.moved)
	l.moved = make(chan struct{})
}

// Height implements gateway.Ledger.
func (l *ledger) Height(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks)), l.broken
}

// Status implements gateway.Ledger.
func (l *ledger) Status(_ context.Context, txID string) (gateway.Status, bool, error) {
	l.looked()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		for _, tx := range b.Transactions {
			if tx.TxID == txID {
				return gateway.Status{Block: b.Number, Code: tx.Code}, true, l.broken
			}
		}
	}
	return gateway.Status{}, false, l.broken
}

// Blocks implements gateway.Ledger.
func (l *ledger) Blocks(from uint64) gateway.Blocks {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	return &blocks{l, from}
}

type blocks struct {
	ledger *ledger
	next   uint64
}

// Next implements gateway.Blocks.
func (b *blocks) Next(ctx context.Context) (*gateway.Block, error) {
	for {
		b.ledger.mu.Lock()
		moved, err := b.ledger.moved, b.ledger.broken
		if err == nil && b.next < uint64(len(b.ledger.blocks)) {
			defer b.ledger.mu.Unlock()
			b.next++
			return b.ledger.blocks[b.next-1], nil
		}
		b.ledger.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close implements gateway.Blocks.
func (b *blocks) Close() {
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	b.ledger.open--
	close(b.ledger.left)
	b.ledger.left = make(chan struct{})
}

// closed waits until nobody reads blocks any more.
func (l *ledger) closed(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open > 0 {
		left := l.left
		l.mu.Unlock()
		select {
		case <-left:
		case <-t.Context().Done():
			l.mu.Lock()
			t.Error("blocks are left open")
			return
		}
		l.mu.Lock()
	}
}
