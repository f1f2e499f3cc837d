package handler

import (
	"context"
	"sync"
	"time"

	"github.com/looplab/fsm"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/internal/goroutines"
	pb "github.com/ccpeer/ccpeer/proto"
)

// MessageHandler is the one entry for every message of a chaincode.
type MessageHandler interface {
	// HandleMessage hands a message on as one that the chaincode has said. It waits while too much of what the chaincode has
	// said is not served yet. An error says that the stream has ended; what is wrong with a message ends the stream, or is
	// answered. msg is the handler's from then on. It may be called by several goroutines, whose messages are handled in the
	// order in which they come.
	HandleMessage(msg *pb.ChaincodeMessage) error
}

// Registry is told which chaincodes can be reached.
type Registry interface {
	// Register is called with a handler whose chaincode has sent REGISTER, before it is answered. It has a goroutine of its
	// own, and may take its time: Limits.RegisterTimeout. An error refuses
	// the chaincode and ends the stream; one that has a GRPCStatus method decides the status.
	Register(*Handler) error
	// Ready is called when READY has been sent: from now on Execute works. It may come after Deregister, if the
	// stream ended meanwhile.
	Ready(*Handler)
	// Deregister is called once for every handler that Register accepted, when its stream has ended and before
	// its transactions are told, which wait for it. It must remove that handler only, not another one of the same chaincode
	// ID. Where Register returns after the stream has ended, it follows at once.
	Deregister(*Handler)
}

// Invoker runs chaincode on behalf of chaincode.
type Invoker interface {
	// Invoke runs the chaincode that is called name, and returns its COMPLETED or ERROR. p holds the caller's
	// transaction with the callee's channel and simulation, and is to be given to Execute of the callee's handler
	// with Namespace set. ctx carries the caller's deadline.
	Invoke(ctx context.Context, p TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error)
}

// Handler is the peer's end of one chaincode's stream. HandleChaincodeStream makes it and gives it to the Registry. Its methods may
// be called by anyone; what they can't do is to write to the stream or to its state, which belong to parts of their own.
type Handler struct {
	*session
	inbox        *inbox
	sender       *sender
	workers      *workshop
	transactions *transactions
	state        *fsm.FSM  // only asked: it is the loop that fires events
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
		cfg: cfg, log: cfg.Logger.Named("chaincode"), faults: faultLog{started: time.Now()},
		errc: make(chan error, 1), done: make(chan struct{}), outside: goroutines.Counted(ctx),
	}
	h := &Handler{
		session:      s,
		inbox:        &inbox{session: s, messages: make(chan received), unserved: &budget{bytes: cfg.MaxQueuedBytes}},
		transactions: &transactions{m: map[txKey]*transactionContext{}},
		state:        fsm.NewFSM(string(Created), protocol.events, nil),
	}
	h.sender = newSender(s, stream, h.transactions)
	h.workers = &workshop{session: s, answers: h.sender, unserved: h.inbox.unserved}
	l := &loop{
		session: s, inbox: h.inbox, sender: h.sender, workers: h.workers, transactions: h.transactions,
		registrar: &registrar{session: s, handler: h, sender: h.sender}, fsm: h.state,
	}
	return h, l, nil
}

// HandleChaincodeStream serves the peer's end of a chaincode's stream until the stream ends, and returns why it did:
// io.EOF if the chaincode closed it in good order, a *StreamError, or an error of the stream. The chaincode is
// expected to send REGISTER first, whoever dialled.
//
// A goroutine that is inside s.Recv or s.Send, or in the ledger, is left behind: with gRPC these return only after
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

// logEnd says why the stream has ended. There is nowhere for a panic of the logger to go.
func (s *session) logEnd(err error) {
	defer func() { _ = recover() }()
	s.log.Info("chaincode stream ended", zap.String("chaincode", s.name()), zap.String("cause", err.Error()))
}

// HandleMessage implements MessageHandler. The stream's own messages enter by it.
func (h *Handler) HandleMessage(msg *pb.ChaincodeMessage) error { return h.inbox.HandleMessage(msg) }

// ChaincodeID is what the chaincode registers as. It is set before Registry.Register is called and does not change after
// it; before that it is empty.
func (h *Handler) ChaincodeID() string { return h.chaincodeID() }

// State is where the stream is at this moment.
func (h *Handler) State() State { return State(h.state.Current()) }

// Done is closed when the stream has ended.
func (h *Handler) Done() <-chan struct{} { return h.done }

// Err returns nil while the stream lasts, and then why it has ended: what HandleChaincodeStream returns. It is there when
// Registry.Deregister is called.
func (h *Handler) Err() error { return h.err() }

// Close ends the stream; the chaincode sees status Unavailable. It does not wait: see Done and Wait.
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
	// Abandoned is how many ledger operations and calls of chaincode still run for transactions that have ended.
	Abandoned int
	// Undelivered is how many answers for transactions that have ended wait to be sent.
	Undelivered int
	// QueuedBytes is how many bytes of messages wait, in both directions: to be sent, their senders included, and to be
	// served. When the stream has ended nothing waits any more.
	QueuedBytes int
}

// Stats returns the handler's figures of this moment.
func (h *Handler) Stats() Stats {
	s := Stats{
		InFlight:    h.transactions.len(),
		Abandoned:   int(h.workers.leftBehind.Load()),
		Undelivered: int(h.workers.undelivered.Load()),
	}
	select {
	case <-h.done: // what was waiting then waits no more
	default:
		s.QueuedBytes = h.sender.unsent.total() + h.inbox.unserved.total()
	}
	return s
}
