// Package fakepeer is a peer small enough for the tests of the example chaincodes: one map, no transactions.
package fakepeer

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// Peer runs one chaincode.
type Peer struct {
	// State is written to at once, which a real peer does only when it commits.
	State map[string]string
	// Call answers the chaincode's calls of other chaincodes: name and arguments.
	Call func(name string, args [][]byte) *shim.Response

	t      *testing.T
	stream *pipe.Peer
	txs    int
	writes map[string][]*pb.KeyModification // newest first
}

// New starts a peer with chaincode cc, which ends with the test.
func New(t *testing.T, cc shim.Chaincode) *Peer {
	t.Helper()
	stream, s := pipe.New()
	p := &Peer{State: make(map[string]string), t: t, stream: stream, writes: make(map[string][]*pb.KeyModification)}
	done := make(chan error, 1)
	go func() { done <- shim.StartInProc("example", s, cc) }()
	t.Cleanup(func() {
		stream.End(nil)
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("chaincode: %v", err)
		}
	})
	if m := p.recv(); m.GetType() != pb.ChaincodeMessage_REGISTER {
		t.Fatalf("got %v", m)
	}
	p.send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED})
	p.send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY})
	return p
}

// Init runs Init, and returns the type of the message that it ended with.
func (p *Peer) Init() pb.ChaincodeMessage_Type {
	p.t.Helper()
	return p.run(pb.ChaincodeMessage_INIT, nil).GetType()
}

// Invoke runs a transaction and returns its payload, or its message if it failed, and its event.
func (p *Peer) Invoke(args ...string) (string, *pb.ChaincodeEvent) {
	p.t.Helper()
	m := p.run(pb.ChaincodeMessage_TRANSACTION, args)
	var res shim.Response
	if err := proto.Unmarshal(m.GetPayload(), &res); err != nil {
		p.t.Fatal(err)
	}
	return string(res.GetPayload()) + res.GetMessage(), m.GetChaincodeEvent()
}

// run starts a transaction and answers its requests until it ends.
func (p *Peer) run(typ pb.ChaincodeMessage_Type, args []string) *pb.ChaincodeMessage {
	p.t.Helper()
	p.txs++
	txID := fmt.Sprintf("tx%d", p.txs)
	input := new(pb.ChaincodeInput)
	for _, a := range args {
		input.Args = append(input.Args, []byte(a))
	}
	p.send(&pb.ChaincodeMessage{Type: typ, Txid: txID, ChannelId: "ch", Payload: p.marshal(input)})
	for {
		m := p.recv()
		if m.GetType() == pb.ChaincodeMessage_COMPLETED || m.GetType() == pb.ChaincodeMessage_ERROR {
			return m
		}
		p.send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE, Txid: txID, ChannelId: "ch", Payload: p.answer(m)})
	}
}

// answer does what a request asks for and returns the payload of its answer.
func (p *Peer) answer(m *pb.ChaincodeMessage) []byte {
	payload := handler.NewPayload(m.GetType())
	if payload == nil {
		p.t.Fatalf("unexpected message %v", m)
	}
	if err := proto.Unmarshal(m.GetPayload(), payload); err != nil {
		p.t.Fatal(err)
	}
	switch req := payload.(type) {
	case *pb.GetState:
		return []byte(p.State[req.GetKey()])
	case *pb.PutState:
		p.State[req.GetKey()] = string(req.GetValue())
		p.record(req.GetKey(), &pb.KeyModification{TxId: m.GetTxid(), Value: req.GetValue()})
	case *pb.DelState:
		delete(p.State, req.GetKey())
		p.record(req.GetKey(), &pb.KeyModification{TxId: m.GetTxid(), IsDelete: true})
	case *pb.GetStateByRange:
		page := new(pb.QueryResponse)
		for _, key := range slices.Sorted(maps.Keys(p.State)) {
			if key >= req.GetStartKey() && (req.GetEndKey() == "" || key < req.GetEndKey()) {
				p.add(page, &pb.KV{Key: key, Value: []byte(p.State[key])})
			}
		}
		return p.marshal(page)
	case *pb.GetQueryResult:
		return p.marshal(p.query(req.GetQuery()))
	case *pb.GetHistoryForKey:
		page := new(pb.QueryResponse)
		for _, mod := range p.writes[req.GetKey()] {
			p.add(page, mod)
		}
		return p.marshal(page)
	case *pb.ChaincodeSpec:
		res := p.Call(req.GetChaincodeId().GetName(), req.GetInput().GetArgs())
		return p.marshal(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Payload: p.marshal(res)})
	default:
		p.t.Fatalf("unexpected request %v", m)
	}
	return nil
}

// query returns what matches a rich query: a ledger that has the same state says so.
func (p *Peer) query(text string) *pb.QueryResponse {
	sim := p.simulate()
	defer sim.Done()
	results, err := sim.(ledger.RichQuerier).ExecuteQuery(p.t.Context(), "example", text, ledger.Page{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer results.Close()
	page := new(pb.QueryResponse)
	for {
		kv, err := results.Next(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if kv == nil {
			return page
		}
		p.add(page, &pb.KV{Key: kv.Key, Value: []byte(p.State[kv.Key])})
	}
}

// simulate returns a simulator of a new ledger that has the peer's state.
func (p *Peer) simulate() ledger.Simulator {
	ctx := p.t.Context()
	l, err := kvledger.NewProvider(memory.New()).Open(ctx, "example")
	if err != nil {
		p.t.Fatal(err)
	}
	filling, err := l.NewSimulator(ctx, "fill")
	if err != nil {
		p.t.Fatal(err)
	}
	defer filling.Done()
	for key, value := range p.State {
		if err := filling.SetState(ctx, "example", key, []byte(value)); err != nil {
			p.t.Fatal(err)
		}
	}
	filled, err := kvledger.ResultsOf(ctx, filling)
	if err != nil {
		p.t.Fatal(err)
	}
	if code, err := l.CommitTx(ctx, kvledger.Transaction{TxID: "fill", RWSet: filled.RWSet}); code != kvledger.Valid || err != nil {
		p.t.Fatal(code, err)
	}
	sim, err := l.NewSimulator(ctx, "query")
	if err != nil {
		p.t.Fatal(err)
	}
	return sim
}

func (p *Peer) record(key string, mod *pb.KeyModification) {
	p.writes[key] = append([]*pb.KeyModification{mod}, p.writes[key]...)
}

func (p *Peer) add(page *pb.QueryResponse, result proto.Message) {
	page.Results = append(page.Results, &pb.QueryResultBytes{ResultBytes: p.marshal(result)})
}

func (p *Peer) send(m *pb.ChaincodeMessage) {
	p.t.Helper()
	if err := p.stream.Send(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Peer) recv() *pb.ChaincodeMessage {
	p.t.Helper()
	m, err := p.stream.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *Peer) marshal(m proto.Message) []byte {
	p.t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}
