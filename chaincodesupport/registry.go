package chaincodesupport

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
)

// instances are the chaincodes that run or are being launched, by chaincode ID: at most one of each. Handlers register here,
// from any goroutine.
//
// Its lock is taken before that of an instance. So a question about both gets one consistent answer: an instance that has
// gone is not found any more, and a chaincode that was stopped is not launched again.
type instances struct {
	devMode bool
	report  func(error) // told of what should not have happened
	tell    func(LifecycleEvent)

	mu      sync.Mutex
	running map[string]*instance
	records map[string]*record // of the chaincodes that this peer has launched
}

var _ handler.Registry = (*instances)(nil)

func newInstances(devMode bool, report func(error), tell func(LifecycleEvent)) *instances {
	return &instances{devMode: devMode, report: report, tell: tell, running: map[string]*instance{}, records: map[string]*record{}}
}

// check reports an event that was illegal. A nil error is nothing to report.
func (r *instances) check(err error) {
	if err != nil {
		r.report(err)
	}
}

// get returns the instance of a chaincode ID, or nil. The instance may have ended when the caller looks at it, so the caller
// has to ask it.
func (r *instances) get(chaincodeID string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[chaincodeID]
}

// getOrLaunch returns the instance of a chaincode ID. If there is none, it calls launch with mu held, adds the instance that
// launch returns, and returns it. It returns nil if launch does.
func (r *instances) getOrLaunch(chaincodeID string, launch func() *instance) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.running[chaincodeID]; in != nil {
		return in
	}
	return launch()
}

// add adds an instance that has just begun. The caller holds mu.
func (r *instances) add(in *instance) {
	r.running[in.chaincodeID] = in
	r.tell(in.event(Launching)) // nobody else can reach it yet
}

// remove removes an instance of which nothing is left, and tells everybody who waits for that.
//
// A runtime may return long after the stream has ended, but the name stays taken until then. So no other instance of the
// same ID could be removed by mistake. It is checked nevertheless.
//
// cause is why the instance has ended, if that is better known by now. before is called first, with mu held. It makes the
// next launch due, and returns how long that will be, or 0.
func (r *instances) remove(in *instance, cause error, before func() time.Duration) {
	r.mu.Lock()
	pause := before()
	if r.running[in.chaincodeID] == in {
		delete(r.running, in.chaincodeID)
	}
	e, err := in.depart(cause)
	if pause > 0 {
		e.State, e.Pause = Restarting, pause
	}
	if err == nil {
		r.tell(e)
	}
	r.mu.Unlock()
	r.check(err)
}

// stop ends a chaincode and cancels a restart that is due. Both happen under one lock. So stop meets either the restart or
// the instance that it has become. It returns the instance, or nil.
func (r *instances) stop(chaincodeID string, cause error) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelRestart(chaincodeID)
	in := r.running[chaincodeID]
	if in != nil {
		_ = in.end(stopAsked, cause) // legal in every phase
	}
	return in
}

// stopAll stops every chaincode. From now on no restart becomes due.
func (r *instances) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.records {
		r.cancelRestart(id)
	}
	for _, in := range r.running {
		_ = in.end(stopAsked, ErrClosed) // legal in every phase
	}
}

// Register gives the handler to the launch that waits for it. In dev mode, a chaincode that nobody launched becomes an
// instance of its own. That instance has its handler from the start, so that a Stop reaches the stream.
func (r *instances) Register(h *handler.Handler) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.running[h.ChaincodeID()]
	if in == nil {
		if !r.devMode {
			return status.Errorf(codes.PermissionDenied, "peer will not accept external chaincode connection %s (except in dev mode)", h.ChaincodeID())
		}
		in = newInstance(h.ChaincodeID(), func(error) {}, r.tell)
		in.external = true
		r.add(in)
	}
	return in.claim(h)
}

// Ready ends the launch of the handler's chaincode. The stream may have ended meanwhile, and another instance may have the
// chaincode ID. That one has another handler, and nothing happens to it.
func (r *instances) Ready(h *handler.Handler) {
	if in := r.get(h.ChaincodeID()); in != nil {
		r.check(in.succeed(h))
	}
}

// Deregister ends the run of a chaincode whose stream has ended. The runtime has to stop what is left of it, and the
// instance stays until the runtime has returned. A chaincode that connected by itself has no runtime, so nothing is left of
// it.
func (r *instances) Deregister(h *handler.Handler) {
	in := r.get(h.ChaincodeID())
	if in == nil {
		return
	}
	owner, err := in.release(h)
	r.check(err)
	if owner && in.external {
		r.remove(in, nil, func() time.Duration { return 0 })
	}
}
