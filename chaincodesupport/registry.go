package chaincodesupport

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
)

// instances are the chaincodes that run or are being launched, by chaincode ID: at most one of each. It is what
// handlers register with, from whichever goroutine.
//
// Its lock is taken before that of an instance. So what is asked of both at once is true of both: an instance that has
// gone is not found any more, and one that was stopped is not launched again.
type instances struct {
	devMode bool
	report  func(error) // of what should not have happened

	mu      sync.Mutex
	running map[string]*instance
	records map[string]*record // of those that this peer has launched
}

var _ handler.Registry = (*instances)(nil)

func newInstances(devMode bool, report func(error)) *instances {
	return &instances{devMode: devMode, report: report, running: map[string]*instance{}, records: map[string]*record{}}
}

// check reports an event that was illegal.
func (r *instances) check(err error) {
	if err != nil {
		r.report(err)
	}
}

// get returns the instance of a chaincode ID, or nil.
func (r *instances) get(chaincodeID string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[chaincodeID]
}

// getOrAdd returns the instance of a chaincode ID. If there is none, it adds the one that add makes, with mu held.
func (r *instances) getOrAdd(chaincodeID string, add func() *instance) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.running[chaincodeID]
	if in == nil {
		if in = add(); in != nil {
			r.running[chaincodeID] = in
		}
	}
	return in
}

// remove removes an instance of which nothing is left, not another one of the same chaincode ID. before is called first,
// with mu held.
func (r *instances) remove(in *instance, before func()) {
	r.mu.Lock()
	before()
	if r.running[in.chaincodeID] == in {
		delete(r.running, in.chaincodeID)
	}
	err := in.end(nothingLeft, nil)
	r.mu.Unlock()
	r.check(err)
}

// stop ends a chaincode and keeps it from being launched again by itself. It returns its instance, or nil.
func (r *instances) stop(chaincodeID string, cause error) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[chaincodeID]; rec != nil {
		rec.cancel()
	}
	in := r.running[chaincodeID]
	if in != nil {
		_ = in.end(stopAsked, cause) // which is legal in every phase
	}
	return in
}

// stopAll stops every chaincode. No restart becomes due any more.
func (r *instances) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.records {
		rec.cancel()
	}
	for _, in := range r.running {
		_ = in.end(stopAsked, ErrClosed) // which is legal in every phase
	}
}

// Register gives the handler to the launch that waits for it. In dev mode, chaincode that nobody launched is an
// instance of its own; it has its handler from the start, so that whoever stops it reaches the stream.
func (r *instances) Register(h *handler.Handler) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.running[h.ChaincodeID()]
	if in == nil {
		if !r.devMode {
			return status.Errorf(codes.PermissionDenied, "peer will not accept external chaincode connection %s (except in dev mode)", h.ChaincodeID())
		}
		in = newInstance(h.ChaincodeID(), func(error) {})
		in.external = true
		r.running[h.ChaincodeID()] = in
	}
	return in.claim(h)
}

// Ready ends the launch of the handler's chaincode.
func (r *instances) Ready(h *handler.Handler) {
	if in := r.get(h.ChaincodeID()); in != nil {
		r.check(in.succeed(h))
	}
}

// Deregister ends the run of a chaincode whose stream has ended. What is left of it is its runtime's to stop.
func (r *instances) Deregister(h *handler.Handler) {
	in := r.get(h.ChaincodeID())
	if in == nil {
		return
	}
	owner, err := in.release(h)
	r.check(err)
	if owner && in.external {
		r.remove(in, func() {})
	}
}
