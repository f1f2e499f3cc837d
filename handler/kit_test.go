package handler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/streamtest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const channel = "ch"

// peer is what a handler needs around it: a ledger for each of two channels, a registry of chaincode by name, and
// calls between them.
type peer struct {
	t       testing.TB
	cfg     handler.Config // of the next chaincode that connects
	memory  map[string]*memory
	ledgers map[string]*ledgertest.Faulty

	mu     sync.Mutex
	live   map[string]*handler.Handler // by namespace
	faults []handler.FaultKind
}

var (
	_ handler.Invoker       = (*peer)(nil)
	_ handler.FaultObserver = (*peer)(nil)
)

func newPeer(t testing.TB) *peer {
	p := &peer{
		t: t, live: map[string]*handler.Handler{},
		memory: map[string]*memory{}, ledgers: map[string]*ledgertest.Faulty{},
	}
	for _, name := range []string{channel, "other"} {
		p.memory[name] = newMemory()
		p.ledgers[name] = ledgertest.NewFaulty(p.memory[name])
	}
	p.cfg = handler.Config{Invoker: p, Hooks: handler.Hooks{
		ACL: handler.InsecureAllowAll{}, CollectionStore: handler.InsecureAllowAll{}, Faults: p, Ledgers: handler.LedgersFunc(p.find),
	}}
	return p
}

// find is the handler.Ledgers of the peer.
func (p *peer) find(_ context.Context, channelID string) (ledger.Ledger, error) {
	if l := p.ledgers[channelID]; l != nil {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
}

// ledger is the one of the channel that transactions run on.
func (p *peer) ledger() *ledgertest.Faulty { return p.ledgers[channel] }

// check fails the test unless everything that the ledgers gave out was given back.
func (p *peer) check() {
	p.t.Helper()
	for _, l := range p.ledgers {
		l.Check(p.t)
	}
}

// Invoke implements handler.Invoker.
func (p *peer) Invoke(ctx context.Context, params handler.TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	p.mu.Lock()
	h := p.live[name]
	p.mu.Unlock()
	if h == nil {
		return nil, errors.Errorf("chaincode %s is not running", name)
	}
	return h.Execute(ctx, params, pb.ChaincodeMessage_TRANSACTION, in)
}

// Fault implements handler.FaultObserver.
func (p *peer) Fault(f handler.Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f.Kind)
}

// count is how often a fault was reported.
func (p *peer) count(kind handler.FaultKind) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, have := range p.faults {
		if have == kind {
			n++
		}
	}
	return n
}

// ending is why a stream ended.
type ending struct{ err error }

// chaincode is one that the test plays, over a scripted stream.
type chaincode struct {
	*streamtest.Stream
	peer   *peer
	h      *handler.Handler // from REGISTER on
	ready  chan struct{}    // closed when the registry was told
	gone   chan struct{}    // closed when the registry was told
	ended  chan ending      // what HandleChaincodeStream returned
	cancel context.CancelFunc
}

var _ handler.Registry = (*chaincode)(nil)

// connect starts a handler for a chaincode that has not registered.
func (p *peer) connect() *chaincode {
	c := p.prepare()
	c.start()
	return c
}

// prepare makes a chaincode that has not connected.
func (p *peer) prepare() *chaincode {
	return &chaincode{
		Stream: streamtest.New(), peer: p,
		ready: make(chan struct{}), gone: make(chan struct{}), ended: make(chan ending, 2),
	}
}

// start connects it, with the peer's configuration.
func (c *chaincode) start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	cfg := c.peer.cfg
	if cfg.Registry == nil {
		cfg.Registry = c
	}
	go func() {
		err := handler.HandleChaincodeStream(ctx, cfg, c.Stream)
		c.End()
		c.ended <- ending{err}
	}()
}

// register connects a chaincode and registers it.
func (p *peer) register(chaincodeID string) *chaincode {
	p.t.Helper()
	c := p.connect()
	c.Deliver(registration(chaincodeID))
	for _, want := range []pb.ChaincodeMessage_Type{pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_READY} {
		if m := c.Next(); m.GetType() != want {
			p.t.Fatalf("register: got %v, want %s", m, want)
		}
	}
	<-c.ready
	return c
}

// Register implements handler.Registry.
func (c *chaincode) Register(h *handler.Handler) error {
	namespace, _, _ := strings.Cut(h.ChaincodeID(), ":")
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	c.h = h
	if c.peer.live[namespace] != nil {
		return status.Errorf(codes.AlreadyExists, "duplicate chaincodeID: %s", h.ChaincodeID())
	}
	c.peer.live[namespace] = h
	return nil
}

// Ready implements handler.Registry.
func (c *chaincode) Ready(*handler.Handler) { close(c.ready) }

// Deregister implements handler.Registry.
func (c *chaincode) Deregister(h *handler.Handler) {
	namespace, _, _ := strings.Cut(h.ChaincodeID(), ":")
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	if c.peer.live[namespace] == h {
		delete(c.peer.live, namespace)
	}
	close(c.gone)
}

// stop ends the stream in good order and waits for the handler's goroutines.
func (c *chaincode) stop() {
	c.CloseSend()
	<-c.ended
	c.wait()
}

func (c *chaincode) wait() {
	c.cancel()
	if c.h != nil {
		c.h.Wait()
	}
}

// call is an Execute under way.
type call struct {
	done  chan struct{} // closed when it has returned
	reply *pb.ChaincodeMessage
	err   error
}

// simulate returns a transaction's parameters, with a simulation of the channel.
func (p *peer) simulate(txID, channelID string) handler.TxParams {
	sim, err := p.ledgers[channelID].NewSimulator(context.Background(), txID)
	if err != nil {
		p.t.Fatal(err)
	}
	return handler.TxParams{ChannelID: channelID, TxID: txID, Simulation: handler.NewSimulation(sim), SignedProposal: &pb.SignedProposal{}}
}

// execute runs a transaction in the background, with a simulation that is done behind it.
func (c *chaincode) execute(ctx context.Context, p handler.TxParams) *call {
	x := &call{done: make(chan struct{})}
	go func() {
		defer close(x.done)
		if p.Simulation != nil {
			defer p.Simulation.Done()
		}
		x.reply, x.err = c.h.Execute(ctx, p, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{Args: [][]byte{[]byte("run")}})
	}()
	return x
}

// begin starts a transaction and waits for the chaincode to see it.
func (c *chaincode) begin(txID string) *call {
	c.peer.t.Helper()
	x := c.execute(context.Background(), c.peer.simulate(txID, channel))
	c.want(pb.ChaincodeMessage_TRANSACTION, txID)
	return x
}

// want takes the next message of the peer, which must be of that type and transaction.
func (c *chaincode) want(typ pb.ChaincodeMessage_Type, txID string) *pb.ChaincodeMessage {
	c.peer.t.Helper()
	m := c.Next()
	if m.GetType() != typ || m.GetTxid() != txID {
		c.peer.t.Fatalf("got %v, want %s of %s", m, typ, txID)
	}
	return m
}

// wantError takes the next message of the peer, which must be an ERROR with that text.
func (c *chaincode) wantError(txID, text string) {
	c.peer.t.Helper()
	if m := c.want(pb.ChaincodeMessage_ERROR, txID); plain(string(m.Payload)) != text {
		c.peer.t.Errorf("got ERROR %q, want %q", m.Payload, text)
	}
}

// plain undoes what protobuf varies in its error texts on purpose.
func plain(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }

func (c *chaincode) ask(typ pb.ChaincodeMessage_Type, txID string, payload proto.Message) {
	c.Deliver(message(typ, txID, payload))
}

func (c *chaincode) complete(txID string) {
	c.ask(pb.ChaincodeMessage_COMPLETED, txID, &pb.Response{Status: 200})
}

// message is one of the chaincode, on the usual channel.
func message(typ pb.ChaincodeMessage_Type, txID string, payload proto.Message) *pb.ChaincodeMessage {
	m := &pb.ChaincodeMessage{Type: typ, Txid: txID, ChannelId: channel}
	if payload != nil {
		m.Payload = marshal(payload)
	}
	return m
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func registration(chaincodeID string) *pb.ChaincodeMessage {
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: marshal(&pb.ChaincodeID{Name: chaincodeID})}
}

// serve plays the chaincode in the background until the stream ends: next is given each message of the peer and how
// many came before it in this run of the transaction, and returns what to say; nil is nothing.
func (c *chaincode) serve(next func(m *pb.ChaincodeMessage, n int) *pb.ChaincodeMessage) {
	go func() {
		type key struct{ channelID, txID string }
		seen := map[key]int{}
		for m := c.Next(); m != nil; m = c.Next() {
			k := key{m.ChannelId, m.Txid}
			if m.Type == pb.ChaincodeMessage_TRANSACTION {
				seen[k] = 0
			}
			n := seen[k]
			seen[k]++
			if say := next(m, n); say != nil {
				say.Txid, say.ChannelId = m.Txid, m.ChannelId
				c.Deliver(say)
			}
		}
	}()
}

// script is what serve wants, from the messages of one transaction.
func script(steps ...*pb.ChaincodeMessage) func(*pb.ChaincodeMessage, int) *pb.ChaincodeMessage {
	return func(_ *pb.ChaincodeMessage, n int) *pb.ChaincodeMessage {
		if n < len(steps) {
			return proto.CloneOf(steps[n])
		}
		return nil
	}
}

// Messages that scripts consist of.
func getState(key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE, "", &pb.GetState{Key: key})
}

func putState(key, value string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_PUT_STATE, "", &pb.PutState{Key: key, Value: []byte(value)})
}

func delState(key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_DEL_STATE, "", &pb.DelState{Key: key})
}

func getRange(start, end string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{StartKey: start, EndKey: end})
}

func getHistory(key string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_GET_HISTORY_FOR_KEY, "", &pb.GetHistoryForKey{Key: key})
}

func next(id string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_QUERY_STATE_NEXT, "", &pb.QueryStateNext{Id: id})
}

func closeQuery(id string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_QUERY_STATE_CLOSE, "", &pb.QueryStateClose{Id: id})
}

func invoke(name string) *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_INVOKE_CHAINCODE, "", &pb.ChaincodeSpec{
		ChaincodeId: &pb.ChaincodeID{Name: name}, Input: &pb.ChaincodeInput{},
	})
}

func completed() *pb.ChaincodeMessage {
	return message(pb.ChaincodeMessage_COMPLETED, "", &pb.Response{Status: 200})
}

// requests is one of each type, all of which are good in a transaction with the ledger of rows(101).
func requests() []*pb.ChaincodeMessage {
	return []*pb.ChaincodeMessage{
		getState("k000"), putState("a", "1"), delState("a"), getRange("", ""), getHistory("k000"), next("1"), closeQuery("1"), invoke("b"),
		getMultiple("", "k000"), richQuery("", "v", 0), getMetadata("", "k000"), putMetadata("", "k000"), getPrivateHash("c", "k000"), purge("c"),
		writeBatch(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: "a", Value: []byte("1")}),
	}
}

// in makes a message belong to a transaction of the usual channel.
func in(txID string, m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
	m = proto.CloneOf(m)
	m.Txid = txID
	return m
}

// rows commits n values of namespace cc.
func (p *peer) rows(n int) {
	for i := range n {
		p.memory[channel].put("cc", fmt.Sprintf("k%03d", i), "v")
		p.memory["other"].put("b", fmt.Sprintf("k%03d", i), "v")
	}
}
