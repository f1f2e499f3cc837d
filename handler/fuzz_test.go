package handler_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/streamtest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Whatever the payload of a request is, it gets one answer, and the transaction goes on.
func FuzzRequestPayload(f *testing.F) {
	for i, m := range requests() {
		f.Add(uint8(i), m.Payload)
		f.Add(uint8(i), append([]byte{0xff}, m.Payload...))
	}
	f.Add(uint8(3), marshal(&pb.GetStateByRange{Metadata: marshal(&pb.QueryMetadata{PageSize: 2, Bookmark: "k001"})}))
	f.Add(uint8(3), marshal(&pb.GetStateByRange{Metadata: marshal(&pb.QueryMetadata{PageSize: -1})}))
	f.Fuzz(func(t *testing.T, i uint8, payload []byte) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.rows(101)
			c := p.register("cc:1")
			x := c.beginQuery()
			m := requests()[int(i)%len(requests())]
			m.Payload = payload
			c.Deliver(in("tx1", m))
			switch a := c.Next(); {
			case a.GetTxid() != "tx1" || a.GetChannelId() != channel:
				t.Errorf("answered %v", a)
			case a.Type == pb.ChaincodeMessage_ERROR && strings.HasPrefix(string(a.Payload), failed(m, "tx1", "")):
			case a.Type != pb.ChaincodeMessage_RESPONSE:
				t.Errorf("answered %v", a)
			}
			c.wantSilence()
			c.finish(t, "tx1", x)
			c.stop()
			p.check()
		})
	})
}

// Whatever REGISTER carries, the chaincode is registered under a name that is allowed, or refused.
func FuzzRegister(f *testing.F) {
	for _, name := range []string{"", "cc:1", "a\x00", "../a", strings.Repeat("x", 300), "label:0123abcd"} {
		f.Add(registration(name).Payload)
	}
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		synctest.Test(t, func(t *testing.T) {
			c := newPeer(t).connect()
			c.Deliver(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: payload})
			synctest.Wait()
			select {
			case <-c.ready:
				if err := handler.CheckChaincodeID(c.h.ChaincodeID()); err != nil {
					t.Error(err)
				}
				c.stop()
			default:
				if c.h != nil {
					t.Errorf("%q was registered, but is not ready", c.h.ChaincodeID())
				}
				if sent := c.Sent(); len(sent) != 0 {
					t.Errorf("sent %v", sent)
				}
				<-c.ended
				c.wait()
			}
		})
	})
}

// A sequence of messages, each of them one byte: which transaction it belongs to, and what it says. Requests get one
// answer each, all else gets none; a message that only the peer sends ends the stream.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{0, 16, 32, 48, 64, 80, 96, 112, 128, 144})
	f.Add([]byte{3 << 4, 3 << 4, 5 << 4, 6<<4 | 1, 8 << 4, 3 << 4})
	f.Add([]byte{8 << 4, 9<<4 | 1, 10 << 4, 11 << 4})
	f.Fuzz(func(t *testing.T, said []byte) {
		const most = 64
		synctest.Test(t, func(t *testing.T) { playMessages(t, said[:min(len(said), most)]) })
	})
}

func playMessages(t *testing.T, said []byte) {
	p := newPeer(t)
	p.rows(101)
	c := p.register("cc:1")
	calls := []*call{c.begin("tx0"), c.begin("tx1")}
	vocabulary := append(requests(), completed(),
		&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR}, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE},
		&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE})
	over := false
	for _, b := range said {
		txID := []string{"tx0", "tx1", "unknown", ""}[b&3]
		m := in(txID, vocabulary[int(b>>4)%len(vocabulary)])
		c.Deliver(m)
		synctest.Wait()
		want := 0
		if !over && requestTypes[int32(m.Type)] {
			want = 1
		}
		if sent := c.Sent(); len(sent) != want {
			t.Fatalf("%v: sent %v, want %d messages", m, sent, want)
		}
		over = over || m.Type == pb.ChaincodeMessage_RESPONSE
		if over == (c.h.State() == handler.Ready) {
			t.Fatalf("%v: state %s", m, c.h.State())
		}
	}
	c.Do(func() (*pb.ChaincodeMessage, error) { return nil, streamtest.ErrEnded })
	<-c.ended
	for _, x := range calls {
		<-x.done
	}
	c.wait()
	synctest.Wait()
	p.check()
}
