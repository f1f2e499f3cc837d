package handler_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// textTest is a text of Fabric's peer that chaincode sees, and what makes the peer say it.
type textTest struct {
	text    string // the cause, as it follows the type and the transaction's ID
	request *pb.ChaincodeMessage
	peer    func(p *peer)             // prepares it
	params  func(p *handler.TxParams) // changes the transaction
	isInit  bool
	over    bool // the request comes from a transaction that is not running
}

func noChannel(m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
	m.ChannelId = ""
	return m
}

func noSimulation(p *handler.TxParams) {
	p.Simulation.Done()
	p.Simulation = nil
}

func someACL(p *peer) { p.cfg.ACL = acl("") }

func noProposal(p *handler.TxParams) { p.SignedProposal = nil }

func plainLedger(p *peer) { p.memory[channel].plain = true }

func collectionsOf(c collections) func(*peer) {
	return func(p *peer) { p.cfg.CollectionStore = c }
}

func capabilitiesOf(c capabilities) func(*peer) {
	return func(p *peer) { p.cfg.ApplicationConfig = c }
}

func failing(method ledgertest.Method, f ledgertest.Fault) func(*peer) {
	return func(p *peer) { p.ledger().On(method, f) }
}

// texts are those of Fabric's peer (core/chaincode/handler.go), to the letter: chaincodes, SDKs and people match on them.
var texts = []textTest{
	{text: "no ledger context", request: getState("k"), params: noSimulation},
	{text: "no ledger context", request: putState("k", "v"), over: true},
	{text: "could not get valid transaction", request: invoke("b"), params: noSimulation},
	{text: "could not get valid transaction", request: invoke("b"), over: true},
	{text: "failed to get transaction context", request: noChannel(invoke("qscc")), over: true, peer: func(p *peer) { p.cfg.Builtins = []string{"qscc"} }},
	{text: "query iterator not found", request: next("7")},
	{text: "history database is not enabled", request: getHistory("k"), peer: plainLedger},
	// F78
	{text: "private data APIs are not allowed in chaincode Init()", request: getPrivate("c", "k"), isInit: true},
	{
		text:    "tx creator does not have read access permission on privatedata in chaincodeName:cc collectionName: c",
		request: getPrivate("c", "k"), peer: collectionsOf("w"),
	},
	{
		text:    "tx creator does not have write access permission on privatedata in chaincodeName:cc collectionName: c",
		request: purge("c"), peer: collectionsOf("r"),
	},
	{text: "only applicable for private data", request: purge("")},
	{
		text:    "key level endorsement is not enabled, channel application capability of V1_3 or later is required",
		request: putMetadata("", "k"), peer: capabilitiesOf("purge"),
	},
	{
		text:    "purge private data is not enabled, channel application capability of V2_5 or later is required",
		request: purge("c"), peer: capabilitiesOf("endorsement"),
	},
	{text: "application config does not exist for ch", request: putMetadata("", "k"), peer: capabilitiesOf("none")},
	{text: "unknown operation type", request: writeBatch(&pb.WriteRecord{Key: "k", Type: 99})},
	{text: "execute failed: chaincode nowhere is not running", request: invoke("nowhere")},
	{text: "failed to find ledger for channel: nowhere", request: invoke("b/nowhere")},
	{text: "signed proposal must not be nil from caller [ch.b]", request: invoke("b"), params: noProposal, peer: someACL},
	{text: "signed proposal must not be nil from caller [other.b#1.0]", request: invoke("b:1.0/other"), params: noProposal, peer: someACL},
	{text: "disk on fire", request: getState("k"), peer: failing(ledgertest.GetState, ledgertest.Fail(errors.New("disk on fire")))},
	{text: "panic during execution", request: getState("k"), peer: failing(ledgertest.GetState, ledgertest.Panic("secret"))},
	// F69
	{text: "key must not be an empty string", request: putState("", "v")},
	{text: "ExecuteQuery not supported for leveldb", request: message(pb.ChaincodeMessage_GET_QUERY_RESULT, "", &pb.GetQueryResult{}), peer: plainLedger},
	{
		text:    "ExecuteQueryWithPagination not supported for leveldb",
		request: message(pb.ChaincodeMessage_GET_QUERY_RESULT, "", &pb.GetQueryResult{Metadata: marshal(&pb.QueryMetadata{PageSize: 1})}),
		peer:    plainLedger,
	},
}

func TestTexts(t *testing.T) {
	for _, test := range texts {
		t.Run(test.request.Type.String()+" "+test.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.run(t) })
		})
	}
}

func (test textTest) run(t *testing.T) {
	p := newPeer(t)
	if test.peer != nil {
		test.peer(p)
	}
	c := p.register("cc:1")
	params := p.simulate("tx1", channel)
	sim := params.Simulation
	if test.params != nil {
		test.params(&params)
	}
	typ := pb.ChaincodeMessage_TRANSACTION
	if test.isInit {
		typ = pb.ChaincodeMessage_INIT
	}
	x := &call{done: make(chan struct{})}
	go func() {
		defer close(x.done)
		defer sim.Done()
		x.reply, x.err = c.h.Execute(context.Background(), params, typ, &pb.ChaincodeInput{})
	}()
	c.want(typ, "tx1")
	txID := "tx1"
	if test.over {
		txID = "tx2"
	}
	c.Deliver(in(txID, test.request))
	c.wantError(txID, test.request.Type.String()+" failed: transaction ID: "+txID+": "+test.text)
	c.complete("tx1")
	<-x.done
	c.stop()
	p.check()
}

// Protobuf varies its error texts on purpose, so that only the beginning of this one is Fabric's.
func TestUnmarshalText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.register("cc:1")
		x := c.begin("tx1")
		for n := range requestTypes {
			typ := pb.ChaincodeMessage_Type(n)
			c.Deliver(&pb.ChaincodeMessage{Type: typ, Txid: "tx1", ChannelId: channel, Payload: []byte{0xff}})
			m := c.want(pb.ChaincodeMessage_ERROR, "tx1")
			want := typ.String() + " failed: transaction ID: tx1: unmarshal failed: "
			if got := plain(string(m.Payload)); len(got) <= len(want) || got[:len(want)] != want {
				t.Errorf("got %q, want %q and a cause", got, want)
			}
		}
		c.finish(t, "tx1", x)
		c.stop()
		p.check()
	})
}

// How a stream ends, in the words of Fabric's peer.
func TestStreamTexts(t *testing.T) {
	for _, test := range []struct {
		text string
		end  func(c *chaincode)
	}{
		{"EOF", (*chaincode).CloseSend},
		{"received nil message, ending chaincode support stream", func(c *chaincode) {
			c.Do(func() (*pb.ChaincodeMessage, error) { return nil, nil })
		}},
		{"receive from chaincode support stream failed: connection reset", func(c *chaincode) { c.Fail(errors.New("connection reset")) }},
		{"error handling message, ending stream: [tx1] Fabric side handler cannot handle message (RESPONSE) while in ready state", func(c *chaincode) {
			c.Deliver(message(pb.ChaincodeMessage_RESPONSE, "tx1", nil))
		}},
		{"received error while sending message, ending chaincode support stream: broken pipe", func(c *chaincode) {
			c.OnSend(func(*pb.ChaincodeMessage) error { return errors.New("broken pipe") })
			c.Deliver(in("tx1", getState("k")))
		}},
	} {
		t.Run(test.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newPeer(t).register("cc:1")
				test.end(c)
				if got := (<-c.ended).err.Error(); got != test.text {
					t.Errorf("ended with %q, want %q", got, test.text)
				}
				c.wait()
			})
		})
	}
}
