package handler

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	// ErrTimeout is returned by Execute when the transaction's deadline has passed. The deadline is its own, or one that it
	// inherited from a calling chaincode.
	ErrTimeout = errors.New("timeout expired while executing transaction")
	// ErrStreamTerminated is returned by Execute when the chaincode's stream has ended.
	ErrStreamTerminated = errors.New("chaincode stream terminated")
	// ErrExists is returned by Execute when the same transaction ID runs on the same channel already.
	ErrExists = errors.New("transaction exists")
	// ErrPoisoned is returned by Execute when an operation of the transaction panicked or was abandoned. What the
	// transaction read and wrote can't be trusted then, whatever the chaincode answered.
	ErrPoisoned = errors.New("transaction poisoned")

	// ErrOverloaded lets errors.Is find every *OverloadError.
	ErrOverloaded = errors.New("chaincode overloaded")

	errPanic = errors.New("panic during execution")
)

// existsError has Fabric's text (core/chaincode/transaction_contexts.go). errors.Is finds ErrExists in it.
type existsError struct{ key txKey }

func (e *existsError) Error() string {
	return "txid: " + e.key.txID + "(" + e.key.channelID + ") exists"
}

func (e *existsError) Is(target error) bool { return target == ErrExists }

// OverloadError is returned by Execute when the chaincode has as many transactions in flight as Limits.MaxInFlight allows.
// Execute returns it at once, and has sent nothing. errors.Is finds ErrOverloaded in it.
type OverloadError struct {
	// ChaincodeID is the chaincode that was asked to run the transaction.
	ChaincodeID string
	// Limit is how many transactions it may have in flight.
	Limit int
}

// Error is a text for people. A calling chaincode gets it too.
func (e *OverloadError) Error() string {
	return "chaincode " + e.ChaincodeID + " has " + strconv.Itoa(e.Limit) + " transactions in flight, which is the limit: try again later"
}

// Is reports whether target is ErrOverloaded.
func (e *OverloadError) Is(target error) bool { return target == ErrOverloaded }

// unsentError says that the message that starts a transaction could not be sent. errors.Is finds ErrStreamTerminated in it.
type unsentError struct {
	txID  string
	typ   pb.ChaincodeMessage_Type
	cause error
}

func (e *unsentError) Error() string {
	return "[" + short(e.txID) + "] error sending " + e.typ.String() + ": " + e.cause.Error()
}

func (e *unsentError) Is(target error) bool { return target == ErrStreamTerminated }
func (e *unsentError) Unwrap() error        { return e.cause }

// poisonedError says why a transaction can't succeed any more.
type poisonedError struct{ cause error }

func (e *poisonedError) Error() string        { return "transaction cannot succeed: " + e.cause.Error() }
func (e *poisonedError) Is(target error) bool { return target == ErrPoisoned }
func (e *poisonedError) Unwrap() error        { return e.cause }

// StreamError says why the peer ended a stream, and with which gRPC status the chaincode sees it end.
type StreamError struct {
	Code  codes.Code
	Cause error
}

func (e *StreamError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Cause }

// GRPCStatus returns the status that a gRPC server answers with: the error's code and text. If the cause is a status itself,
// the text is taken from that status.
func (e *StreamError) GRPCStatus() *status.Status {
	return status.New(e.Code, status.Convert(e.Cause).Message())
}

func endStream(code codes.Code, format string, args ...any) error {
	return &StreamError{Code: code, Cause: errors.Errorf(format, args...)}
}

// maxQuoted is how many bytes logs and errors repeat of a string that the other side chose.
const maxQuoted = 128

// quoted returns s in a form that is safe to show to people: in quotes, and cut.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

const (
	causeHead = 768 // bytes that logs show of the beginning of a cause
	causeTail = 256 // and of its end, where the reason often is
)

// quotedCause returns an error's text in a form that is safe to log: in quotes, and without the middle of a long one.
func quotedCause(s string) string {
	cut := len(s) - causeHead - causeTail
	if cut <= 0 {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:causeHead]) + fmt.Sprintf(" … (%d bytes cut) ", cut) + strconv.Quote(s[len(s)-causeTail:])
}

// maxText is how many bytes of a text chaincode is told in an ERROR. Hooks and ledgers repeat names in their errors, which
// may be as long as a message.
const maxText = 64 << 10

// cut returns a text that has no more than maxText bytes, and a word about what is missing. It stays UTF-8.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return fmt.Sprintf("%s … (%d bytes cut)", strings.ToValidUTF8(s[:maxText], ""), len(s)-maxText)
}

// short is the part of a transaction ID that logs and errors show, as Fabric's do.
func short(txID string) string {
	const shown = 8
	if len(txID) > shown {
		txID = strings.ToValidUTF8(txID[:shown], "")
	}
	if strings.ContainsFunc(txID, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(txID)
	}
	return txID
}
