package handler

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	// ErrTimeout is returned by Execute when the transaction's deadline has passed, its own or one inherited from a
	// calling chaincode.
	ErrTimeout = errors.New("timeout expired while executing transaction")
	// ErrStreamTerminated is returned by Execute when the chaincode's stream has ended.
	ErrStreamTerminated = errors.New("chaincode stream terminated")
	// ErrExists is returned by Execute when the same transaction ID runs on the same channel already.
	ErrExists = errors.New("transaction exists")
	// ErrPoisoned is returned by Execute when an operation of the transaction panicked or was abandoned: whatever
	// the chaincode answered, what it read and wrote can't be trusted.
	ErrPoisoned = errors.New("transaction poisoned")

	// ErrOverloaded is what an *OverloadError is, for errors.Is.
	ErrOverloaded = errors.New("chaincode overloaded")

	errPanic = errors.New("panic during execution")
)

// existsError has Fabric's text (core/chaincode/transaction_contexts.go) and is an ErrExists.
type existsError struct{ key txKey }

func (e *existsError) Error() string {
	return "txid: " + e.key.txID + "(" + e.key.channelID + ") exists"
}

func (e *existsError) Is(target error) bool { return target == ErrExists }

// OverloadError is returned by Execute, at once and with nothing sent, when the chaincode has as many transactions in
// flight as Config.MaxInFlight allows. It is an ErrOverloaded.
type OverloadError struct {
	// ChaincodeID is the chaincode that was to run the transaction.
	ChaincodeID string
	// Limit is how many transactions it may have in flight.
	Limit int
}

// Error is for people. A calling chaincode gets it too.
func (e *OverloadError) Error() string {
	return "chaincode " + e.ChaincodeID + " has " + strconv.Itoa(e.Limit) + " transactions in flight, which is the limit: try again later"
}

// Is reports whether target is ErrOverloaded.
func (e *OverloadError) Is(target error) bool { return target == ErrOverloaded }

// unsentError is an ErrStreamTerminated that says that the transaction's own message could not be sent.
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

// StreamError is why a stream was ended by the peer, with the gRPC status that the chaincode is to see.
type StreamError struct {
	Code  codes.Code
	Cause error
}

func (e *StreamError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Cause }

// GRPCStatus makes a gRPC server answer with the code and the text of the error. Of a cause that is a status itself,
// the text is that of the status.
func (e *StreamError) GRPCStatus() *status.Status {
	return status.New(e.Code, status.Convert(e.Cause).Message())
}

func endStream(code codes.Code, format string, args ...any) error {
	return &StreamError{Code: code, Cause: errors.Errorf(format, args...)}
}

// maxQuoted is how much of a string that the other side chose is repeated in a log or an error.
const maxQuoted = 128

// quoted is s as it may be shown to people: quoted, and cut.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
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
