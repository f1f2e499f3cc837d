package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// message makes a message of a type, whose payload is bytes or a marshalled message.
func message(t *testing.T, typ pb.ChaincodeMessage_Type, payload any) *pb.ChaincodeMessage {
	t.Helper()
	msg := &pb.ChaincodeMessage{Type: typ}
	switch p := payload.(type) {
	case string:
		msg.Payload = []byte(p)
	case proto.Message:
		b, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		msg.Payload = b
	}
	return msg
}

func input(args ...string) *pb.ChaincodeInput {
	in := &pb.ChaincodeInput{}
	for _, a := range args {
		in.Args = append(in.Args, []byte(a))
	}
	return in
}

func TestTraceDrawsConversations(t *testing.T) {
	const chaincode, peer = handler.FromChaincode, handler.FromPeer
	completed := message(t, pb.ChaincodeMessage_COMPLETED, &pb.Response{Status: 200, Payload: []byte("x")})
	completed.ChaincodeEvent = &pb.ChaincodeEvent{EventName: "Moved"}
	tr := new(trace)
	for _, m := range []struct {
		chaincodeID string
		from        handler.Party
		typ         pb.ChaincodeMessage_Type
		payload     any
	}{
		{"", chaincode, pb.ChaincodeMessage_REGISTER, &pb.ChaincodeID{Name: "market:1.0"}},
		{"market:1.0", peer, pb.ChaincodeMessage_REGISTERED, nil},
		{"market:1.0", peer, pb.ChaincodeMessage_TRANSACTION, input("Sell", "", "a\x1b[2J")},
		{"market:1.0", chaincode, pb.ChaincodeMessage_GET_STATE, &pb.GetState{Key: "k"}},
		{"market:1.0", peer, pb.ChaincodeMessage_RESPONSE, nil},
		{"market:1.0", chaincode, pb.ChaincodeMessage_INVOKE_CHAINCODE, &pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "asset"}, Input: input("Move")}},
		{"asset:1.0", peer, pb.ChaincodeMessage_TRANSACTION, input("Move")},
		{"asset:1.0", chaincode, pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: "\x01"}},
		{"asset:1.0", peer, pb.ChaincodeMessage_RESPONSE, &pb.QueryResponse{Results: make([]*pb.QueryResultBytes, 1), HasMore: true}},
		{"asset:1.0", chaincode, pb.ChaincodeMessage_QUERY_STATE_CLOSE, nil},
		{"asset:1.0", peer, pb.ChaincodeMessage_RESPONSE, &pb.QueryResponse{}},
		{"asset:1.0", chaincode, pb.ChaincodeMessage_PUT_STATE, &pb.PutState{Key: "k", Value: []byte("v")}},
		{"asset:1.0", peer, pb.ChaincodeMessage_ERROR, "no ledger context"},
		{"asset:1.0", chaincode, pb.ChaincodeMessage_COMPLETED, &pb.Response{Status: 500, Message: "no"}},
		{"market:1.0", peer, pb.ChaincodeMessage_RESPONSE, completed},
		{"market:1.0", chaincode, pb.ChaincodeMessage_DEL_STATE, "\xff"},
		{"market:1.0", chaincode, pb.ChaincodeMessage_ERROR, strings.Repeat("é", 61)},
		{"market:1.0", peer, pb.ChaincodeMessage_KEEPALIVE, nil},
	} {
		tr.Message(m.chaincodeID, m.from, message(t, m.typ, m.payload))
	}
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
	printLines(&b, false, tr.take())
	got, rest, _ := strings.Cut("\n"+b.String(), "unreadable: ")
	if got+"unreadable: " != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	_, rest, _ = strings.Cut(rest, "\n") // protobuf's own words
	if end := "    market → ERROR               " + strings.Repeat("é", 60) + "…\n    market ← KEEPALIVE\n"; rest != end {
		t.Errorf("got  %s\nwant %s", rest, end)
	}
	if again := tr.take(); len(again) != 0 {
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
