package shim

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	// ErrStreamEnded is returned by a request whose stream to the peer has ended.
	ErrStreamEnded = errors.New("chaincode stream ended")
	// ErrMessageTooLarge is returned by a request that would be larger than peers accept (pb.MaxMessageSize bytes).
	ErrMessageTooLarge = errors.New("message is too large")
)

// state is how far a conversation has come.
type state string

const (
	created     state = "created"     // REGISTER sent
	established state = "established" // REGISTERED received
	ready       state = "ready"       // READY received
)

// handler is the chaincode's end of one stream.
//
// Goroutines: the caller of converse receives. Each transaction, and each echo of a KEEPALIVE, runs on one of
// workers, which wait waits for. Nothing blocks the receiver: an answer has room where it is delivered, and whatever
// is sent is sent by a worker.
type handler struct {
	stream pb.Stream
	cc     Chaincode
	log    *slog.Logger
	state  state  // the receiver's
	offers offers // set by the receiver before it starts a transaction, and not changed after

	sending sync.Mutex // held around stream.Send, and nothing else is locked within

	mu       sync.Mutex
	txs      map[txKey]*transaction // guarded by mu: those whose result the peer waits for
	running  int                    // guarded by mu: transactions whose last message is not sent
	draining bool                   // guarded by mu
	drained  chan struct{}          // closed, with mu held, once draining and none is running

	idle    chan *transaction // work for a worker that has none
	done    chan struct{}     // closed when the stream is over
	workers sync.WaitGroup
}

func newHandler(s pb.Stream, cc Chaincode, log *slog.Logger) *handler {
	return &handler{
		stream:  s,
		cc:      cc,
		log:     log,
		state:   created,
		txs:     make(map[txKey]*transaction),
		drained: make(chan struct{}),
		idle:    make(chan *transaction),
		done:    make(chan struct{}),
	}
}

// chat registers as chaincodeID and serves the stream until it ends. It returns when all transactions have, or
// grace after the stream's end, whichever is first.
func (h *handler) chat(chaincodeID string, grace time.Duration) error {
	err := h.converse(chaincodeID)
	h.mu.Lock()
	for _, t := range h.txs {
		t.abandon(ErrStreamEnded)
	}
	clear(h.txs)
	h.mu.Unlock()
	close(h.done)
	return h.wait(grace, err)
}

func (h *handler) wait(grace time.Duration, err error) error {
	ended := make(chan struct{})
	go func() { // ends with the last worker
		h.workers.Wait()
		close(ended)
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
		return err
	case <-timer.C:
		return errors.WithMessagef(err, "transactions still running %s after the end", grace)
	}
}

// converse is the receive loop. It never returns nil.
func (h *handler) converse(chaincodeID string) error {
	payload, err := proto.Marshal(&pb.ChaincodeID{Name: chaincodeID})
	if err != nil {
		return errors.Wrapf(err, "marshal chaincode ID %q", chaincodeID)
	}
	register := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: payload}
	if err := h.send(register); err != nil && !errors.Is(err, ErrStreamEnded) { // Recv tells why it has
		return errors.Wrap(err, "send REGISTER")
	}
	for {
		m, err := h.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return errors.WithMessage(err, "received EOF, ending chaincode stream")
		case err != nil:
			return errors.Wrap(err, "receive from peer")
		case m == nil:
			return errors.New("received nil message, ending chaincode stream")
		}
		if err := h.handleMessage(m); err != nil {
			h.refuse(m, err.Error())
			return errors.Wrap(err, "handle message")
		}
	}
}

// handleMessage acts on one message. An error ends the stream.
func (h *handler) handleMessage(m *pb.ChaincodeMessage) error {
	typ := m.GetType()
	switch {
	case typ == pb.ChaincodeMessage_KEEPALIVE:
		h.sendAsync(m)
		return nil
	case h.state == created && typ == pb.ChaincodeMessage_REGISTERED:
		h.state = established
		return nil
	case h.state == established && typ == pb.ChaincodeMessage_READY:
		h.becomeReady(m)
		return nil
	case h.state == ready && (typ == pb.ChaincodeMessage_RESPONSE || typ == pb.ChaincodeMessage_ERROR):
		return h.deliver(m)
	case h.state == ready && (typ == pb.ChaincodeMessage_INIT || typ == pb.ChaincodeMessage_TRANSACTION):
		h.start(m)
		return nil
	default:
		return errors.Errorf("[%s] Chaincode handler cannot handle message (%s) while in state: %s", shortTxID(m.GetTxid()), typ, h.state)
	}
}

// becomeReady takes READY. As the official shim does, it takes a payload that it can't read for one that offers nothing.
func (h *handler) becomeReady(m *pb.ChaincodeMessage) {
	offers, err := parseOffers(m.GetPayload())
	if err != nil {
		h.log.Warn("peer's offers are not used", "error", err)
	}
	h.offers, h.state = offers, ready
}

// deliver routes an answer to its transaction. One that nobody waits for would be taken for the answer to the next
// request, so the stream ends, as with the official shims.
func (h *handler) deliver(m *pb.ChaincodeMessage) error {
	h.mu.Lock()
	t := h.txs[txKey{m.GetChannelId(), m.GetTxid()}]
	h.mu.Unlock()
	if t == nil || !t.deliver(m) {
		return errors.Errorf("[%s] no request waits for this %s", shortTxID(m.GetTxid()), m.GetType())
	}
	return nil
}

// start runs a transaction on a worker that has nothing to do, or on a new one. Workers are kept for their grown
// stacks.
func (h *handler) start(m *pb.ChaincodeMessage) {
	t := newTransaction(h, m)
	h.mu.Lock()
	if h.draining {
		h.mu.Unlock()
		h.refuse(m, "chaincode is shutting down")
		return
	}
	if old := h.txs[t.key]; old != nil { // the peer's deadline passed, and its client tries again
		old.abandon(ErrTransactionReplaced)
	}
	h.txs[t.key] = t
	h.running++
	h.mu.Unlock()
	select {
	case h.idle <- t:
	default:
		h.workers.Go(func() { h.work(t) })
	}
}

func (h *handler) work(t *transaction) {
	for {
		t.run()
		select {
		case t = <-h.idle:
		case <-h.done:
			return
		}
	}
}

// forget removes a transaction whose function has returned, and says whether the peer still waits for its result. It
// comes before the result is sent: the peer may use the transaction's ID again as soon as it has that.
func (h *handler) forget(t *transaction) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.txs[t.key] != t {
		return false
	}
	delete(h.txs, t.key)
	return true
}

// ended counts a transaction off.
func (h *handler) ended() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	h.checkDrained()
}

// drain refuses new transactions from now on. The channel is closed when those that run have finished and their
// results are sent. It is called once.
func (h *handler) drain() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	h.checkDrained()
	return h.drained
}

// leave ends the stream from our side, in good order: after all results, it says so and waits for the peer to end it.
func (h *handler) leave(closeSend func() error) {
	select {
	case <-h.drain():
		h.sending.Lock()
		_ = closeSend() // on failure the stream is broken, and has ended
		h.sending.Unlock()
	case <-h.done:
	}
	<-h.done
}

// checkDrained is called with mu held.
func (h *handler) checkDrained() {
	if h.draining && h.running == 0 {
		close(h.drained) // once: while draining, transactions only become fewer
	}
}

// send sends m, which must not be modified afterwards. It may wait for the peer, so the receiver calls it for
// REGISTER only.
func (h *handler) send(m *pb.ChaincodeMessage) error {
	if err := checkSize(m); err != nil {
		return err
	}
	h.sending.Lock()
	defer h.sending.Unlock()
	err := h.stream.Send(m)
	if errors.Is(err, io.EOF) {
		return ErrStreamEnded // gRPC's way to say so
	}
	return err
}

// refuse answers m with an ERROR.
func (h *handler) refuse(m *pb.ChaincodeMessage, text string) {
	h.sendAsync(&pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_ERROR, Payload: []byte(text), Txid: m.GetTxid(), ChannelId: m.GetChannelId(),
	})
}

// sendAsync sends m from a worker. If that fails the stream is broken, and the receiver learns it.
func (h *handler) sendAsync(m *pb.ChaincodeMessage) {
	h.workers.Go(func() {
		if err := h.send(m); err != nil {
			h.log.Debug("message was not sent", "type", m.GetType(), "error", err)
		}
	})
}

// checkSize refuses a message that gRPC would refuse by ending the stream. What the chaincode gave makes a message
// large or nothing does, so the exact size is computed only where that is.
func checkSize(m *pb.ChaincodeMessage) error {
	event := m.GetChaincodeEvent()
	if len(m.GetPayload())+len(event.GetPayload())+len(event.GetEventName()) < pb.MaxMessageSize/2 {
		return nil
	}
	if size := proto.Size(m); size > pb.MaxMessageSize {
		return errors.WithMessagef(ErrMessageTooLarge, "%s of %d bytes, limit %d", m.GetType(), size, pb.MaxMessageSize)
	}
	return nil
}
