package chaincodetest

import (
	"bytes"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// notes keep the conversations of the transactions that are running.
type notes struct {
	mu       sync.Mutex
	running  map[string]*conversation // by transaction ID
	arrivals map[string]*conversation // of chaincode that is being deployed, by its ID
}

// conversation is what chaincode and peer have said to one another in a run of a transaction.
type conversation struct {
	expire func()        // ends the transaction, as if its time were up
	ended  chan struct{} // closed when the peer has done with it
	deaf   bool          // only panics are noted

	mu       sync.Mutex
	begun    bool
	peer     string // the first one that was asked
	said     []message
	last     []message          // those that came after what is in said and was left out
	omitted  int                // messages that are in neither
	keptLast int                // bytes of last
	called   map[[2]string]bool // names and functions of other chaincodes
	kept     int                // bytes of said
	cost     counting
	falls    []Fall
}

// message is one message of a conversation.
type message struct {
	chaincode string // its name
	received  bool   // from the chaincode
	typ       pb.ChaincodeMessage_Type
	payload   []byte
	size      int // of the payload, of which only a part may be kept
	event     string
}

// How much of a conversation is kept.
const (
	keptMessages = 450
	keptLast     = 50
	keptBytes    = 4 << 20
)

// peerNotes take notes of what is said to one peer.
type peerNotes struct {
	*notes
	peer string
}

var _ handler.MessageObserver = peerNotes{}

// begin notes into c what is said in a transaction from now on.
func (n *notes) begin(txID string, c *conversation, expire func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running == nil {
		n.running = map[string]*conversation{}
	}
	c.expire, c.ended = expire, make(chan struct{})
	n.running[txID] = c
}

func (n *notes) end(txID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.running[txID].ended)
	delete(n.running, txID)
}

// busy says whether a transaction is running.
func (n *notes) busy() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.running) > 0
}

func (n *notes) find(txID string) *conversation {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running[txID]
}

// Message implements handler.MessageObserver.
func (n peerNotes) Message(chaincodeID string, d handler.Direction, m *pb.ChaincodeMessage) {
	if m.GetTxid() == "" {
		if c := n.arrival(chaincodeID, m); c != nil {
			c.add(n.peer, chaincodeID, d == handler.Received, m)
		}
		return
	}
	if c := n.find(m.GetTxid()); c != nil && !c.deaf {
		c.add(n.peer, chaincodeID, d == handler.Received, m)
	}
}

// deploying notes what is said before a chaincode is ready, until the function that it returns is called.
func (n *notes) deploying(chaincodeID string) (said *conversation, over func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.arrivals == nil {
		n.arrivals = map[string]*conversation{}
	}
	said = &conversation{}
	n.arrivals[chaincodeID] = said
	return said, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.arrivals, chaincodeID)
	}
}

// arrival returns the conversation of a chaincode that is being deployed, or nil. Whoever isn't known by the ID that it says, is the one
// that is awaited, if there is only one.
func (n *notes) arrival(chaincodeID string, m *pb.ChaincodeMessage) *conversation {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.arrivals[chaincodeID]; c != nil || len(n.arrivals) == 0 || m.GetType() == pb.ChaincodeMessage_KEEPALIVE {
		return c
	}
	var id pb.ChaincodeID
	if m.GetType() == pb.ChaincodeMessage_REGISTER && proto.Unmarshal(m.GetPayload(), &id) == nil && n.arrivals[id.GetName()] != nil {
		return n.arrivals[id.GetName()]
	}
	if len(n.arrivals) == 1 {
		for _, c := range n.arrivals {
			return c
		}
	}
	return nil
}

// fell notes that chaincode has panicked in a transaction.
func (n *notes) fell(f Fall) {
	if c := n.find(f.TxID); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.falls = append(c.falls, f)
	}
}

// add notes a message, if it is of the peer that was asked first. What others are told is the same.
func (c *conversation) add(peer, chaincodeID string, received bool, m *pb.ChaincodeMessage) {
	name, _, _ := strings.Cut(chaincodeID, ":")
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		c.begun, c.peer = true, peer
	}
	if c.peer != peer {
		return
	}
	c.cost.count(received, m)
	c.noteCall(received, m)
	size := len(m.GetPayload())
	next := message{
		chaincode: name, received: received, typ: m.GetType(), payload: bytes.Clone(m.GetPayload()), size: size, event: m.GetChaincodeEvent().GetEventName(),
	}
	if len(c.last) == 0 && len(c.said) < keptMessages && c.kept+size <= keptBytes {
		c.kept += size
		c.said = append(c.said, next)
		return
	}
	c.keepLast(next)
}

// keepLast keeps a message as the last one, for how a long conversation ended.
func (c *conversation) keepLast(next message) {
	c.last = append(c.last, next)
	c.keptLast += next.size
	for len(c.last) > keptLast || c.keptLast > keptBytes && len(c.last) > 1 {
		c.keptLast -= c.last[0].size
		c.last = c.last[1:]
		c.omitted++
	}
}

// noteCall notes a call of another chaincode, however long the conversation is.
func (c *conversation) noteCall(received bool, m *pb.ChaincodeMessage) {
	spec := &pb.ChaincodeSpec{}
	if !received || m.GetType() != pb.ChaincodeMessage_INVOKE_CHAINCODE || proto.Unmarshal(m.GetPayload(), spec) != nil {
		return
	}
	name, _, _ := strings.Cut(spec.GetChaincodeId().GetName(), "/")
	if args := spec.GetInput().GetArgs(); len(args) > 0 {
		if c.called == nil {
			c.called = map[[2]string]bool{}
		}
		c.called[[2]string{name, string(args[0])}] = true
	}
}

// fallen returns the first panic of the conversation, or nil.
func (c *conversation) fallen() *Fall {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.falls) == 0 {
		return nil
	}
	return &c.falls[0]
}

// shortStack returns the lines of a stack from the panic on, without what is only this package's or the shims'.
func shortStack(stack []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	var out []string
	begun := false
	for i := 1; i+1 < len(lines); i += 2 { // a line for the function, and one for its place
		function := lines[i]
		switch {
		case strings.HasPrefix(function, "panic("), strings.HasPrefix(function, "runtime.Goexit("):
			begun, out = true, nil
			continue
		case strings.Contains(function, "chaincodetest.guarded.call.func"), strings.Contains(function, "fabricshim.(*guarded).call.func"),
			strings.Contains(function, "chaincodetest/internal/guard."):
			if begun {
				return out
			}
			continue
		case strings.HasPrefix(function, "runtime."):
			continue
		}
		out = append(out, function, lines[i+1])
	}
	return out
}
