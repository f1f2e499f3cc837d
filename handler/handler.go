package handler

import (
	"context"
	"sync"

	"github.com/looplab/fsm"

	"github.com/ccpeer/ccpeer/internal/goroutines"
	pb "github.com/ccpeer/ccpeer/proto"
)

// MessageHandler is the one entry for every message of a chaincode.
type MessageHandler interface {
	// HandleMessage hands on a message as one that the chaincode has said. It waits while too much of what the chaincode has
	// said is not served yet. An error says that the stream has ended. A message that is wrong in itself is answered or ends
	// the stream, but is no error here. msg belongs to the handler from then on. Several goroutines may call HandleMessage.
	// Their messages are handled in the order in which they come.
	HandleMessage(msg *pb.ChaincodeMessage) error
}

// Registry is told which chaincodes can be reached.
type Registry interface {
	// Register is called with a handler whose chaincode has sent REGISTER, before that is answered. It is called in a
	// goroutine of its own, and may take what is left of Limits.RegisterTimeout. Until it returns, nothing that the chaincode
	// says is looked at, not even the end of the stream; so it must not call HandleMessage or Wait. An error refuses the
	// chaincode and ends the stream. If the error has a GRPCStatus method, the chaincode sees that status.
	Register(*Handler) error
	// Ready is called when READY has been sent: from now on Execute works. If the stream ends meanwhile, Ready may come
	// after Deregister.
	Ready(*Handler)
	// Deregister is called once for every handler that Register accepted, when its stream has ended. The handler's
	// transactions are told after it has returned. It must remove only that handler, not another one of the same chaincode
	// ID. If Register returns after the stream has ended, Deregister follows at once.
	Deregister(*Handler)
}

// Invoker runs chaincode on behalf of chaincode.
type Invoker interface {
	// Invoke runs the chaincode that is called name, and returns its COMPLETED or ERROR. p holds the caller's transaction,
	// with the callee's channel and simulation. Set its Namespace and give it to Execute of the callee's handler. ctx
	// carries the caller's deadline.
	Invoke(ctx context.Context, p TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error)
}

// Handler is the peer's end of one chaincode's stream. HandleChaincodeStream makes it and gives it to the Registry. Anyone
// may call its methods, from any goroutine. They can't write to the stream or change its state: those belong to other parts.
type Handler struct {
	*session
	inbox        *inbox
	sender       *sender
	workers      *workshop
	transactions *transactions
	state        *fsm.FSM  // only read here: the loop alone fires events
	timers       sync.Pool // of *time.Timer, stopped
}

var _ MessageHandler = (*Handler)(nil)

// newHandler returns a handler and its loop.
func newHandler(ctx context.Context, cfg Config, stream pb.Stream) (*Handler, *loop, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	s := &session{
		cfg: cfg, log: cfg.Logger.Named("chaincode"), limiter: cfg.LogLimiter,
		errc: make(chan error, 1), done: make(chan struct{}), outside: goroutines.Counted(ctx),
	}
	h := &Handler{
		session:      s,
		inbox:        &inbox{session: s, messages: make(chan received), unserved: &budget{bytes: cfg.waitingBytes()}},
		transactions: &transactions{inFlight: map[txKey]*transactionContext{}},
		state:        fsm.NewFSM(string(Created), protocol.events, nil),
	}
	h.sender = newSender(s, stream, h.transactions)
	h.workers = &workshop{session: s, answers: h.sender, unserved: h.inbox.unserved, unsent: h.sender.unsent, kept: &account{limit: cfg.keptBytes()}}
	l := &loop{
		session: s, inbox: h.inbox, sender: h.sender, workers: h.workers, transactions: h.transactions,
		registrar: &registrar{session: s, handler: h, sender: h.sender}, fsm: h.state,
	}
	return h, l, nil
}

// HandleChaincodeStream serves the peer's end of a chaincode's stream until the stream ends, and returns why it ended. That
// is io.EOF if the chaincode closed it in good order, a *StreamError, or an error of the stream. It expects the chaincode to
// send REGISTER first, whichever side dialled.
//
// It leaves behind goroutines that are inside s.Recv, s.Send or the ledger: with gRPC the first two return only after
// HandleChaincodeStream has. Handler.Wait waits for them.
func HandleChaincodeStream(ctx context.Context, cfg Config, s pb.Stream) error {
	h, loop, err := newHandler(ctx, cfg, s)
	if err != nil {
		return err
	}
	h.spawn(func() { h.inbox.receive(s) })
	h.spawn(h.sender.serialSend)
	err = loop.processStream(ctx)
	h.logEnd(err)
	return err
}

// HandleMessage implements MessageHandler. The messages that the stream receives enter by it, too.
func (h *Handler) HandleMessage(msg *pb.ChaincodeMessage) error { return h.inbox.HandleMessage(msg) }

// ChaincodeID is what the chaincode registers as. It is empty at first, is set before Registry.Register is called, and does
// not change after that.
func (h *Handler) ChaincodeID() string { return h.chaincodeID() }

// State is where the stream is at this moment.
func (h *Handler) State() State { return State(h.state.Current()) }

// Done is closed when the stream has ended.
func (h *Handler) Done() <-chan struct{} { return h.done }

// Err returns nil while the stream lasts. After that it returns why the stream has ended, which is also what
// HandleChaincodeStream returns. It is set before Registry.Deregister is called.
func (h *Handler) Err() error { return h.err() }

// Close ends the stream. The chaincode sees status Unavailable. Close does not wait: use Done or Wait for that.
func (h *Handler) Close() { h.endWith(errClosed) }

// Wait returns when the stream has ended and every goroutine of the handler has returned.
func (h *Handler) Wait() {
	<-h.done
	h.goroutines.Wait()
}

// Stats are figures about a handler, for gauges.
type Stats struct {
	// InFlight is how many transactions are running.
	InFlight int
	// Abandoned is how many ledger operations and calls of chaincode still run although their transactions have ended.
	Abandoned int
	// Undelivered is how many answers wait to be sent although their transactions have ended.
	Undelivered int
	// QueuedBytes is how many bytes of messages wait in both directions. That includes messages whose senders wait for room,
	// requests that wait to be served, and replies that Execute has not returned yet. It is 0 when the stream has ended.
	QueuedBytes int
	// KeptBytes is how many bytes transactions keep: what they have read and written, what their iterators have read ahead,
	// and what their calls of chaincode are made with. What is small is not counted.
	KeptBytes int
}

// Stats returns the handler's figures at this moment.
func (h *Handler) Stats() Stats {
	s := Stats{
		InFlight:    h.transactions.len(),
		Abandoned:   int(h.workers.leftBehind.Load()),
		Undelivered: int(h.workers.undelivered.Load()),
		KeptBytes:   h.workers.kept.total(),
	}
	select {
	case <-h.done: // nothing waits any more
	default:
		s.QueuedBytes = h.sender.unsent.total() + h.inbox.unserved.total()
	}
	return s
}
