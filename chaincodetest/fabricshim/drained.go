package fabricshim

import (
	"sync"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
)

// When its stream ends, Fabric's shim returns at once, and leaves goroutines behind: transactions that wait for an answer, and
// senders whose result nobody takes any more. In a process that is about to exit, that is nothing. In a test they would wait for
// ever. So the shim doesn't see the end before its transactions are over: their requests fail, and their replies go nowhere. Then
// it gets a KEEPALIVE, and is told that the stream has ended when it sends that back. The senders before it have been served by
// then, because they wait in turn.

var errEnded = errors.New("the network has ended")

// transaction identifies a transaction.
type transaction struct{ channelID, txID string }

// drained is a stream that the shim may leave when its transactions are over.
type drained struct {
	own shim.ClientStream

	mu       sync.Mutex
	running  map[transaction]bool // transactions that have not replied
	pending  map[transaction]bool // those of them that wait for an answer
	ended    error                // why the stream has ended
	answers  []*peer.ChaincodeMessage
	farewell bool          // KEEPALIVE was handed out
	changed  chan struct{} // has a token when there is something new
	left     chan struct{} // closed when the shim has returned
}

var _ shim.ClientStream = (*drained)(nil)

func newDrained(own shim.ClientStream) *drained {
	return &drained{
		own: own, running: map[transaction]bool{}, pending: map[transaction]bool{},
		changed: make(chan struct{}, 1), left: make(chan struct{}),
	}
}

// leave is called when the shim has returned.
func (d *drained) leave() { close(d.left) }

// Send implements shim.ClientStream.
func (d *drained) Send(m *peer.ChaincodeMessage) error {
	if ended := d.sending(m); ended {
		if m.GetType() == peer.ChaincodeMessage_KEEPALIVE {
			return errEnded
		}
		return nil
	}
	err := d.own.Send(m)
	if err != nil && m.GetType() != peer.ChaincodeMessage_REGISTER {
		d.end(err)
		return nil // Recv sees to the rest
	}
	return err
}

// sending notes what the shim sends, and reports whether the stream has ended.
func (d *drained) sending(m *peer.ChaincodeMessage) (ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tx := transaction{m.GetChannelId(), m.GetTxid()}
	switch m.GetType() {
	case peer.ChaincodeMessage_REGISTER, peer.ChaincodeMessage_KEEPALIVE:
	case peer.ChaincodeMessage_COMPLETED, peer.ChaincodeMessage_ERROR:
		delete(d.running, tx)
	default:
		d.pending[tx] = true
	}
	if d.ended != nil {
		d.refuse()
	}
	return d.ended != nil
}

// refuse answers all requests that wait. d.mu is held.
func (d *drained) refuse() {
	for tx := range d.pending {
		delete(d.pending, tx)
		d.answers = append(d.answers, &peer.ChaincodeMessage{
			Type: peer.ChaincodeMessage_ERROR, ChannelId: tx.channelID, Txid: tx.txID, Payload: []byte(errEnded.Error()),
		})
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// end notes that the stream has ended.
func (d *drained) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended == nil {
		d.ended = err
	}
	d.refuse()
}

// Recv implements shim.ClientStream. The shim calls it from one goroutine at a time.
func (d *drained) Recv() (*peer.ChaincodeMessage, error) {
	if !d.over() {
		m, err := d.own.Recv()
		if err == nil {
			d.received(m)
			return m, nil
		}
		d.end(err)
	}
	for {
		if m := d.next(); m != nil {
			return m, nil
		}
		select {
		case <-d.changed:
		case <-d.left:
			return nil, errEnded
		}
	}
}

func (d *drained) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended != nil
}

// received notes what the peer has said.
func (d *drained) received(m *peer.ChaincodeMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tx := transaction{m.GetChannelId(), m.GetTxid()}
	switch m.GetType() {
	case peer.ChaincodeMessage_TRANSACTION, peer.ChaincodeMessage_INIT:
		d.running[tx] = true
	case peer.ChaincodeMessage_RESPONSE, peer.ChaincodeMessage_ERROR:
		delete(d.pending, tx)
	}
}

// next returns what the shim still gets after the end, or nil if there is nothing now.
func (d *drained) next() *peer.ChaincodeMessage {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.answers) > 0:
		m := d.answers[0]
		d.answers = d.answers[1:]
		return m
	case len(d.running) == 0 && !d.farewell:
		d.farewell = true
		return &peer.ChaincodeMessage{Type: peer.ChaincodeMessage_KEEPALIVE}
	}
	return nil
}

// CloseSend implements shim.ClientStream.
func (d *drained) CloseSend() error { return d.own.CloseSend() }
