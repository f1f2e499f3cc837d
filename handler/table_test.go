package handler_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What the protocol says of each message that a chaincode sends, written without looking at the handler's table.
var (
	requestTypes = map[int32]bool{
		8: true, 9: true, 10: true, 11: true, 14: true, 15: true, 16: true, 17: true,
		19: true, 20: true, 21: true, 22: true, 23: true, 24: true, 25: true,
	}
	endsTx = map[int32]bool{6: true, 7: true}
)

const (
	typeRegister  = 1
	typeKeepalive = 18
)

// accepted is the oracle: whether a chaincode may send a message of that number in a state.
func accepted(typ int32, state string) bool {
	switch state {
	case "created":
		return typ == typeRegister
	case "established":
		return typ == typeKeepalive
	case "ready":
		return typ == typeKeepalive || requestTypes[typ] || endsTx[typ]
	}
	return false
}

// Every type of message in every state. In end nothing is received any more.
func TestEveryMessageInEveryState(t *testing.T) {
	numbers := []int32{-1, 99}
	for n := range int32(27) {
		numbers = append(numbers, n)
	}
	for _, state := range []string{"created", "established", "ready", "end"} {
		for _, n := range numbers {
			if state == "established" {
				t.Run(fmt.Sprintf("established/%s", pb.ChaincodeMessage_Type(n)), func(t *testing.T) { testEstablished(t, n) })
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", state, pb.ChaincodeMessage_Type(n)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testCell(t, n, state) })
			})
		}
	}
}

func testCell(t *testing.T, n int32, state string) {
	p := newPeer(t)
	c := reach(p, state)
	m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_Type(n), Txid: "tx1", ChannelId: channel}
	if n == typeRegister {
		m.Payload = registration("cc:1").Payload
	}
	c.Deliver(m)
	synctest.Wait()
	switch sent := c.Sent(); {
	case state == "end":
		if got := c.h.State(); got != handler.End || len(sent) != 0 {
			t.Errorf("state %s, sent %v", got, sent)
		}
	case !accepted(n, state):
		code := codes.InvalidArgument
		if state == "created" {
			code = codes.FailedPrecondition
		}
		c.wantEnd(code, refused(m, state))
	case len(c.ended) != 0:
		t.Errorf("the stream ended: %v", (<-c.ended).err)
	case n == typeRegister && len(sent) != 2, requestTypes[n] && len(sent) != 1, (endsTx[n] || n == typeKeepalive) && len(sent) != 0:
		t.Errorf("sent %v", sent)
	}
	c.cancel()
	err := (<-c.ended).err
	if state != "end" && accepted(n, state) && status.Code(err) != codes.Canceled {
		t.Errorf("the stream ended with %v", err)
	}
	c.wait()
}

// reach brings a chaincode's stream to a state.
func reach(p *peer, state string) *chaincode {
	if state == "created" {
		return p.connect()
	}
	c := p.register("cc:1")
	if state == "end" {
		c.CloseSend()
		<-c.gone
	}
	return c
}

// testEstablished sends a message right behind REGISTER. The stream is ready soon, so it takes some attempts until
// the message arrives in established.
func testEstablished(t *testing.T, n int32) {
	m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_Type(n), Txid: "tx1", ChannelId: channel}
	early, attempts := 0, 0
	for ; early == 0 && attempts < 1000; attempts++ {
		synctest.Test(t, func(t *testing.T) {
			c := newPeer(t).connect()
			c.Deliver(registration("cc:1"), m)
			synctest.Wait()
			c.cancel()
			switch text := status.Convert((<-c.ended).err).Message(); {
			case text == refused(m, "established"):
				early++
			case accepted(n, "ready") && text == refused(m, "ready"):
				t.Errorf("refused in ready: %s", text)
			}
			c.wait()
		})
		if accepted(n, "established") && attempts == 20 {
			break
		}
	}
	if accepted(n, "established") == (early > 0) {
		t.Errorf("accepted is %t, refused %d times in %d attempts", accepted(n, "established"), early, attempts)
	}
}
