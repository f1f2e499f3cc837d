package main

import (
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

func input(args ...string) *pb.ChaincodeInput {
	in := &pb.ChaincodeInput{}
	for _, a := range args {
		in.Args = append(in.Args, []byte(a))
	}
	return in
}

// conversation is what a test plays to a trace.
type conversation struct {
	*testing.T
	trace *trace
}

// transact plays a transaction, during which requests are made.
func (c conversation) transact(tx handler.Transaction, in *pb.ChaincodeInput, requests func(), reply *pb.ChaincodeMessage) {
	c.Helper()
	e := handler.Execution{Transaction: tx, Type: pb.ChaincodeMessage_TRANSACTION, Input: in}
	got, err := c.trace.transaction(c.Context(), e, func(context.Context) (*pb.ChaincodeMessage, error) {
		requests()
		return reply, nil
	})
	if got != reply || err != nil {
		c.Errorf("the transaction returned %v, %v", got, err)
	}
}

// ask plays a request, which is answered by answer.
func (c conversation) ask(tx handler.Transaction, typ pb.ChaincodeMessage_Type, payload []byte, answer func() ([]byte, error)) {
	c.Helper()
	want, failure := []byte(nil), error(nil)
	got, err := c.trace.request(c.Context(), handler.Request{Transaction: tx, Type: typ, Payload: payload}, func(context.Context) ([]byte, error) {
		want, failure = answer()
		return want, failure
	})
	if string(got) != string(want) || err != failure {
		c.Errorf("%s returned %q, %v", typ, got, err)
	}
}

func TestTraceDrawsConversations(t *testing.T) {
	c := conversation{t, new(trace)}
	market := handler.Transaction{Chaincode: "market", ChaincodeID: "market:1.0"}
	asset := handler.Transaction{Chaincode: "asset", ChaincodeID: "asset:1.0", Depth: 1}
	answered := func(m proto.Message) func() ([]byte, error) {
		return func() ([]byte, error) {
			if m == nil {
				return nil, nil
			}
			return marshal(t, m), nil
		}
	}
	moved := &pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, &pb.Response{Status: 200, Payload: []byte("x")}),
		ChaincodeEvent: &pb.ChaincodeEvent{EventName: "Moved"},
	}
	inner := func() {
		c.ask(asset, pb.ChaincodeMessage_GET_STATE_BY_RANGE, marshal(t, &pb.GetStateByRange{StartKey: "\x01"}),
			answered(&pb.QueryResponse{Results: make([]*pb.QueryResultBytes, 1), HasMore: true}))
		c.ask(asset, pb.ChaincodeMessage_QUERY_STATE_CLOSE, nil, answered(&pb.QueryResponse{}))
		c.ask(asset, pb.ChaincodeMessage_PUT_STATE, marshal(t, &pb.PutState{Key: "k", Value: []byte("v")}),
			func() ([]byte, error) { return nil, errors.New("no ledger context") })
	}
	outer := func() {
		c.ask(market, pb.ChaincodeMessage_GET_STATE, marshal(t, &pb.GetState{Key: "k"}), answered(nil))
		call := &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "asset"}, Input: input("Move")}
		c.ask(market, pb.ChaincodeMessage_INVOKE_CHAINCODE, marshal(t, call), func() ([]byte, error) {
			c.transact(asset, input("Move"), inner, &pb.ChaincodeMessage{
				Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, &pb.Response{Status: 500, Message: "no"}),
			})
			return marshal(t, moved), nil
		})
		c.ask(market, pb.ChaincodeMessage_DEL_STATE, []byte("\xff"), answered(nil))
	}
	c.trace.Message("", handler.Received, &pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_REGISTER, Payload: marshal(t, &pb.ChaincodeID{Name: "market:1.0"}),
	})
	c.trace.Message("market:1.0", handler.Sent, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED})
	c.trace.Message("market:1.0", handler.Sent, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_TRANSACTION}) // was seen otherwise
	c.transact(market, input("Sell", "", "a\x1b[2J"), outer, &pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_ERROR, Payload: []byte(strings.Repeat("é", 61)),
	})
	c.trace.Message("market:1.0", handler.Sent, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE})
	const want = `
    market → REGISTER            market:1.0
    market ← REGISTERED
    market ← TRANSACTION         Sell "" "a\x1b[2J"
    market → GET_STATE           k
    market ← RESPONSE            absent
    market → INVOKE_CHAINCODE    asset: Move
        asset  ← TRANSACTION         Move
        asset  → GET_STATE_BY_RANGE  from the start to the end
        asset  ← RESPONSE            1 record, and there are more
        asset  → QUERY_STATE_CLOSE
        asset  ← RESPONSE
        asset  → PUT_STATE           k (1 byte)
        asset  ← ERROR               no ledger context
        asset  → COMPLETED           500 no
    market ← RESPONSE            200, 1 byte, event Moved
    market → DEL_STATE           unreadable: `
	var b strings.Builder
	printLines(&b, false, c.trace.take())
	got, rest, _ := strings.Cut("\n"+b.String(), "unreadable: ")
	if got+"unreadable: " != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	_, rest, _ = strings.Cut(rest, "\n") // protobuf's own words
	if end := "    market ← RESPONSE\n    market → ERROR               " + strings.Repeat("é", 60) + "…\n    market ← KEEPALIVE\n"; rest != end {
		t.Errorf("got  %s\nwant %s", rest, end)
	}
	if again := c.trace.take(); len(again) != 0 {
		t.Errorf("lines were not taken: %v", again)
	}
}

func TestStyle(t *testing.T) {
	if got := style(true).dim("x"); got != "\x1b[2mx\x1b[0m" {
		t.Errorf("with colours: %q", got)
	}
	if styleFor(new(strings.Builder)) {
		t.Error("there are colours in what is no terminal")
	}
}
