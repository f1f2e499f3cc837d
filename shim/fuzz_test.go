package shim_test

import (
	"testing"
	"time"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// FuzzMessages feeds the shim whatever a peer could send, after a handshake: each message is a byte for its type, a
// byte for its transaction, a byte for its payload's length, and the payload. Nothing may panic, and Chat must
// return when the stream ends.
func FuzzMessages(f *testing.F) {
	run := []byte{byte(pb.ChaincodeMessage_TRANSACTION), 1, 0}
	value := []byte{byte(pb.ChaincodeMessage_RESPONSE), 1, 1, 'v'}
	row := marshal(f, &pb.QueryResponse{Results: []*pb.QueryResultBytes{{ResultBytes: marshal(f, &pb.KV{Key: "k"})}}, HasMore: true, Id: "q"})
	f.Add([]byte{})
	f.Add(run)
	f.Add(append(append(run, value...), append([]byte{byte(pb.ChaincodeMessage_RESPONSE), 1, byte(len(row))}, row...)...))
	f.Add(append(append(run, value...), run...))
	f.Add([]byte{byte(pb.ChaincodeMessage_KEEPALIVE), 0, 0, byte(pb.ChaincodeMessage_INIT), 2, 1, 0xff})
	f.Add([]byte{byte(pb.ChaincodeMessage_READY), 0, 0})

	f.Fuzz(func(t *testing.T, script []byte) {
		c := talk(t, shim.Config{ChaincodeID: "cc:1"}, function(askEverything))
		drained := make(chan struct{})
		go func() { // the peer reads all that it is sent
			defer close(drained)
			for {
				if _, err := c.Recv(); err != nil {
					return
				}
			}
		}()
		send := func(m *msg) { _ = c.Send(m) } // the chaincode may have ended
		send(&msg{Type: pb.ChaincodeMessage_REGISTERED})
		send(&msg{Type: pb.ChaincodeMessage_READY})
		ended := false
		for len(script) >= 3 && !ended {
			size := min(int(script[2]), len(script)-3)
			m := &msg{Type: pb.ChaincodeMessage_Type(script[0]), Txid: string(script[1:2]), ChannelId: "ch", Payload: script[3 : 3+size]}
			script = script[3+size:]
			select {
			case err := <-c.done: // a message that ends the chaincode; nothing takes what is sent after it
				c.done <- err
				ended = true
			default:
				send(m)
			}
		}
		c.end(nil)
		select {
		case err := <-c.done:
			if err == nil {
				t.Error("Chat ended without an error")
			}
		case <-time.After(time.Minute):
			t.Fatal("Chat has not returned")
		}
		<-drained
	})
}

// askEverything makes requests of every kind, whatever comes of them.
func askEverything(s stub) *shim.Response {
	_, _ = s.GetState("k")
	if it, err := s.GetStateByRange("", ""); err == nil {
		for n := 0; it.HasNext() && n < 5; n++ {
			_, _ = it.Next()
		}
		_ = it.Close()
	}
	if it, err := s.GetHistoryForKey("k"); err == nil {
		_, _ = it.Next()
		_ = it.Close()
	}
	_, _, _ = s.GetStateByRangeWithPagination("", "", 1, "")
	_ = s.PutState("k", nil)
	return s.InvokeChaincode("other", nil, "")
}
