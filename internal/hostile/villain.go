//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// villain is the chaincode that wants its peer dead. It knows the protocol, and keeps to no rule that it can break.
type villain struct {
	*attacked
	id    string
	s     pb.ClientStream
	leave context.CancelFunc // ends the stream, also while something is being sent
}

func (p *attacked) villain(id string) *villain {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	v := &villain{attacked: p, id: id, s: p.open(ctx), leave: cancel}
	v.send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: marshal(&pb.ChaincodeID{Name: id})})
	v.expect(pb.ChaincodeMessage_REGISTERED)
	v.expect(pb.ChaincodeMessage_READY)
	return v
}

func (v *villain) send(m *pb.ChaincodeMessage) {
	v.t.Helper()
	if err := v.s.Send(m); err != nil {
		v.t.Fatalf("send %s: %v", m.Type, err)
	}
}

func (v *villain) recv() *pb.ChaincodeMessage {
	v.t.Helper()
	m, err := v.s.Recv()
	if err != nil {
		v.t.Fatalf("the stream has ended: %v", err)
	}
	return m
}

func (v *villain) expect(typ pb.ChaincodeMessage_Type) {
	v.t.Helper()
	if m := v.recv(); m.Type != typ {
		v.t.Fatalf("got %s %.200q, want %s", m.Type, m.Payload, typ)
	}
}

// begin begins a transaction, and returns where its outcome will be.
func (v *villain) begin(txID string) <-chan string {
	v.t.Helper()
	outcome := v.start(v.id, txID)
	v.expect(pb.ChaincodeMessage_TRANSACTION)
	return outcome
}

// request sends one without waiting for the answer.
func (v *villain) request(txID string, typ pb.ChaincodeMessage_Type, payload []byte) {
	v.t.Helper()
	v.send(&pb.ChaincodeMessage{Type: typ, Txid: txID, ChannelId: channel, Payload: payload})
}

// ask sends a request, and returns the answer.
func (v *villain) ask(txID string, typ pb.ChaincodeMessage_Type, payload []byte) *pb.ChaincodeMessage {
	v.t.Helper()
	v.request(txID, typ, payload)
	return v.recv()
}

// put writes a value.
func (v *villain) put(txID, key string, value []byte) *pb.ChaincodeMessage {
	v.t.Helper()
	return v.ask(txID, pb.ChaincodeMessage_PUT_STATE, marshal(&pb.PutState{Key: key, Value: value}))
}

// finish completes a transaction, and returns its outcome.
func (v *villain) finish(txID string, outcome <-chan string) string {
	v.t.Helper()
	v.request(txID, pb.ChaincodeMessage_COMPLETED, marshal(&pb.Response{Status: 200}))
	return v.await(outcome)
}

// load commits values under keys, each in a transaction of its own.
func (v *villain) load(value []byte, keys ...string) {
	v.t.Helper()
	for _, key := range keys {
		outcome := v.begin("load-" + key)
		if m := v.put("load-"+key, key, value); m.Type != pb.ChaincodeMessage_RESPONSE {
			v.t.Fatalf("put %d bytes: %.200q", len(value), m.Payload)
		}
		if o := v.finish("load-"+key, outcome); !strings.HasPrefix(o, "200") {
			v.t.Fatalf("load: %s", o)
		}
	}
}

// wantRefused checks that an answer is an ERROR that says a part of text.
func (v *villain) wantRefused(m *pb.ChaincodeMessage, text string) {
	v.t.Helper()
	if m.Type != pb.ChaincodeMessage_ERROR || !strings.Contains(string(m.Payload), text) {
		v.t.Errorf("got %s %.300q, want ERROR with %q", m.Type, m.Payload, text)
	}
}

// holds checks that the peer serves others for a while. What waits with the villain ends with its stream.
func (v *villain) holds(outcomes []<-chan string) {
	v.t.Helper()
	for i, began := 0, time.Now(); time.Since(began) < time.Duration(3*mib())*time.Microsecond; i++ {
		v.serves(fmt.Sprint("meanwhile", i))
	}
	v.leave()
	for _, o := range outcomes {
		if got := v.await(o); strings.HasPrefix(got, "200") {
			v.t.Errorf("a transaction that nobody has completed: %s", got)
		}
	}
}

// wantQueryRefused checks that a query is refused, with a text that names the limit.
func (v *villain) wantQueryRefused(query, limit string) {
	v.t.Helper()
	outcome := v.begin("t")
	v.wantRefused(v.ask("t", pb.ChaincodeMessage_GET_QUERY_RESULT, marshal(&pb.GetQueryResult{Query: query})), limit)
	v.serves("meanwhile")
	v.finish("t", outcome)
}

// wantAnswers makes a query in many transactions at once, and checks how many results the first answer to each has.
func (v *villain) wantAnswers(transactions int, query []byte, results int) {
	v.t.Helper()
	var outcomes []<-chan string
	for i := range transactions {
		outcomes = append(outcomes, v.begin(fmt.Sprint("t", i)))
	}
	for i := range transactions {
		v.request(fmt.Sprint("t", i), pb.ChaincodeMessage_GET_QUERY_RESULT, query)
	}
	v.serves("meanwhile")
	for range transactions {
		m, answer := v.recv(), &pb.QueryResponse{}
		if m.Type != pb.ChaincodeMessage_RESPONSE || proto.Unmarshal(m.Payload, answer) != nil || len(answer.Results) != results {
			v.t.Fatalf("got %s %.300q, want %d results", m.Type, m.Payload, results)
		}
	}
	for i, o := range outcomes {
		v.finish(fmt.Sprint("t", i), o)
	}
}
