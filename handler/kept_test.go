package handler_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F145: what is larger than its account finds room when only its owner has something there, and only once.
func TestMemoryOfOneOwner(t *testing.T) {
	p := newPeer(t)
	p.cfg.MaxBytes = 128 * unit() // of which 64 are for what is kept
	c, b := p.register("cc:1"), p.register("b:1")
	x := c.begin("tx1")
	c.ask(pb.ChaincodeMessage_INVOKE_CHAINCODE, "tx1", &pb.ChaincodeSpec{
		ChaincodeId: &pb.ChaincodeID{Name: "b"}, Input: &pb.ChaincodeInput{Args: [][]byte{make([]byte, 20<<10)}},
	})
	b.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
	b.ask(pb.ChaincodeMessage_COMPLETED, "tx1", &pb.Response{Status: 200, Payload: make([]byte, 90*unit())})
	c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	for _, size := range []int{20 << 10, 90 * unit()} {
		c.Deliver(in("tx1", putState("a", string(make([]byte, size)))))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	}
	c.Deliver(in("tx1", putState("a", string(make([]byte, 20<<10)))))
	c.refused("tx1", "the peer keeps")
	c.finish(t, "tx1", x)
	b.stop()
	c.stop()
	p.check()
}

// F146: an ERROR doesn't repeat a long name whole.
func TestTextsAreCut(t *testing.T) {
	p := newPeer(t)
	collectionsOf("w")(p)
	c := p.register("cc:1")
	x := c.begin("tx1")
	long := strings.Repeat("n", 10*unit())
	for txID, request := range map[string]*pb.ChaincodeMessage{"tx1": getPrivate(long, "k"), long: getState("k")} {
		c.Deliver(in(txID, request))
		m := c.want(pb.ChaincodeMessage_ERROR, txID)
		if n := len(m.Payload); n < 64<<10 || n > 65<<10 || !strings.Contains(string(m.Payload), " bytes cut)") {
			t.Errorf("got ERROR of %d bytes, which ends in %q", n, m.Payload[max(n-200, 0):])
		}
	}
	c.finish(t, "tx1", x)
	c.stop()
	p.check()
}

// F147: an answer that finds its stream ended gives its room back once.
func TestAnswersAfterTheEnd(t *testing.T) {
	if n := handler.AnswerAfterEnd(100); n < 0 {
		t.Errorf("%d bytes are taken, want 0 or more", n)
	}
}
