package handler

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/looplab/fsm"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger"
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

// Ledgers finds the ledger of a channel: nil if there is no such channel.
type Ledgers func(channelID string) ledger.Ledger

// Config is how a Handler behaves. The zero value of every field but Registry is usable.
type Config struct {
	// ChaincodeID is the only chaincode ID that may be registered, when it is known beforehand: from a client
	// certificate, the address that was dialled, the chaincode that was started in process. "" leaves it to
	// Registry.
	ChaincodeID string
	// Registry is required.
	Registry Registry
	// Invoker serves INVOKE_CHAINCODE. Nil: chaincode can't call chaincode.
	Invoker Invoker
	// Ledgers is asked when chaincode calls chaincode on another channel. Nil: there is no other channel.
	Ledgers Ledgers
	// ACL decides whether a transaction's creator may call a chaincode from another. Nil: on the caller's own channel
	// everyone may, and on other channels nobody.
	ACL ACLProvider
	// CollectionStore decides who may read and write private data. Nil: nobody may; hashes can be read.
	CollectionStore CollectionStore
	// ApplicationConfig knows the channels' capabilities. Nil: every channel has the newest.
	ApplicationConfig ApplicationConfig
	// Builtins are the chaincodes that belong to the peer. Nil: there are none.
	Builtins BuiltinChaincodes
	// Observer is told of messages and faults. Nil: nobody is.
	Observer Observer
	// Logger is written to under the name "chaincode". Nil: nothing is.
	Logger *zap.Logger
	// Goroutines, if not nil, counts the goroutines of the handler, some of which outlive HandleChaincodeStream: see
	// the package's documentation.
	Goroutines *sync.WaitGroup

	// ExecuteTimeout limits every Init and Invoke. 0: 30 s, as Fabric's chaincode.executetimeout.
	ExecuteTimeout time.Duration
	// RegisterTimeout is how long a stream may take to register. 0: 10 s.
	RegisterTimeout time.Duration
	// Keepalive is the interval at which KEEPALIVE messages are sent in ready. 0: none are. Node shims exit on
	// one. A stream whose chaincode leaves three in a row unanswered is ended.
	Keepalive time.Duration
	// TotalQueryLimit is how many records one query may yield; more are cut off. 0: 100,000, as Fabric's
	// ledger.state.totalQueryLimit.
	TotalQueryLimit int
	// MaxQueries is how many iterators a transaction may have open. 0: 256.
	MaxQueries int
	// MaxCallDepth is how deep chaincode may call chaincode. 0: 64.
	MaxCallDepth int
	// NoWriteBatch keeps READY from offering write batches (chaincode.runtimeParams.useWriteBatch). One that comes
	// nevertheless is served.
	NoWriteBatch bool
	// MaxSizeWriteBatch is how many writes a batch may have (chaincode.runtimeParams.maxSizeWriteBatch). 0: 1,000. Less
	// than 100 is as good as 100, which official shims insist on.
	MaxSizeWriteBatch int
	// NoGetMultipleKeys keeps READY from offering reads of many keys at once
	// (chaincode.runtimeParams.useGetMultipleKeys). One that comes nevertheless is served.
	NoGetMultipleKeys bool
	// MaxSizeGetMultipleKeys is how many keys may be read at once (chaincode.runtimeParams.maxSizeGetMultipleKeys).
	// 0: 1,000. Less than 100 is as good as 100.
	MaxSizeGetMultipleKeys int
	// SendQueue is how many messages may wait to be sent. 0: 256.
	SendQueue int
	// Strict ends the stream when a transaction sends a request while another is pending. Otherwise the second
	// request is ignored, as Fabric's peer does.
	Strict bool
}

func (c Config) withDefaults() (Config, error) {
	if c.Registry == nil {
		return c, errors.New("handler: Config.Registry is required")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ExecuteTimeout", c.ExecuteTimeout}, {"RegisterTimeout", c.RegisterTimeout}, {"Keepalive", c.Keepalive},
	} {
		if d.value < 0 {
			return c, errors.Errorf("handler: Config.%s is %s, want 0 or more", d.name, d.value)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"TotalQueryLimit", c.TotalQueryLimit}, {"MaxQueries", c.MaxQueries}, {"MaxCallDepth", c.MaxCallDepth}, {"SendQueue", c.SendQueue},
		{"MaxSizeWriteBatch", c.MaxSizeWriteBatch}, {"MaxSizeGetMultipleKeys", c.MaxSizeGetMultipleKeys},
	} {
		if n.value < 0 {
			return c, errors.Errorf("handler: Config.%s is %d, want 0 or more", n.name, n.value)
		}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orDefault(&c.ExecuteTimeout, 30*time.Second)
	orDefault(&c.RegisterTimeout, 10*time.Second)
	orDefault(&c.TotalQueryLimit, 100_000)
	orDefault(&c.MaxQueries, 256)
	orDefault(&c.MaxCallDepth, 64)
	orDefault(&c.MaxSizeWriteBatch, 1000)
	orDefault(&c.MaxSizeGetMultipleKeys, 1000)
	orDefault(&c.SendQueue, 256)
	orDefault[CollectionStore](&c.CollectionStore, denyAll{})
	orDefault[ApplicationConfig](&c.ApplicationConfig, newestChannel{})
	orDefault[BuiltinChaincodes](&c.Builtins, noBuiltins{})
	return c, nil
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
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
	done       chan struct{}         // closed when the stream has ended
	cause      atomic.Pointer[error] // why it has; nil before
	unanswered int                   // KEEPALIVE messages since the last echo

	goroutines sync.WaitGroup
	timers     sync.Pool // of *time.Timer, stopped
	queryIDs   atomic.Int64
	abandoned  atomic.Int64
}

var _ MessageHandler = (*Handler)(nil)

var protocol = compile(rows)

func newHandler(cfg Config, s pb.Stream) (*Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Handler{
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
		done:       make(chan struct{}),
	}, nil
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
}

// Stats returns the handler's figures of this moment.
func (h *Handler) Stats() Stats {
	return Stats{InFlight: h.txCtxs.len(), Abandoned: int(h.abandoned.Load())}
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
