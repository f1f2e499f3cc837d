//go:build linux

package hostile_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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

// attacks are what chaincode can ask for that once cost a peer gigabytes. Each is tried on a peer of its own.
var attacks = []struct {
	name string
	do   func(v *villain)
}{
	// 5.1 GiB: the size was looked at after 5 GB were encoded.
	{"one key of 10 MiB is read 500 times at once", func(v *villain) {
		v.load(make([]byte, 10*mib()), "k")
		outcome, keys := v.begin("t"), make([]string, 500)
		for i := range keys {
			keys[i] = "k"
		}
		v.wantRefused(v.ask("t", pb.ChaincodeMessage_GET_STATE_MULTIPLE, marshal(&pb.GetStateMultiple{Keys: keys})),
			fmt.Sprint("more than ", limits().MaxSendMsgSize, " bytes"))
		v.serves("meanwhile")
		v.finish("t", outcome)
	}},
	// 4.0 GiB: each had read a record ahead.
	{"256 ranges stay open over two records of 10 MiB", func(v *villain) {
		v.load(make([]byte, 10*mib()), "a", "b")
		outcome, refused := v.begin("t"), 0
		for range 256 {
			if m := v.ask("t", pb.ChaincodeMessage_GET_STATE_BY_RANGE, marshal(&pb.GetStateByRange{})); m.Type == pb.ChaincodeMessage_ERROR {
				refused++
			}
		}
		if refused == 0 {
			v.t.Error("none was refused")
		}
		v.serves("meanwhile")
		v.finish("t", outcome)
	}},
	// 6.4 GiB.
	{"30 values of 64 MiB are written in a transaction", func(v *villain) {
		outcome, value := v.begin("t"), make([]byte, 64*mib())
		var last *pb.ChaincodeMessage
		for i := range 30 {
			last = v.put("t", fmt.Sprint("k", i), value)
		}
		v.wantRefused(last, fmt.Sprint("the limit is ", limits().MaxTransactionBytes))
		v.serves("meanwhile")
		v.request("t", pb.ChaincodeMessage_COMPLETED, marshal(&pb.Response{Status: 500, Message: "enough"}))
		if got := v.await(outcome); !strings.HasPrefix(got, "500") {
			v.t.Errorf("the transaction ended with %s, want 500", got)
		}
	}},
	// 2.9 GiB.
	{"30 transactions read 64 MiB each, which nobody takes", func(v *villain) {
		v.load(make([]byte, 64*mib()), "k")
		var outcomes []<-chan string
		for i := range 30 {
			outcomes = append(outcomes, v.begin(fmt.Sprint("t", i)))
		}
		for i := range 30 {
			v.request(fmt.Sprint("t", i), pb.ChaincodeMessage_GET_STATE, marshal(&pb.GetState{Key: "k"}))
		}
		v.holds(outcomes)
	}},
	// 2.6 GiB.
	{"20 calls of chaincode have 50 MiB of input each", func(v *villain) {
		callee := v.villain("callee") // which reads no more
		var outcomes []<-chan string
		for i := range 20 {
			outcomes = append(outcomes, v.begin(fmt.Sprint("t", i)))
		}
		call := marshal(&pb.ChaincodeSpec{
			ChaincodeId: &pb.ChaincodeID{Name: callee.id}, Input: &pb.ChaincodeInput{Args: [][]byte{make([]byte, 50*mib())}},
		})
		go func() { // the peer may stop reading
			for i := range 20 {
				if v.s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE, Txid: fmt.Sprint("t", i), ChannelId: channel, Payload: call}) != nil {
					return
				}
			}
		}()
		v.holds(outcomes)
	}},
	{"30 calls of chaincode are answered with 90 MiB each, which nobody takes", func(v *villain) {
		callee := v.villain("callee")
		var outcomes []<-chan string
		for i := range 30 {
			txID := fmt.Sprint("t", i)
			outcomes = append(outcomes, v.begin(txID))
			v.request(txID, pb.ChaincodeMessage_INVOKE_CHAINCODE, marshal(&pb.ChaincodeSpec{
				ChaincodeId: &pb.ChaincodeID{Name: callee.id}, Input: &pb.ChaincodeInput{Args: [][]byte{[]byte("large")}},
			}))
			callee.expect(pb.ChaincodeMessage_TRANSACTION)
		}
		reply := marshal(&pb.Response{Status: 200, Payload: make([]byte, 90*mib())})
		go func() { // the peer may stop reading
			for i := range 30 {
				if callee.s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Txid: fmt.Sprint("t", i), ChannelId: channel, Payload: reply}) != nil {
					return
				}
			}
		}()
		v.holds(outcomes)
	}},
	// 0.5 GiB.
	{"a query has a regular expression that is a program of gigabytes", func(v *villain) {
		v.load([]byte(`{"a":"aaaa"}`), "k")
		v.wantQueryRefused(`{"selector":{"a":{"$regex":"`+strings.Repeat("a{1000}", 3000)+`"}}}`, "8192")
	}},
	// 1.1 GiB. What a query may have is fixed, so the small form's is just above it.
	{"a query has 40 MiB of values", func(v *villain) {
		v.load([]byte(`{"a":"aaaa"}`), "k")
		values := max(10*mib(), 9<<20/4)
		v.wantQueryRefused(`{"selector":{"a":{"$in":[`+string(bytes.Repeat([]byte(`"x",`), values))+`"y"]}}}`, "8388608")
	}},
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

// F94: whatever a chaincode asks for, the peer's memory stays bounded, and others are served.
func TestHostileChaincode(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			p := startPeer(t)
			p.serves("before")
			a.do(p.villain("hostile:1"))
			p.serves("after")
		})
	}
}
