package handler

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/looplab/fsm"
	"go.uber.org/zap"

	pb "github.com/ccpeer/ccpeer/proto"
)

// MessageHandler is the one entry for every message that arrives on a stream.
type MessageHandler interface {
	HandleMessage(msg *pb.ChaincodeMessage) error
}

// Registry is told which chaincodes can be reached. Its methods must not block.
type Registry interface {
	// Register is called with a handler whose chaincode has sent REGISTER, before it is answered. An error refuses
	// the chaincode and ends the stream; one that has a GRPCStatus method decides the status.
	Register(*Handler) error
	// Ready is called when READY has been sent: from now on Execute works. It may come after Deregister, if the
	// stream ended meanwhile.
	Ready(*Handler)
	// Deregister is called once for every handler that Register accepted, when its stream has ended and before
	// its transactions are told. It must remove that handler only, not another one of the same chaincode ID.
	Deregister(*Handler)
}

// Invoker runs chaincode on behalf of chaincode.
type Invoker interface {
	// Invoke runs the chaincode that is called name, and returns its COMPLETED or ERROR. p holds the caller's
	// transaction with the callee's channel and simulation, and is to be given to Execute of the callee's handler
	// with Namespace set. ctx carries the caller's deadline.
	Invoke(ctx context.Context, p TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error)
}

// Handler is the peer's end of one chaincode's stream. HandleChaincodeStream makes it and gives it to the Registry.
type Handler struct {
	// ChatStream is the stream. Only the handler uses it.
	ChatStream pb.Stream
	// FSM is the stream's state. Only the handler fires events; Current is safe for anyone.
	FSM *fsm.FSM
	// ChaincodeID is the name that the chaincode registered under. It is set before Registry.Register and does not
	// change after it.
	ChaincodeID string

	cfg    Config
	log    *zap.Logger
	table  table
	faults faultLog

	registered atomic.Bool // ChaincodeID is set
	txCtxs     transactions
	nextState  chan nextStateInfo // what the peer originates enters the select loop here
	serialLock sync.Mutex         // held while ChatStream.Send runs

	outgoing   chan outgoing         // to the writer
	outbox     []outgoing            // what did not fit, in the hands of the stream's goroutine
	errc       chan error            // to the select loop: what ends the stream, from other goroutines
	unsent     budget                // of what waits for the writer
	unserved   budget                // of what was read and waits to be served
	sending    sendWatch             // on the writer
	done       chan struct{}         // closed when the stream has ended
	cause      atomic.Pointer[error] // why it has; nil before
	unanswered int                   // KEEPALIVE messages since the last echo

	goroutines sync.WaitGroup
	timers     sync.Pool // of *time.Timer, stopped
	queryIDs   atomic.Int64

	abandoned   atomic.Int64 // operations that still run for transactions that have ended
	undelivered atomic.Int64 // answers for such transactions that wait for room
}

var _ MessageHandler = (*Handler)(nil)

var protocol = compile(rows)

func newHandler(cfg Config, s pb.Stream) (*Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{
		ChatStream: s,
		FSM:        fsm.NewFSM(Created, protocol.events, nil),
		cfg:        cfg,
		log:        cfg.Logger.Named("chaincode"),
		table:      protocol,
		faults:     faultLog{started: time.Now()},
		txCtxs:     transactions{m: map[txKey]*transactionContext{}},
		nextState:  make(chan nextStateInfo, 16),
		outgoing:   make(chan outgoing, cfg.SendQueue),
		errc:       make(chan error, 1),
		unsent:     budget{limit: cfg.MaxQueuedBytes},
		unserved:   budget{limit: cfg.MaxQueuedBytes},
		done:       make(chan struct{}),
	}
	h.sending.init(cfg.SendTimeout)
	return h, nil
}

// HandleChaincodeStream serves the peer's end of a chaincode's stream until the stream ends, and returns why it did:
// io.EOF if the chaincode closed it in good order, a *StreamError, or an error of the stream. The chaincode is
// expected to send REGISTER first, whoever dialled.
//
// A goroutine that is inside s.Recv or s.Send, or in the ledger, is left behind: with gRPC these return only after
// HandleChaincodeStream has. Handler.Wait and Config.Goroutines wait for them.
func HandleChaincodeStream(ctx context.Context, cfg Config, s pb.Stream) error {
	h, err := newHandler(cfg, s)
	if err != nil {
		return err
	}
	err = h.processStream(ctx)
	h.logEnd(err)
	return err
}

// logEnd says why the stream has ended. There is nowhere for a panic of the logger to go.
func (h *Handler) logEnd(err error) {
	defer func() { _ = recover() }()
	h.log.Info("chaincode stream ended", zap.String("chaincode", h.name()), zap.String("cause", err.Error()))
}

// Done is closed when the stream has ended.
func (h *Handler) Done() <-chan struct{} { return h.done }

// Err returns nil while the stream lasts, and then why it has ended: what HandleChaincodeStream returns. It is there when
// Registry.Deregister is called.
func (h *Handler) Err() error {
	if cause := h.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

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
	s := Stats{InFlight: h.txCtxs.len(), Abandoned: int(h.abandoned.Load()), Undelivered: int(h.undelivered.Load())}
	select {
	case <-h.done: // what was waiting then waits no more
	default:
		s.QueuedBytes = h.unsent.bytes() + h.unserved.bytes()
	}
	return s
}

// name is the chaincode ID, or "" before REGISTER has been accepted. Unlike the field it may be read by anyone.
func (h *Handler) name() string {
	if !h.registered.Load() {
		return ""
	}
	return h.ChaincodeID
}

// spawn starts a goroutine that Wait waits for. A panic of f ends the stream.
func (h *Handler) spawn(f func()) {
	h.enroll()
	go func() {
		defer h.leave()
		f()
	}()
}

// enroll counts a goroutine that is about to start, and that defers leave.
func (h *Handler) enroll() {
	h.goroutines.Add(1)
	if h.cfg.Goroutines != nil {
		h.cfg.Goroutines.Add(1)
	}
}

// leave, deferred, ends what enroll began. A panic ends the stream and nothing else.
func (h *Handler) leave() {
	h.confined(recover())
	if h.cfg.Goroutines != nil {
		h.cfg.Goroutines.Done()
	}
	h.goroutines.Done()
}

// confined makes what recover returned end the stream, if it is a panic.
func (h *Handler) confined(p any) {
	if p != nil {
		h.logPanic("", p)
		h.endWith(errInternal)
	}
}

func (h *Handler) logPanic(txID string, p any) {
	h.fault(FaultPanic, txID, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
}

// endWith makes the select loop return err, unless something else ends it first.
func (h *Handler) endWith(err error) {
	select {
	case h.errc <- err:
	default:
	}
}
