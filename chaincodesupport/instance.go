package chaincodesupport

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
)

// phase is a part of an instance's life.
type phase uint8

const (
	launching  phase = iota // it has been started, and has not registered
	registered              // it has registered, and READY has not been sent
	ready                   // transactions run on it
	ending                  // it is of no use any more, and something of it may be left
	gone                    // nothing of it is left
)

func (p phase) String() string {
	return [...]string{"launching", "registered", "ready", "ending", "gone"}[p]
}

// state is the phase as List shows it.
func (p phase) state() State {
	return [...]State{Launching, Launching, Ready, Ending, Stopped}[p]
}

// event is something that happens to an instance.
type event uint8

const (
	registers       event = iota // a stream of its chaincode has sent REGISTER
	readySent                    // READY was sent on its stream
	streamRefused                // a stream of its chaincode has ended that never was its own
	streamEnded                  // its own stream has ended
	startupExpired               // its launch has had its time
	stopAsked                    // somebody wants it to end
	runtimeReturned              // its runtime says that nothing of it is running
	nothingLeft                  // whoever had to do with its end is done
)

func (e event) String() string {
	return [...]string{
		"REGISTER", "READY sent", "stream refused", "stream ended", "start-up timeout", "stop", "runtime returned", "nothing left",
	}[e]
}

// transitions is the life of an instance: what happens to it, the phases in which it may, and the phase that follows. What
// has no entry is illegal. A second REGISTER is that, and is refused; anything else would be a mistake of this package or of
// a handler, which is logged and changes nothing.
//
// Much comes too late and then means nothing, for several ends may come at once. A chaincode crashes, say: its stream ends
// and its runtime returns, while somebody stops it, and READY is still on its way.
var transitions = map[event]map[phase]phase{
	registers:       {launching: registered},
	readySent:       {registered: ready, ending: ending, gone: gone},
	streamRefused:   {launching: ending, registered: registered, ready: ready, ending: ending, gone: gone},
	streamEnded:     {registered: ending, ready: ending, ending: ending, gone: gone},
	startupExpired:  {launching: ending, registered: ending, ready: ready, ending: ending, gone: gone},
	stopAsked:       {launching: ending, registered: ending, ready: ending, ending: ending, gone: gone},
	runtimeReturned: {launching: ending, registered: ending, ready: ending, ending: ending},
	nothingLeft:     {ending: gone},
}

// instance is one run of a chaincode: from the start of its launch, or its own connection in dev mode, until nothing
// of it is left. At most one run of a chaincode is under way at any time.
//
// Its phase says what else there is of it: a handler from registered on, an outcome from ending on. Nothing but follow
// changes the phase.
type instance struct {
	chaincodeID string
	external    bool                    // it has connected by itself
	stop        context.CancelCauseFunc // ends its runtime; does nothing for one that connected by itself
	tell        func(LifecycleEvent)    // of Ready and Ending, with mu held; its registry knows the rest
	launched    chan struct{}           // closed when the launch has succeeded or failed
	exited      chan struct{}           // closed when nothing of it is left
	restarts    int                     // as in Status; set before it is found by others

	mu      sync.Mutex
	phase   phase
	since   time.Time        // when it came into the state that List shows
	handler *handler.Handler // of its stream
	outcome *outcome
}

// outcome is what there is to say of an instance that is ending or gone.
type outcome struct {
	cause    error         // of the end: the first one, others only follow from it
	launch   error         // why the launch failed; nil: it had succeeded
	wasReady time.Duration // how long transactions could run on it
	asked    bool          // somebody wanted it to end
}

func newInstance(chaincodeID string, stop context.CancelCauseFunc, tell func(LifecycleEvent)) *instance {
	return &instance{
		chaincodeID: chaincodeID,
		stop:        stop,
		tell:        tell,
		launched:    make(chan struct{}),
		exited:      make(chan struct{}),
		since:       time.Now(),
	}
}

// follow brings the instance into the phase that follows from an event, and does what belongs to entering that phase: once,
// whatever led there. That is why it is all here. Waiters are released by closing a channel, and find under mu what there is to
// know. The runtime and the stream are told to end, and nobody waits for them here: their own ends are events, too.
//
// An error says that the event is illegal, and then nothing has changed. cause is why the instance ends, if it does. The
// caller holds mu.
func (in *instance) follow(e event, cause error) error {
	to, legal := transitions[e][in.phase]
	if !legal {
		return errors.Errorf("chaincode %s is %s: unexpected event %q", in.chaincodeID, in.phase, e)
	}
	from := in.phase
	if to == from {
		return nil
	}
	now := time.Now()
	switch to {
	case ready:
		close(in.launched)
	case ending:
		in.outcome = &outcome{cause: cause, asked: e == stopAsked}
		if from == ready {
			in.outcome.wasReady = now.Sub(in.since)
		} else {
			in.outcome.launch = launchFailure(cause)
			close(in.launched)
		}
		in.stop(cause)
		if in.handler != nil {
			in.handler.Close()
		}
	case gone:
		close(in.exited)
	}
	if in.phase = to; to.state() != from.state() {
		in.since = now
	}
	if to == ready || to == ending {
		in.tell(in.event(to.state()))
	}
	return nil
}

// event returns what there is to say of the instance in a state that it has just come into. The caller holds mu.
func (in *instance) event(s State) LifecycleEvent {
	e := LifecycleEvent{ChaincodeID: in.chaincodeID, State: s, At: in.since, External: in.external, Restarts: in.restarts}
	if in.outcome != nil {
		e.Cause, e.Asked = in.outcome.cause, in.outcome.asked
	}
	return e
}

// launchFailure is what those are told who wait for a launch that ends for that cause. Most causes come with a text that says
// what has failed. A stream's end does not, for it is also what ends a chaincode that was ready.
func launchFailure(cause error) error {
	if end, ok := cause.(*streamEnd); ok { //nolint:errorlint // one that the runtime has wrapped is its error
		return errors.WithMessage(end, "chaincode registration failed")
	}
	return cause
}

// claim makes h the handler of an instance that waits for one. The error is for the chaincode: there is one already, or it
// is too late.
func (in *instance) claim(h *handler.Handler) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.follow(registers, nil) == nil {
		in.handler = h
		return nil
	}
	if in.handler != nil {
		return status.Errorf(codes.AlreadyExists, "duplicate chaincodeID: %s", in.chaincodeID)
	}
	return status.Errorf(codes.PermissionDenied, "chaincode %s registered after its launch had ended", in.chaincodeID)
}

// succeed ends the launch well, if h is the instance's handler.
func (in *instance) succeed(h *handler.Handler) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler != h {
		return nil
	}
	return in.follow(readySent, nil)
}

// end is for events that may end the instance. The first cause is the one that counts.
func (in *instance) end(e event, cause error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	err := in.follow(e, cause)
	if e == stopAsked && in.outcome != nil { // also when it was ending anyway
		in.outcome.asked = true
	}
	return err
}

// release ends the instance if h is its handler, and reports whether it is. It may not be: the stream of an earlier run may
// end when the next one is there.
func (in *instance) release(h *handler.Handler) (owner bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler != h {
		return false, nil
	}
	return true, in.follow(streamEnded, &streamEnd{h.Err()})
}

// depart says that nothing is left of the instance, and returns what there is to say of that. A cause that isn't nil is why it
// has ended; what comes first, and is its outcome's, is often a stream's end, and says less.
func (in *instance) depart(cause error) (LifecycleEvent, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	err := in.follow(nothingLeft, nil)
	e := in.event(Stopped)
	if cause != nil {
		e.Cause = cause
	}
	return e, err
}

// streamEnd is the end of a chaincode's stream that nobody has asked for. It is the cause by which a runtime learns that the
// chaincode is likely to be ending as well, and may wait a moment for its exit status.
type streamEnd struct{ cause error }

func (e *streamEnd) Error() string {
	if e.cause == nil || e.cause == io.EOF { // as the chaincode wanted it
		return runtime.ErrStreamEnded.Error()
	}
	return runtime.ErrStreamEnded.Error() + ": " + e.cause.Error()
}

func (e *streamEnd) Is(target error) bool { return target == runtime.ErrStreamEnded }
func (e *streamEnd) Unwrap() error        { return e.cause }

// look returns what the instance is doing, and its handler if it has one.
func (in *instance) look() (*handler.Handler, State) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.handler, in.phase.state()
}

// ended returns how the instance has ended: the zero value while it has not.
func (in *instance) ended() outcome {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.outcome == nil {
		return outcome{}
	}
	return *in.outcome
}
