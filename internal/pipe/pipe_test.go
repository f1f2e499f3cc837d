package pipe_test

import (
	"cmp"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

var errBroken = errors.New("broken")

func numbered(i int) *pb.ChaincodeMessage {
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, Txid: fmt.Sprint(i)}
}

func TestInOrderBothWays(t *testing.T) {
	p, c := pipe.New()
	for _, dir := range []struct{ from, to pb.Stream }{{p, c}, {c, p}} {
		go func() {
			for i := range 1000 {
				if err := dir.from.Send(numbered(i)); err != nil {
					t.Errorf("send %d: %v", i, err)
				}
			}
		}()
		for i := range 1000 {
			m, err := dir.to.Recv()
			if err != nil || m.GetTxid() != fmt.Sprint(i) {
				t.Fatalf("message %d: got %v, %v", i, m, err)
			}
		}
	}
}

// Every field must be copied, and copied deeply: the sender changes the message after Send.
func TestReceiverOwnsWhatItGets(t *testing.T) {
	full := func() *pb.ChaincodeMessage {
		return &pb.ChaincodeMessage{
			Type:           pb.ChaincodeMessage_COMPLETED,
			Timestamp:      &timestamppb.Timestamp{Seconds: 1, Nanos: 2},
			Payload:        []byte("payload"),
			Txid:           "tx",
			Proposal:       &pb.SignedProposal{ProposalBytes: []byte("proposal"), Signature: []byte("signature")},
			ChaincodeEvent: &pb.ChaincodeEvent{ChaincodeId: "cc", TxId: "tx", EventName: "event", Payload: []byte("event payload")},
			ChannelId:      "ch",
		}
	}
	p, c := pipe.New()
	m := full()
	if err := p.Send(m); err != nil {
		t.Fatal(err)
	}
	m.Timestamp.Seconds, m.Txid, m.ChaincodeEvent.EventName = 9, "x", "x"
	for _, b := range [][]byte{m.Payload, m.Proposal.ProposalBytes, m.Proposal.Signature, m.ChaincodeEvent.Payload} {
		clear(b)
	}
	got, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, full()) {
		t.Errorf("got %v", got)
	}
	if n := got.ProtoReflect().Descriptor().Fields().Len(); n != 7 {
		t.Errorf("ChaincodeMessage has %d fields: teach clone the new one", n)
	}
}

func TestNilMessageArrivesEmpty(t *testing.T) {
	p, c := pipe.New()
	if err := c.Send(nil); err != nil {
		t.Fatal(err)
	}
	if m, err := p.Recv(); err != nil || !proto.Equal(m, &pb.ChaincodeMessage{}) {
		t.Errorf("got %v, %v", m, err)
	}
}

// What was sent before an end is received before it, and afterwards every operation of both sides returns.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name                               string
		end                                func(*pipe.Peer, *pipe.Chaincode)
		peerSend, peerRecv, ccSend, ccRecv error
	}{
		{name: "peer ends", end: func(p *pipe.Peer, _ *pipe.Chaincode) { p.End(nil) },
			peerSend: pipe.ErrEnded, peerRecv: pipe.ErrEnded, ccSend: io.EOF, ccRecv: io.EOF},
		{name: "peer ends with an error", end: func(p *pipe.Peer, _ *pipe.Chaincode) { p.End(errBroken) },
			peerSend: pipe.ErrEnded, peerRecv: pipe.ErrEnded, ccSend: io.EOF, ccRecv: errBroken},
		{name: "chaincode aborts", end: func(_ *pipe.Peer, c *pipe.Chaincode) { c.Abort(errBroken) },
			peerSend: errBroken, peerRecv: errBroken, ccSend: errBroken, ccRecv: errBroken},
		{name: "chaincode aborts without an error", end: func(_ *pipe.Peer, c *pipe.Chaincode) { c.Abort(nil) },
			peerSend: io.EOF, peerRecv: io.EOF, ccSend: io.EOF, ccRecv: io.EOF},
		{name: "the first end counts", end: func(p *pipe.Peer, c *pipe.Chaincode) { p.End(nil); c.Abort(errBroken) },
			peerSend: pipe.ErrEnded, peerRecv: pipe.ErrEnded, ccSend: io.EOF, ccRecv: io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := pipe.New()
			for i := range 3 {
				if err := cmp.Or(p.Send(numbered(i)), c.Send(numbered(i))); err != nil {
					t.Fatal(err)
				}
			}
			test.end(p, c)
			for i := range 3 {
				for _, end := range []pb.Stream{p, c} {
					if m, err := end.Recv(); err != nil || m.GetTxid() != fmt.Sprint(i) {
						t.Errorf("%T: message %d: got %v, %v", end, i, m, err)
					}
				}
			}
			_, peerRecv := p.Recv()
			_, ccRecv := c.Recv()
			for _, e := range []struct {
				op        string
				got, want error
			}{
				{"peer send", p.Send(numbered(0)), test.peerSend}, {"peer recv", peerRecv, test.peerRecv},
				{"chaincode send", c.Send(numbered(0)), test.ccSend}, {"chaincode recv", ccRecv, test.ccRecv},
			} {
				if !errors.Is(e.got, e.want) {
					t.Errorf("%s: got %v, want %v", e.op, e.got, e.want)
				}
			}
		})
	}
}

func TestCloseSendIsHalf(t *testing.T) {
	p, c := pipe.New()
	if err := cmp.Or(c.Send(numbered(1)), c.CloseSend(), c.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(numbered(2)); !errors.Is(err, pipe.ErrClosedSend) {
		t.Errorf("send after CloseSend: %v", err)
	}
	if m, err := p.Recv(); err != nil || m.GetTxid() != "1" {
		t.Errorf("got %v, %v", m, err)
	}
	if _, err := p.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v", err)
	}
	if err := p.Send(numbered(3)); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	if m, err := c.Recv(); err != nil || m.GetTxid() != "3" {
		t.Errorf("got %v, %v", m, err)
	}
}

// Operations that are waiting, for a message or for room, return when the stream ends.
func TestEndWakesWaiters(t *testing.T) {
	for name, end := range map[string]func(*pipe.Peer, *pipe.Chaincode){
		"end":   func(p *pipe.Peer, _ *pipe.Chaincode) { p.End(nil) },
		"abort": func(_ *pipe.Peer, c *pipe.Chaincode) { c.Abort(errBroken) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				senders, receivers := [2]pb.Stream{}, [2]pb.Stream{}
				p, c := pipe.New()
				senders[0], receivers[1] = p, p
				p2, c2 := pipe.New()
				senders[1], receivers[0] = c2, c2
				errs := make(chan error, 4)
				for _, s := range senders {
					go func() {
						for {
							if err := s.Send(numbered(0)); err != nil {
								errs <- err
								return
							}
						}
					}()
				}
				for _, r := range receivers {
					go func() { _, err := r.Recv(); errs <- err }()
				}
				synctest.Wait()
				if len(errs) != 0 {
					t.Fatalf("an operation returned before the end: %v", <-errs)
				}
				end(p, c)
				end(p2, c2)
				synctest.Wait()
				if len(errs) != 4 {
					t.Errorf("%d of 4 operations returned", len(errs))
				}
			})
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	p, c := pipe.New()
	go func() {
		for {
			m, err := p.Recv()
			if err != nil {
				return
			}
			if p.Send(m) != nil {
				return
			}
		}
	}()
	m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, Txid: "tx", ChannelId: "ch", Payload: make([]byte, 40)}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Send(m); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Recv(); err != nil {
			b.Fatal(err)
		}
	}
	p.End(nil)
}
