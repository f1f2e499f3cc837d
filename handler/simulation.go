package handler

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// Simulation is a simulator that may be in use: by the transaction it was made for, and by the chaincodes that this
// transaction calls. Its Done waits until the last operation has returned, so that whoever made the simulator
// can always
//
//	defer simulation.Done()
//
// also when Execute gave up waiting for an operation.
type Simulation struct {
	sim   ledger.Simulator
	trust trust // whether what was read and written can be believed

	mu    sync.Mutex // protects what follows
	holds int        // transactions that may still use sim
	done  bool       // Done was called
	// used says that a call runs in sim. There is one at a time: a callee's operation may outlive the callee's
	// Execute. It is a lock that can be waited for with a context; free, made by who waits, is closed by end.
	used bool
	free chan struct{}
}

// NewSimulation returns a Simulation over sim, which from then on is used through it alone until Execute has
// returned without an error.
func NewSimulation(sim ledger.Simulator) *Simulation { return &Simulation{sim: sim} }

// Simulator returns the simulator, for reading its results after Execute has returned without an error.
func (s *Simulation) Simulator() ledger.Simulator { return s.sim }

// Done releases the simulator, at once or when the last operation on it has returned. It never blocks on an
// operation, and may be called more than once.
func (s *Simulation) Done() {
	s.mu.Lock()
	last := !s.done && s.holds == 0
	s.done = true
	s.mu.Unlock()
	if last {
		s.sim.Done()
	}
}

// Do calls f with the simulator, when no other operation on it is running: for what a peer reads and writes of a
// transaction's state besides its chaincode. ctx limits the waiting, not f. f must not come back to this Simulation, by
// Do or by Execute: it would wait for itself. Where f panics, which is the caller's to deal with, the simulator can't be
// used any more.
func (s *Simulation) Do(ctx context.Context, f func(ledger.Simulator) error) (err error) {
	if err := s.hold(); err != nil {
		return err
	}
	defer func() {
		if s.release() != nil && err == nil { // a panic of the simulator's Done, whose value is for logs only
			err = errPanic
		}
	}()
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	returned := false
	defer func() {
		if !returned {
			s.trust.lose(errPanic)
		}
	}()
	err = f(s.sim)
	returned = true
	return err
}

// hold announces a user of the simulator; release must follow.
func (s *Simulation) hold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return errors.New("this instance should not be used after calling Done()")
	}
	s.holds++
	return nil
}

// release ends what hold began. A panic of the simulator's Done is returned as an error.
func (s *Simulation) release() (err error) {
	s.mu.Lock()
	s.holds--
	last := s.done && s.holds == 0
	s.mu.Unlock()
	if last {
		defer func() {
			if p := recover(); p != nil {
				err = errors.Errorf("panic: %v", p)
			}
		}()
		s.sim.Done()
	}
	return nil
}

// begin waits for the simulator to be free, or returns the reason why it is not to be used any more; end must follow
// a nil error. The reason is set before a call could have to wait for an abandoned operation.
func (s *Simulation) begin(ctx context.Context) error {
	if err := s.trust.err(); err != nil {
		return err
	}
	return s.acquire(ctx)
}

// acquire is begin, but also for a simulator that is not to be used any more.
func (s *Simulation) acquire(ctx context.Context) error {
	for {
		free := s.tryAcquire()
		if free == nil {
			return nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryAcquire returns nil if the simulator is the caller's now, and otherwise what will be closed when it may be free.
func (s *Simulation) tryAcquire() (free <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		s.used = true
		return nil
	}
	if s.free == nil {
		s.free = make(chan struct{})
	}
	return s.free
}

func (s *Simulation) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = false
	if s.free != nil {
		close(s.free)
		s.free = nil
	}
}
