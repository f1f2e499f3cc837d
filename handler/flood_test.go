package handler_test

import (
	"runtime"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F35: whatever a chaincode that reads nothing sends, and however much of it, costs the peer a bounded number of
// goroutines and of bytes, or the chaincode its stream.
func TestFlood(t *testing.T) {
	large := make([]byte, 10_000)
	for _, test := range []struct {
		what string
		msg  func() *pb.ChaincodeMessage
		ends codes.Code // OK: it doesn't
	}{
		{"second requests", func() *pb.ChaincodeMessage {
			return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_PUT_STATE, Txid: "tx1", ChannelId: channel, Payload: large}
		}, codes.OK},
		{"requests of unknown transactions", func() *pb.ChaincodeMessage {
			return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, Txid: string(large), ChannelId: channel}
		}, codes.ResourceExhausted},
		{"replies of unknown transactions", func() *pb.ChaincodeMessage {
			return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Txid: "tx2", ChannelId: channel, Payload: large}
		}, codes.OK},
		{"keepalives", func() *pb.ChaincodeMessage {
			return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE, Payload: large}
		}, codes.OK},
	} {
		t.Run(test.what, func(t *testing.T) {
			p := newPeer(t)
			p.cfg.Faults = nil
			release := make(chan struct{})
			p.ledger().On(ledgertest.SetState, ledgertest.Hang(release))
			c := p.register("cc:1")
			x := c.begin("tx1")
			c.Block(nil)
			c.Deliver(in("tx1", putState("a", "1")))
			goroutines, heap := runtime.NumGoroutine(), heapAlloc()
			flood(c, 100_000, test.msg)
			if n := runtime.NumGoroutine() - goroutines; n > 64 {
				t.Errorf("%d more goroutines", n)
			}
			if n := heapAlloc() - heap; n > 32<<20 {
				t.Errorf("%d bytes more", n)
			}
			if err := c.h.Err(); status.Code(err) != test.ends {
				t.Errorf("the stream ended with %v, want %s", err, test.ends)
			}
			c.h.Close()
			close(release)
			<-x.done
			<-c.ended
			c.wait()
			p.check()
		})
	}
}

// flood delivers n messages and returns when they have been read, or when the stream has ended.
func flood(c *chaincode, n int, msg func() *pb.ChaincodeMessage) {
	const most = 1000 // in the script at once
	ahead := make(chan struct{}, most)
	for range n {
		select {
		case ahead <- struct{}{}:
		case <-c.h.Done():
			return
		}
		c.Do(func() (*pb.ChaincodeMessage, error) {
			<-ahead
			return msg(), nil
		})
	}
	for range most {
		select {
		case ahead <- struct{}{}:
		case <-c.h.Done():
			return
		}
	}
}

func heapAlloc() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far from the limit
}
