package chaincodesupport

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
)

// phase is a part of an instance's life.
type phase uint8

const (
	launching  phase = iota // it has been started, and has not registered yet
	registered              // it has registered, and READY has not been sent yet
	ready                   // transactions run on it
	ending                  // nobody uses it any more, but something of it may be left
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
	streamRefused                // a stream of its chaincode has ended that was never its own
	streamEnded                  // its own stream has ended
	startupExpired               // its launch has taken too long
	stopAsked                    // somebody wants it to end
	runtimeReturned              // its runtime says that nothing of it is running any more
	nothingLeft                  // the part that had to see to its end is done
)

func (e event) String() string {
	return [...]string{
		"REGISTER", "READY sent", "stream refused", "stream ended", "start-up timeout", "stop", "runtime returned", "nothing left",
	}[e]
}

// transitions is the life of an instance. For each event it has the phases in which the event may happen, and the phase that
// follows. An event that has no entry for a phase is illegal there. A second REGISTER is illegal, and is refused. Any other
// illegal event is a mistake of this package or of a handler. It is logged and changes nothing.
//
// Many events come too late, because an instance may end in several ways at once. A chaincode crashes, say: its stream ends
// and its runtime returns, while somebody stops it, and READY is still on its way. Such an event is legal, but leaves the
// phase as it is.
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

// instance is one run of a chaincode. It begins with the launch or, in dev mode, with the chaincode's own connection. It
// lasts until nothing of the run is left. At most one run of a chaincode is under way at any time.
//
// The phase says what else an instance has: a handler from registered on, and an outcome from ending on. Only follow changes
// the phase.
type instance struct {
	chaincodeID string
	external    bool                    // it has connected by itself
	stop        context.CancelCauseFunc // ends its runtime; does nothing for one that connected by itself
	tell        func(LifecycleEvent)    // tells of Ready and Ending, with mu held; the registry tells the rest
	launched    chan struct{}           // closed when the launch has succeeded or failed
	exited      chan struct{}           // closed when nothing of it is left
	restarts    int                     // as in Status; set before others can find the instance

	mu      sync.Mutex
	phase   phase
	since   time.Time        // when it came into the state that List shows
	handler *handler.Handler // the handler of its stream
	outcome *outcome
}

// outcome is how an instance that is ending or gone has ended.
type outcome struct {
	cause    error         // of the end: the first one, since others only follow from it
	launch   error         // why the launch failed; nil: it succeeded
	wasReady time.Duration // how long transactions could run on it
	asked    bool          // somebody wanted it to end
	exit     error         // the better reason that was known when nothing was left; nil: there is none, or not yet
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

// follow brings the instance into the phase that follows from an event. It also does what belongs to entering that phase:
// once, whatever led there. That is why all of it is here. Waiters are released by closing a channel, and find under mu what
// they need to know. The runtime and the stream are told to end, but nobody waits for them here: their own ends are events,
// too.
//
// An error says that the event is illegal. Nothing has changed then. cause is why the instance ends, if it does. The caller
// holds mu.
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

// event returns the LifecycleEvent for the state into which the instance has just come. The caller holds mu.
func (in *instance) event(s State) LifecycleEvent {
	e := LifecycleEvent{ChaincodeID: in.chaincodeID, State: s, At: in.since, External: in.external, Restarts: in.restarts}
	if in.outcome != nil {
		e.Cause, e.Asked = in.outcome.cause, in.outcome.asked
	}
	return e
}

// launchFailure returns the error for those who wait for a launch that ends because of cause. Most causes have a text that
// says what has failed. The end of a stream has not, because it also ends a chaincode that was ready.
func launchFailure(cause error) error {
	if end, ok := cause.(*streamEnd); ok { //nolint:errorlint // if the runtime has wrapped it, it is the runtime's error
		return errors.WithMessage(end, "chaincode registration failed")
	}
	return cause
}

// claim makes h the handler of an instance that waits for one. The error is meant for the chaincode: there is a handler
// already, or it is too late.
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

// succeed ends the launch with success, if h is the instance's handler.
func (in *instance) succeed(h *handler.Handler) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler != h {
		return nil
	}
	return in.follow(readySent, nil)
}

// end fires an event that may end the instance. The first cause is the one that counts.
func (in *instance) end(e event, cause error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	err := in.follow(e, cause)
	if e == stopAsked && in.outcome != nil { // even if it was ending anyway
		in.outcome.asked = true
	}
	return err
}

// release ends the instance if h is its handler, and reports whether h is. The stream of an earlier run may end when the
// next instance is there already.
func (in *instance) release(h *handler.Handler) (owner bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler != h {
		return false, nil
	}
	return true, in.follow(streamEnded, &streamEnd{h.Err()})
}

// depart notes that nothing is left of the instance, and returns the event that tells so. If cause isn't nil, it is the
// better reason for the end: the cause that came first is often a stream's end, and says less.
func (in *instance) depart(cause error) (LifecycleEvent, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.outcome != nil {
		in.outcome.exit = cause
	}
	err := in.follow(nothingLeft, nil)
	e := in.event(Stopped)
	if cause != nil {
		e.Cause = cause
	}
	return e, err
}

// look returns the instance's handler, or nil, and its state.
func (in *instance) look() (*handler.Handler, State) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.handler, in.phase.state()
}

// ended returns how the instance has ended. It returns the zero value as long as it has not.
func (in *instance) ended() outcome {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.outcome == nil {
		return outcome{}
	}
	return *in.outcome
}
