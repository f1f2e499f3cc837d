package shim_test

import (
	"io"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	stub = shim.ChaincodeStubInterface
	msg  = pb.ChaincodeMessage
)

// function is a chaincode whose Init and Invoke are one function.
type function func(stub) *shim.Response

func (f function) Init(s stub) *shim.Response   { return f(s) }
func (f function) Invoke(s stub) *shim.Response { return f(s) }

// peer plays the peer's part on a stream, a message at a time.
type peer struct {
	t testing.TB
	pb.Stream
}

func (p peer) send(m *msg) {
	p.t.Helper()
	if err := p.Send(m); err != nil {
		p.t.Fatalf("send %s: %v", m.GetType(), err)
	}
}

// expect receives a message, which must be of type typ, and unmarshals its payload into payload if that is not nil.
func (p peer) expect(typ pb.ChaincodeMessage_Type, payload proto.Message) *msg {
	p.t.Helper()
	m, err := p.Recv()
	if err != nil {
		p.t.Fatalf("expect %s: %v", typ, err)
	}
	if m.GetType() != typ {
		p.t.Fatalf("expect %s: got %v", typ, m)
	}
	if payload != nil {
		if err := proto.Unmarshal(m.GetPayload(), payload); err != nil {
			p.t.Fatalf("%s: %v", typ, err)
		}
	}
	return m
}

// handshake brings the chaincode, which is "cc:1", to ready. The peer offers nothing.
func (p peer) handshake() {
	p.t.Helper()
	p.handshakeWith(nil)
}

// handshakeWith is handshake for a peer whose READY has this payload.
func (p peer) handshakeWith(ready []byte) {
	p.t.Helper()
	var id pb.ChaincodeID
	p.expect(pb.ChaincodeMessage_REGISTER, &id)
	if !proto.Equal(&id, &pb.ChaincodeID{Name: "cc:1"}) {
		p.t.Fatalf("registered as %v", &id)
	}
	p.send(&msg{Type: pb.ChaincodeMessage_REGISTERED})
	p.send(&msg{Type: pb.ChaincodeMessage_READY, Payload: ready})
}

// begin sends an INIT or TRANSACTION with these arguments, on channel "ch".
func (p peer) begin(typ pb.ChaincodeMessage_Type, txID string, args ...string) {
	p.t.Helper()
	var input pb.ChaincodeInput
	for _, a := range args {
		input.Args = append(input.Args, []byte(a))
	}
	p.send(&msg{Type: typ, Txid: txID, ChannelId: "ch", Payload: marshal(p.t, &input)})
}

// answer sends the answer to a request.
func (p peer) answer(request *msg, typ pb.ChaincodeMessage_Type, payload []byte) {
	p.t.Helper()
	p.send(&msg{Type: typ, Txid: request.GetTxid(), ChannelId: request.GetChannelId(), Payload: payload})
}

// completed expects the transaction's COMPLETED and returns its response.
func (p peer) completed(txID string) *shim.Response {
	p.t.Helper()
	m := p.expect(pb.ChaincodeMessage_COMPLETED, nil)
	if m.GetTxid() != txID || m.GetChannelId() != "ch" {
		p.t.Fatalf("completed %q on %q, want %q on %q", m.GetTxid(), m.GetChannelId(), txID, "ch")
	}
	return mustResponse(p.t, m)
}

func mustResponse(t testing.TB, m *msg) *shim.Response {
	t.Helper()
	res := new(shim.Response)
	if err := proto.Unmarshal(m.GetPayload(), res); err != nil {
		t.Fatal(err)
	}
	return res
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// conversation is a chaincode that talks to a played peer in memory.
type conversation struct {
	peer
	end  func(error)
	done chan error // what Chat returned
}

// connect starts a conversation, brings it to ready, and checks that it has ended with the test.
func connect(t testing.TB, cc shim.Chaincode) *conversation {
	t.Helper()
	return connectOffering(t, nil, cc)
}

// connectOffering is connect for a peer that offers this.
func connectOffering(t testing.TB, offers *pb.ChaincodeAdditionalParams, cc shim.Chaincode) *conversation {
	t.Helper()
	c := talk(t, shim.Config{ChaincodeID: "cc:1", Grace: time.Second}, cc)
	c.handshakeWith(marshal(t, offers))
	t.Cleanup(func() {
		c.end(nil)
		if err := <-c.done; !errors.Is(err, io.EOF) {
			t.Errorf("Chat: %v", err)
		}
	})
	return c
}

func talk(t testing.TB, cfg shim.Config, cc shim.Chaincode) *conversation {
	p, s := pipe.New()
	c := &conversation{peer: peer{t, p}, end: p.End, done: make(chan error, 1)}
	go func() { c.done <- shim.Chat(s, cfg, cc) }()
	return c
}
