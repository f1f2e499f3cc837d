package handler

import (
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ccpeer/ccpeer/internal/loglimit"
	pb "github.com/ccpeer/ccpeer/proto"
)

// MessageObserver is told of every message of a stream. The goroutines that receive and send call it. It must not block, and
// must neither modify nor keep what it is given. A panic ends the stream.
type MessageObserver interface {
	// Message reports a message that was received from the chaincode, before it is handled, or one that is about to be sent
	// to it. The chaincode ID is empty until REGISTER has been accepted.
	Message(chaincodeID string, d Direction, msg *pb.ChaincodeMessage)
}

// MessageObserverFunc is a function that implements MessageObserver.
type MessageObserverFunc func(chaincodeID string, d Direction, msg *pb.ChaincodeMessage)

// Message implements MessageObserver.
func (f MessageObserverFunc) Message(chaincodeID string, d Direction, msg *pb.ChaincodeMessage) {
	f(chaincodeID, d, msg)
}

// FaultObserver is told of everything that should not have happened. Several goroutines may call it at once. It must not
// block, and must not keep what it is given. A panic ends the stream.
type FaultObserver interface {
	// Fault reports one thing that should not have happened.
	Fault(f Fault)
}

// FaultObserverFunc is a function that implements FaultObserver.
type FaultObserverFunc func(f Fault)

// Fault implements FaultObserver.
func (f FaultObserverFunc) Fault(fault Fault) { f(fault) }

// Fault is something that should not have happened: misbehaviour of chaincode, of the ledger or of the peer.
type Fault struct {
	Kind FaultKind
	// ChaincodeID is the chaincode on whose stream it happened, or "" before REGISTER has been accepted.
	ChaincodeID string
	// ChannelID and TxID are the transaction that it concerns, as the chaincode or the caller named it. They are empty if it
	// concerns no transaction.
	ChannelID, TxID string
	// Cause is what went wrong, if the kind alone doesn't say it. It may be nil. It doesn't contain a panic's value, which
	// goes to the log alone.
	Cause error
}

// FaultKind is a kind of fault. There are few of them, so it can be a metric's label.
type FaultKind uint8

// The kinds of faults.
const (
	// FaultUnexpectedMessage is a message that the state, the sender or the protocol does not allow.
	FaultUnexpectedMessage FaultKind = iota
	// FaultUnknownTransaction is a request of a transaction that isn't running.
	FaultUnknownTransaction
	// FaultConcurrentRequest is a request that comes while an earlier one of its transaction is pending.
	FaultConcurrentRequest
	// FaultLateCompletion is a COMPLETED or ERROR of a transaction that isn't running.
	FaultLateCompletion
	// FaultDroppedAnswer is an answer that was not sent, because the chaincode had completed the transaction meanwhile.
	FaultDroppedAnswer
	// FaultFailedRequest is a request that was answered with ERROR.
	FaultFailedRequest
	// FaultRefusedRegistration is a REGISTER that was refused.
	FaultRefusedRegistration
	// FaultPanic is a panic of a hook, a ledger or the handler.
	FaultPanic
	// FaultAbandonedOperation is an operation that still runs although nobody waits for it any more.
	FaultAbandonedOperation
	// FaultQueryLimit is a query that had more results than Limits.TotalQueryLimit.
	FaultQueryLimit
	// FaultOverload is a transaction that was refused because of Limits.MaxInFlight.
	FaultOverload
	// FaultRefusedEvent is a chaincode event that has no name, or is larger than Limits.MaxEventBytes.
	FaultRefusedEvent
	// FaultMessageSize is a message that is larger than Limits.MaxSendMsgSize.
	FaultMessageSize
	// FaultStalledSend is a message that took longer to send than Limits.SendTimeout.
	FaultStalledSend
	faultKinds
)

var faultNames = [faultKinds]string{
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

// String returns the kind's name as logs and metric labels show it.
func (k FaultKind) String() string {
	if k >= faultKinds {
		return "unknown"
	}
	return faultNames[k]
}

// fault reports a fault to the observer and the log. tx is the transaction that it concerns, or empty. fields must quote
// what the other side chose. fault never panics, because it is also called while recovering, and by Execute's callers.
func (s *session) fault(kind FaultKind, tx txKey, cause error, fields ...zap.Field) {
	defer s.survive()
	s.tell(kind, tx, cause)
	skipped, due := s.limiter.kinds[kind].Due()
	if !due {
		return
	}
	s.logFault(kind, tx, cause, loglimit.Skipped(fields, skipped))
}

// requestFailed reports a request that is answered with ERROR. That is nothing unusual: chaincode may ask for what it can't
// have. But some shims throw away the peer's text, and then the log is all that the chaincode's author has. So at level Debug
// there is a line for each one, which also says what was asked for.
func (s *session) requestFailed(tx txKey, request pb.ChaincodeMessage_Type, asked []zap.Field, cause error) {
	typ := zap.Stringer("type", request)
	if !s.log.Core().Enabled(zap.DebugLevel) {
		s.fault(FaultFailedRequest, tx, cause, typ)
		return
	}
	defer s.survive()
	s.tell(FaultFailedRequest, tx, cause)
	s.logFault(FaultFailedRequest, tx, cause, append([]zap.Field{typ, zap.String("channel", quoted(tx.channelID))}, asked...))
}

// survive is to be deferred around the observer and the Logger. If one of them panics, it can't be told.
func (s *session) survive() {
	if recover() != nil {
		s.endWith(errInternal)
	}
}

// tell tells the observer of a fault.
func (s *session) tell(kind FaultKind, tx txKey, cause error) {
	if s.cfg.Faults != nil {
		s.cfg.Faults.Fault(Fault{Kind: kind, ChaincodeID: s.name(), ChannelID: tx.channelID, TxID: tx.txID, Cause: cause})
	}
}

func (s *session) logFault(kind FaultKind, tx txKey, cause error, fields []zap.Field) {
	all := append(make([]zap.Field, 0, len(fields)+4),
		zap.String("txid", short(tx.txID)),
		zap.Stringer("reason", kind),
		zap.String("chaincode", s.name()))
	if cause != nil {
		text := cause.Error()
		if s.log.Core().Enabled(zap.DebugLevel) {
			text = strconv.Quote(text)
		} else {
			text = quotedCause(text)
		}
		all = append(all, zap.String("cause", text))
	}
	s.log.Warn("fault", append(all, fields...)...)
}

// logEnd logs why the stream has ended, and what the limiter has left out by then.
func (s *session) logEnd(err error) {
	defer func() { _ = recover() }() // of the Logger: there is nobody left to tell
	cause := zap.String("cause", quotedCause(err.Error()))
	kind, name := ends, s.name()
	if name == "" {
		kind = strangers
	}
	s.limiter.kinds[kind].Log(s.log, zap.InfoLevel, "chaincode stream ended", zap.String("chaincode", name), cause)
	s.limiter.tell(s.log, false)
}

// askedFor returns the texts that a request has: its key, its collection, its query. It is slow, and for level Debug. It
// doesn't decode the request: that would be as large again.
func askedFor(request *pb.ChaincodeMessage) (asked []zap.Field) {
	payload := NewPayload(request.Type)
	if payload == nil {
		return nil
	}
	texts := map[string][]byte{}
	eachBytes(request.Payload, payload.ProtoReflect().Descriptor(), func(f protoreflect.FieldDescriptor, value []byte) {
		switch {
		case f.Kind() == protoreflect.StringKind && !f.IsList():
			texts[string(f.Name())] = value
		case f.Name() == "chaincode_id":
			eachBytes(value, f.Message(), func(f protoreflect.FieldDescriptor, value []byte) {
				if f.Name() == "name" {
					texts["callee"] = value
				}
			})
		}
	})
	for name, text := range texts {
		asked = append(asked, zap.String(name, quoted(string(text[:min(len(text), maxQuoted+1)]))))
	}
	slices.SortFunc(asked, func(a, b zap.Field) int { return strings.Compare(a.Key, b.Key) })
	return asked
}

// eachBytes calls visit with every string, every list of bytes and every message in an encoded message. It stops where the
// message is malformed.
func eachBytes(message []byte, of protoreflect.MessageDescriptor, visit func(f protoreflect.FieldDescriptor, value []byte)) {
	for len(message) > 0 {
		number, typ, n := protowire.ConsumeField(message)
		if n < 0 {
			return
		}
		if f := of.Fields().ByNumber(number); f != nil && typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			if value, n := protowire.ConsumeBytes(message[tag:]); n >= 0 {
				visit(f, value)
			}
		}
		message = message[n:]
	}
}
