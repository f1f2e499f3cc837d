package chaincodesupport

import (
	"context"
	"io"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
)

// Why a chaincode has ended is known in two places, and seldom at the same time.
//
// The stream knows first. If the peer itself has ended it, because a message was too large, say, that is the whole truth: the
// chaincode exits only because of it, often with status 0. If the stream has just ended, that says nothing. Then the runtime
// knows better, because it gets the exit status and what was printed. But it needs a few milliseconds more.
//
// So the peer's own reason always comes first. Where there is none, whoever waits for a transaction waits a moment longer.

// lastWords is how long a caller waits for the reason after its stream has ended. A process that crashes is gone 2 to 5 ms
// after its stream, and a busy machine needs many times that. A runtime, too, gives a chaincode as long to end by itself.
const lastWords = 500 * time.Millisecond

// TerminatedError is returned by Execute when the chaincode's stream has ended, and the reason is known. errors.Is finds
// handler.ErrStreamTerminated in it, and whatever the reason consists of: a *process.ExitError, for example.
type TerminatedError struct {
	// ChaincodeID is the chaincode whose stream has ended.
	ChaincodeID string
	// Cause is why the peer has ended the stream, or how the chaincode has ended.
	Cause error
	// terminated is the handler's error. It has Fabric's text.
	terminated error
}

// Error begins with Fabric's text, and goes on with the cause.
func (e *TerminatedError) Error() string { return e.terminated.Error() + ": " + e.Cause.Error() }

// Unwrap returns the handler's error and the cause.
func (e *TerminatedError) Unwrap() []error { return []error{e.terminated, e.Cause} }

// streamEnd is the end of a chaincode's stream that nobody has asked for. A runtime that sees it as its context's cause
// knows that the chaincode is probably ending as well. It may wait a moment for the exit status.
type streamEnd struct{ cause error }

func (e *streamEnd) Error() string {
	if e.cause == nil || e.cause == io.EOF { // the chaincode wanted it
		return runtime.ErrStreamEnded.Error()
	}
	return runtime.ErrStreamEnded.Error() + ": " + e.cause.Error()
}

func (e *streamEnd) Is(target error) bool { return target == runtime.ErrStreamEnded }
func (e *streamEnd) Unwrap() error        { return e.cause }

// reason returns why the stream has ended, if there is more to say than that it has. A connection that breaks says nothing of
// the chaincode, and neither does one that the chaincode has closed.
func (e *streamEnd) reason() error {
	var end *handler.StreamError
	if !errors.As(e.cause, &end) || isMereEnd(end) {
		return nil
	}
	return end
}

// isMereEnd reports whether an error says no more than that something was ended.
func isMereEnd(err error) bool {
	var end *handler.StreamError
	return errors.Is(err, context.Canceled) || errors.As(err, &end) && (end.Code == codes.Canceled || end.Code == codes.Unavailable)
}

// twofoldEnd is the end of a chaincode that has ended for a reason, and whose runtime has something to say as well.
type twofoldEnd struct{ reason, exit error }

// Error has the reason first, because the exit only follows from it.
func (e *twofoldEnd) Error() string   { return e.reason.Error() + "; " + e.exit.Error() }
func (e *twofoldEnd) Unwrap() []error { return []error{e.reason, e.exit} }

// explain returns the best reason why an instance has ended, given what its runtime has returned. nil says that the runtime
// knows none, and that the cause of the end is all there is.
func (in *instance) explain(exit error) error {
	outcome := in.ended()
	end, ok := outcome.cause.(*streamEnd) //nolint:errorlint // as in launchFailure
	switch {
	case !ok && !outcome.asked:
		return explainCause(outcome.cause, exit)
	case !ok:
		return exit
	}
	reason := end.reason()
	switch {
	case reason == nil, exit != nil && errors.Is(exit, reason): // a runtime that serves the stream has it, too
		return exit
	case exit == nil:
		return end
	}
	return &twofoldEnd{reason: end, exit: exit}
}

// explainCause is explain for a chaincode that the peer has ended because of cause, such as a launch that took too long, or
// whose runtime was the first to end.
func explainCause(cause, exit error) error {
	switch {
	case cause == nil, exit == nil, errors.Is(cause, exit): // the runtime was the first
		return exit
	case errors.Is(exit, cause), isMereEnd(exit): // it only follows
		return nil
	}
	return &twofoldEnd{reason: cause, exit: exit}
}

// whyTerminated adds to the error of a transaction why the stream has ended. It waits for the reason if that is worth it: if
// the peer has launched the chaincode, nobody has stopped it, and the stream itself doesn't tell. It waits no longer than
// lastWords, or until ctx ends. If there is no reason by then, err stays as it is.
func (in *instance) whyTerminated(ctx context.Context, err error) error {
	outcome := in.ended()
	if outcome.asked {
		return err
	}
	var cause error
	if end, ok := outcome.cause.(*streamEnd); ok { //nolint:errorlint // as in launchFailure
		cause = end.reason()
	}
	if cause == nil && !in.external {
		cause = in.lastWords(ctx)
	}
	if cause == nil || errors.Is(err, root(cause)) { // then err says it already
		return err
	}
	return &TerminatedError{ChaincodeID: in.chaincodeID, Cause: cause, terminated: err}
}

// lastWords returns what the runtime says of the end, or nil if it says nothing in time.
func (in *instance) lastWords(ctx context.Context) error {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-in.exited:
		return in.ended().exit
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// root returns the error that all the others are wrapped around.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
