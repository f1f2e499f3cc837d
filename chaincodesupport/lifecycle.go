package chaincodesupport

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// LifecycleEvent says that a chaincode has come into a State.
//
// A launch is Launching and then Ready; one that fails is Launching, Ending, and Stopped or Restarting. A chaincode that
// crashes, or is stopped, is Ending until nothing of it is left running, which may be at once.
type LifecycleEvent struct {
	ChaincodeID string
	State       State
	// At is when it came into that state.
	At time.Time
	// External is a chaincode that this peer has not launched: one that has connected in dev mode.
	External bool
	// Restarts is how often it was launched again after it had ended, or failed to start, without having been asked to.
	Restarts int
	// Cause is why it ended, or failed to start. It is nil for Launching and Ready.
	Cause error
	// Asked says that somebody wanted it to end: Stop was called, or Close.
	Asked bool
	// Pause is how long a chaincode that is Restarting waits for that, unless somebody calls it before.
	Pause time.Duration
}

// LifecycleObserver is told what becomes of chaincodes.
type LifecycleObserver interface {
	// ObserveLifecycle is told of one event after the other, in the order in which they have happened, a moment after each.
	// It is never called twice at once. It must not block: later events wait for it, though no chaincode does, and so does
	// Close. A panic is logged.
	ObserveLifecycle(e LifecycleEvent)
}

// LifecycleFunc is a function that is a LifecycleObserver.
type LifecycleFunc func(e LifecycleEvent)

// ObserveLifecycle implements LifecycleObserver.
func (f LifecycleFunc) ObserveLifecycle(e LifecycleEvent) { f(e) }

var _ LifecycleObserver = LifecycleFunc(nil)

// lifecycle tells the observer of events.
//
// They happen under locks, which fix their order, and an observer must not be called under locks. So they wait in a queue, and
// a goroutine that lives as long as there are some tells of them.
type lifecycle struct {
	observer LifecycleObserver // or nil
	log      guardedLog
	life     *lifetime

	mu      sync.Mutex
	waiting []LifecycleEvent
	telling bool // there is a goroutine
}

// tell queues an event. Its caller is counted by lifetime, so that Close will wait for the goroutine.
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

// deliver tells the observer of what waits. If the observer makes the goroutine exit, the next one goes on.
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
