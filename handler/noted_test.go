package handler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F141: 30 requests with names of 90 MiB, which a transaction keeps until it ends, are refused when they find no room.
func TestMemoryOfNames(t *testing.T) {
	for _, test := range []struct {
		name    string
		fit     int // how many find room in 256 units
		request func(name string) *pb.ChaincodeMessage
	}{
		{"start of a range", 2, func(name string) *pb.ChaincodeMessage { return getRange(name, "") }},
		{"end of a range", 2, func(name string) *pb.ChaincodeMessage { return getRange("", name) }},
		{"range of a collection", 0, func(name string) *pb.ChaincodeMessage {
			return message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Collection: name, StartKey: name})
		}},
		{"key of a history", 2, getHistory},
		{"query", 2, func(name string) *pb.ChaincodeMessage { return richQuery("", name, 0) }},
		{"collection's query", 1, func(name string) *pb.ChaincodeMessage { return richQuery("c", name+name, 0) }},
		{"collection", 1, func(name string) *pb.ChaincodeMessage { return getPrivate(name, "k") }},
		{"hash in a collection", 2, func(name string) *pb.ChaincodeMessage { return getPrivateHash(name, "k") }},
		{"keys of a collection", 1, func(name string) *pb.ChaincodeMessage { return getMultiple(name, "k") }},
		{"metadata in a collection", 1, func(name string) *pb.ChaincodeMessage { return getMetadata(name, "k") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			memoryTest(t, func(c *chaincode, _ *vast) {
				p := c.peer
				p.ledgers[channel] = ledgertest.NewFaulty(p.memory[channel])
				x := c.begin("tx1")
				for i := range times(30, 6) {
					c.Deliver(in("tx1", test.request(strings.Repeat("n", 90*unit())+fmt.Sprint(i))))
					if i < test.fit {
						c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
					} else {
						c.refused("tx1", "that the transaction has read and written, the limit is")
					}
				}
				c.finish(t, "tx1", x)
			})
		})
	}
}

// What a ledger needs for an iterator is counted, also when the iterator was closed.
func TestBytesOfIterators(t *testing.T) {
	p := newPeer(t)
	p.cfg.MaxTransactionBytes = 100 * 512
	c := p.register("cc:1")
	x := c.begin("tx1")
	for range 100 {
		c.Deliver(in("tx1", getRange("", "")))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	}
	c.Deliver(in("tx1", getRange("", "")))
	c.refused("tx1", "that the transaction has read and written, the limit is")
	c.finish(t, "tx1", x)
	c.stop()
	p.check()
}
