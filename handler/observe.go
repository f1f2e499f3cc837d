package handler

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Observer is told what happens on a stream. Its methods are called from several goroutines, must not block and
// must neither modify nor keep what they are given; a panic of one ends the stream.
type Observer interface {
	// Message reports a message that was received from the chaincode, before it is handled, or that is about to be
	// sent to it. The chaincode ID is empty until REGISTER has been accepted.
	Message(chaincodeID string, from Party, msg *pb.ChaincodeMessage)
	// Fault counts something that should not have happened.
	Fault(f Fault)
}

// Fault is a kind of misbehaviour, of chaincode, ledger or peer. The set is finite: it can be a metric's label.
type Fault int

// The kinds of faults.
const (
	FaultUnexpectedMessage Fault = iota
	FaultUnknownTransaction
	FaultConcurrentRequest
	FaultLateCompletion
	FaultDroppedAnswer
	FaultFailedRequest
	FaultRefusedRegistration
	FaultPanic
	FaultAbandonedOperation
	FaultQueryLimit
	FaultOverload
	FaultRefusedEvent
	FaultMessageSize
	FaultStalledSend
	faults
)

var faultNames = [faults]string{
	FaultUnexpectedMessage:   "unexpected_message",
	FaultUnknownTransaction:  "unknown_transaction",
	FaultConcurrentRequest:   "concurrent_request",
	FaultLateCompletion:      "late_completion",
	FaultDroppedAnswer:       "dropped_answer",
	FaultFailedRequest:       "failed_request",
	FaultRefusedRegistration: "refused_registration",
	FaultPanic:               "panic",
	FaultAbandonedOperation:  "abandoned_operation",
	FaultQueryLimit:          "query_limit",
	FaultOverload:            "overload",
	FaultRefusedEvent:        "refused_event",
	FaultMessageSize:         "message_size",
	FaultStalledSend:         "stalled_send",
}

// String returns the fault's name, as it stands in logs and metric labels.
func (f Fault) String() string {
	if f < 0 || f >= faults {
		return "unknown"
	}
	return faultNames[f]
}

// faultLog writes at most one line a second for each kind of fault, and counts what it leaves out.
type faultLog struct {
	kinds [faults]struct {
		next    atomic.Int64 // when the next line may be written, in nanoseconds since started
		skipped atomic.Int64
	}
	started time.Time
}

const faultLogInterval = time.Second

// fault counts f and logs it, unless the same kind was logged within the last second. Fields are only looked at
// when a line is written, and are expected to quote what the other side chose. It never panics: it is called while
// recovering, too, and by Execute's callers.
func (h *Handler) fault(f Fault, txID string, fields ...zap.Field) {
	defer func() {
		if recover() != nil { // in the Observer or the Logger, which can't be told
			h.endWith(errInternal)
		}
	}()
	if h.cfg.Observer != nil {
		h.cfg.Observer.Fault(f)
	}
	k := &h.faults.kinds[f]
	now := int64(time.Since(h.faults.started))
	next := k.next.Load()
	if now < next || !k.next.CompareAndSwap(next, now+int64(faultLogInterval)) {
		k.skipped.Add(1)
		return
	}
	h.log.Warn("fault", append([]zap.Field{
		zap.String("txid", short(txID)),
		zap.Stringer("reason", f),
		zap.String("chaincode", h.name()),
		zap.Int64("skipped", k.skipped.Swap(0)),
	}, fields...)...)
}
