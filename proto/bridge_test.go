package pb_test

import (
	"io"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// queue is one end of a stream that gives back what it was sent.
type queue struct {
	msgs   []*pb.ChaincodeMessage
	err    error
	closed bool
}

func (q *queue) Send(m *pb.ChaincodeMessage) error {
	if q.err != nil {
		return q.err
	}
	q.msgs = append(q.msgs, m)
	return nil
}

func (q *queue) Recv() (*pb.ChaincodeMessage, error) {
	if q.err != nil {
		return nil, q.err
	}
	m := q.msgs[0]
	q.msgs = q.msgs[1:]
	return m, nil
}

func (q *queue) CloseSend() error { q.closed = true; return nil }

// onlyStream is a stream that can't be half-closed.
type onlyStream struct{ pb.Stream }

// Our own type plays the foreign one: official bindings can't be linked here. See internal/interop.
func bridges(q *queue) map[string]pb.ClientStream {
	return map[string]pb.ClientStream{
		"As":      pb.As[pb.ChaincodeMessage](q),
		"From":    pb.From[pb.ChaincodeMessage](q),
		"From As": pb.From[pb.ChaincodeMessage](pb.As[pb.ChaincodeMessage](q)),
	}
}

func TestBridgeKeepsMessages(t *testing.T) {
	m := &pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_COMPLETED, Payload: []byte("payload"), Txid: "tx", ChannelId: "ch",
		Proposal:       &pb.SignedProposal{ProposalBytes: []byte("proposal"), Signature: []byte("signature")},
		ChaincodeEvent: &pb.ChaincodeEvent{EventName: "event", Payload: []byte("event payload")},
	}
	q := &queue{}
	for name, s := range bridges(q) {
		if err := s.Send(m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(q.msgs) != 1 || q.msgs[0] == m {
			t.Errorf("%s: the message wasn't converted", name)
		}
		if got, err := s.Recv(); err != nil || !proto.Equal(got, m) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestBridgeKeepsErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{io.EOF, broken} {
		for name, s := range bridges(&queue{err: want}) {
			if _, err := s.Recv(); err != want { //nolint:errorlint // the very error is promised
				t.Errorf("%s: Recv returned %v, want %v", name, err, want)
			}
			if err := s.Send(&pb.ChaincodeMessage{}); err != want { //nolint:errorlint // as above
				t.Errorf("%s: Send returned %v, want %v", name, err, want)
			}
		}
	}
}

func TestBridgeRefusesWhatCannotBeMarshalled(t *testing.T) {
	q := &queue{}
	for name, s := range bridges(q) {
		if err := s.Send(&pb.ChaincodeMessage{Txid: "\xff"}); err == nil || len(q.msgs) != 0 {
			t.Errorf("%s: Send returned %v and sent %v", name, err, q.msgs)
		}
		q.msgs = []*pb.ChaincodeMessage{{Txid: "\xff"}}
		if _, err := s.Recv(); err == nil {
			t.Errorf("%s: received a text that is not UTF-8", name)
		}
	}
}

func TestBridgeClosesSend(t *testing.T) {
	q := &queue{}
	for name, s := range bridges(q) {
		q.closed = false
		if err := s.CloseSend(); err != nil || !q.closed {
			t.Errorf("%s: %v, closed %t", name, err, q.closed)
		}
	}
	q.closed = false
	for name, s := range map[string]pb.ClientStream{
		"As":   pb.As[pb.ChaincodeMessage](onlyStream{q}),
		"From": pb.From[pb.ChaincodeMessage](onlyStream{q}),
	} {
		if err := s.CloseSend(); err != nil || q.closed {
			t.Errorf("%s of a stream that can't: %v, closed %t", name, err, q.closed)
		}
	}
}

// Every message that can be decoded comes out of the bridge as it went in, unknown fields included.
func FuzzBridge(f *testing.F) {
	for _, m := range []*pb.ChaincodeMessage{
		{},
		{Type: pb.ChaincodeMessage_GET_STATE, Txid: "tx", ChannelId: "ch", Payload: []byte("x")},
		{Type: 99, ChaincodeEvent: &pb.ChaincodeEvent{EventName: "e"}, Proposal: &pb.SignedProposal{Signature: []byte("s")}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, 0xf8, 0x07, 0x01)) // field 127
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &pb.ChaincodeMessage{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		for name, s := range bridges(&queue{}) {
			if err := s.Send(m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, err := s.Recv(); err != nil || !proto.Equal(got, m) {
				t.Errorf("%s: got %v, %v, want %v", name, got, err, m)
			}
		}
	})
}
