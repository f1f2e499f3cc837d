package chaincodesupport

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// LifecycleEvent says that a chaincode has come into a State.
//
// A launch is Launching and then Ready. If it fails, it is Launching, Ending, and then Stopped or Restarting. A chaincode
// that crashes or is stopped is Ending until nothing of it is left running. That may be at once.
type LifecycleEvent struct {
	ChaincodeID string
	State       State
	// At is when the chaincode came into that state.
	At time.Time
	// External says that this peer has not launched the chaincode: it has connected by itself in dev mode.
	External bool
	// Restarts is how often the chaincode was launched again after it had ended, or had failed to start, without having been
	// asked to.
	Restarts int
	// Cause is why the chaincode ended, or failed to start. It is nil for Launching and Ready.
	Cause error
	// Asked says that somebody wanted the chaincode to end: Stop or Close was called.
	Asked bool
	// Pause is how long a chaincode that is Restarting waits, unless somebody calls it before.
	Pause time.Duration
}

// LifecycleObserver is told what becomes of chaincodes.
type LifecycleObserver interface {
	// ObserveLifecycle is told of one event after the other, in the order in which they happened and a moment after each. It
	// is never called twice at once. It must not block: later events wait for it, and so does Close, though no chaincode
	// does. A panic is logged.
	ObserveLifecycle(e LifecycleEvent)
}

// LifecycleFunc is a function that implements LifecycleObserver.
type LifecycleFunc func(e LifecycleEvent)

// ObserveLifecycle implements LifecycleObserver.
func (f LifecycleFunc) ObserveLifecycle(e LifecycleEvent) { f(e) }

var _ LifecycleObserver = LifecycleFunc(nil)

// lifecycle tells the observer of events.
//
// Events happen under locks, which fix their order. But the observer must not be called under a lock. So events wait in a
// queue. A goroutine tells of them, which lives as long as there are some.
type lifecycle struct {
	observer LifecycleObserver // or nil
	log      *guardedLog
	life     *lifetime

	mu      sync.Mutex
	waiting []LifecycleEvent
	telling bool // a goroutine is at work
}

// tell queues an event. lifetime counts the caller, so that Close waits for the goroutine, too.
func (l *lifecycle) tell(e LifecycleEvent) {
	if l.observer == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, e)
	if !l.telling {
		l.telling = true
		l.life.goroutines.Go(l.deliver)
	}
}

// deliver tells the observer of the events that wait. If the observer makes the goroutine exit, the next goroutine goes on.
func (l *lifecycle) deliver() {
	done := false
	defer func() {
		if !done {
			l.life.goroutines.Go(l.deliver)
		}
	}()
	for e, ok := l.next(); ok; e, ok = l.next() {
		l.notify(e)
	}
	done = true
}

func (l *lifecycle) next() (e LifecycleEvent, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.waiting, l.telling = nil, false
		return e, false
	}
	e, l.waiting = l.waiting[0], l.waiting[1:]
	return e, true
}

func (l *lifecycle) notify(e LifecycleEvent) {
	defer func() {
		if p := recover(); p != nil {
			l.log.panicked("Config.Lifecycle", p, zap.String("chaincode", e.ChaincodeID))
		}
	}()
	l.observer.ObserveLifecycle(e)
}
