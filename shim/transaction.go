package shim

import (
	"runtime/debug"
	"sync/atomic"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	// ErrConcurrentRequest is returned by a request that is made while another one of its transaction is waiting.
	ErrConcurrentRequest = errors.New("another request of this transaction is under way: make them one after the other")
	// ErrTransactionFinished is returned by a request that is made after its Init or Invoke has returned.
	ErrTransactionFinished = errors.New("transaction has finished: its stub cannot be used any more")
	// ErrTransactionReplaced is returned by a request whose transaction the peer has given up and started again.
	ErrTransactionReplaced = errors.New("transaction was started again by the peer")
)

// txKey identifies a transaction on its stream: the same txid may run on two channels at once.
type txKey struct{ channelID, txID string }

// transaction is one running Init or Invoke, and its conversation with the peer.
type transaction struct {
	h     *handler
	key   txKey
	start *pb.ChaincodeMessage // the INIT or TRANSACTION

	slot     chan struct{} // holds one: the request that is under way; once finished, for good
	finished atomic.Bool

	awaiting atomic.Bool               // an answer: set by the request, taken back by who delivers
	answer   chan *pb.ChaincodeMessage // has room for the one answer that is awaited
	gone     chan struct{}             // closed when no answer will come: see abandon
	goneErr  error                     // set before gone is closed
}

func newTransaction(h *handler, start *pb.ChaincodeMessage) *transaction {
	return &transaction{
		h:      h,
		key:    txKey{start.GetChannelId(), start.GetTxid()},
		start:  start,
		slot:   make(chan struct{}, 1),
		answer: make(chan *pb.ChaincodeMessage, 1),
		gone:   make(chan struct{}),
	}
}

// run calls the chaincode and sends what comes of it. However the chaincode's function ends, the peer gets one
// answer: a panic, or runtime.Goexit (a test's FailNow), is status 500.
func (t *transaction) run() {
	s, err := newStub(t, t.start)
	if err != nil {
		t.finish(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR, Payload: []byte(err.Error())})
		return
	}
	res, returned := Error("chaincode panicked"), false
	defer func() {
		if v := recover(); v != nil {
			t.h.log.Error("chaincode panicked", "txID", shortTxID(t.key.txID), "panic", v, "stack", string(debug.Stack()))
		}
		if !returned {
			s.batch.Store(nil) // half of what it had to write, maybe
		}
		t.finish(t.outcome(s, res))
	}()
	if t.start.GetType() == pb.ChaincodeMessage_INIT {
		res = t.h.cc.Init(s)
	} else {
		res = t.h.cc.Invoke(s)
	}
	returned = true
}

// outcome sends what is left of the transaction's batch and returns the message that tells the peer how the
// transaction ended. Batch and event travel with a failure too, as from the official shim: it is the peer that drops
// them.
func (t *transaction) outcome(s *stub, res *Response) *pb.ChaincodeMessage {
	if res == nil {
		res = Error("chaincode returned no response")
	}
	m := &pb.ChaincodeMessage{ChaincodeEvent: s.event.Load()}
	if t.start.GetType() == pb.ChaincodeMessage_INIT && res.GetStatus() >= ERROR {
		m.Type, m.Payload = pb.ChaincodeMessage_ERROR, []byte(res.GetMessage())
		return m
	}
	payload, err := proto.Marshal(res)
	if err != nil {
		m.Type, m.Payload = pb.ChaincodeMessage_ERROR, []byte("failed to marshal response: "+err.Error())
		return m
	}
	if err := s.FinishWriteBatch(); err != nil {
		return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR, Payload: []byte(err.Error())}
	}
	m.Type, m.Payload = pb.ChaincodeMessage_COMPLETED, payload
	return m
}

// finish makes the stub unusable and sends the transaction's last message, unless the peer no longer waits for it.
func (t *transaction) finish(last *pb.ChaincodeMessage) {
	defer t.h.ended()
	t.finished.Store(true)
	t.slot <- struct{}{} // waits for the answer to a request that the chaincode has left under way: see deliver
	if !t.h.forget(t) {
		return
	}
	last.ChannelId, last.Txid = t.key.channelID, t.key.txID
	err := t.h.send(last)
	if errors.Is(err, ErrMessageTooLarge) {
		last.Type, last.Payload, last.ChaincodeEvent = pb.ChaincodeMessage_ERROR, []byte(err.Error()), nil
		err = t.h.send(last)
	}
	if err != nil {
		t.h.log.Warn("transaction's result was not sent", "txID", shortTxID(t.key.txID), "error", err)
	}
}

// abandon tells the transaction that the peer answers it no more. It is called once, with h.mu held.
func (t *transaction) abandon(err error) {
	t.goneErr = err
	close(t.gone)
}

// request asks the peer for something and waits for the answer, whose payload belongs to the caller. An error that
// the peer answered with has the peer's text alone.
func (t *transaction) request(typ pb.ChaincodeMessage_Type, payload proto.Message) ([]byte, error) {
	m, err := t.exchange(typ, payload)
	if err != nil {
		return nil, errors.Wrapf(err, "[%s] error sending %s", shortTxID(t.key.txID), typ)
	}
	if m.GetType() == pb.ChaincodeMessage_ERROR {
		return nil, errors.New(string(m.GetPayload()))
	}
	return m.GetPayload(), nil
}

// ask is a request whose answer is a message, which it unmarshals into answer.
func (t *transaction) ask(typ pb.ChaincodeMessage_Type, payload, answer proto.Message) error {
	b, err := t.request(typ, payload)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(b, answer); err != nil {
		return errors.Wrapf(err, "[%s] unmarshal answer to %s", shortTxID(t.key.txID), typ)
	}
	return nil
}

// query is a request that is answered with a page of results.
func (t *transaction) query(typ pb.ChaincodeMessage_Type, payload proto.Message) (*pb.QueryResponse, error) {
	page := new(pb.QueryResponse)
	if err := t.ask(typ, payload, page); err != nil {
		return nil, err
	}
	return page, nil
}

func (t *transaction) exchange(typ pb.ChaincodeMessage_Type, payload proto.Message) (*pb.ChaincodeMessage, error) {
	if err := t.acquire(); err != nil {
		return nil, err
	}
	defer func() { <-t.slot }()
	b, err := proto.Marshal(payload)
	if err != nil {
		return nil, errors.Wrap(err, "marshal request")
	}
	t.awaiting.Store(true)
	if err := t.h.send(&pb.ChaincodeMessage{Type: typ, Payload: b, ChannelId: t.key.channelID, Txid: t.key.txID}); err != nil {
		t.awaiting.Store(false)
		return nil, err
	}
	return t.await()
}

// acquire takes the slot, or says why the transaction may make no request now.
func (t *transaction) acquire() error {
	if t.finished.Load() {
		return ErrTransactionFinished
	}
	select {
	case <-t.gone:
		return t.goneErr
	case t.slot <- struct{}{}:
	default:
		return ErrConcurrentRequest
	}
	if t.finished.Load() { // meanwhile: finish is waiting for the slot
		<-t.slot
		return ErrTransactionFinished
	}
	return nil
}

// await returns the answer, which wins over the end if both are there.
func (t *transaction) await() (*pb.ChaincodeMessage, error) {
	select {
	case m := <-t.answer:
		return m, nil
	case <-t.gone:
	}
	select {
	case m := <-t.answer:
		return m, nil
	default:
		return nil, t.goneErr
	}
}

// deliver hands an answer to the request that waits for it, and says whether there was one. It never blocks. Only
// the receive loop calls it.
func (t *transaction) deliver(m *pb.ChaincodeMessage) bool {
	if !t.awaiting.CompareAndSwap(true, false) {
		return false
	}
	t.answer <- m
	return true
}

// shortTxID is the part of a transaction ID that logs and errors name it by.
func shortTxID(txID string) string { return txID[:min(len(txID), 8)] }
