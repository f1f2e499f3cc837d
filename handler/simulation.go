package handler

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// Simulation is a simulator that may be in use: by the transaction it was made for, and by the chaincodes that this
// transaction calls. Its Done waits behind the last operation that still runs, so that whoever made the simulator
// can always
//
//	defer simulation.Done()
//
// also when Execute gave up waiting for an operation.
type Simulation struct {
	sim ledger.Simulator

	// use has room for the call that runs in sim, and so makes sure that there is one at a time: a callee's operation
	// may outlive the callee's Execute. Unlike a mutex it can be waited for with a context, and in synctest bubbles.
	use chan struct{}

	mu     sync.Mutex // protects what follows
	holds  int        // transactions that may still use sim
	done   bool       // Done was called
	broken error      // why what was read and written can't be trusted
}

// NewSimulation returns a Simulation over sim, which from then on is used through it alone until Execute has
// returned without an error.
func NewSimulation(sim ledger.Simulator) *Simulation {
	return &Simulation{sim: sim, use: make(chan struct{}, 1)}
}

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
		defer recoverTo(&err)
		s.sim.Done()
	}
	return nil
}

// begin waits for the simulator to be free, or returns the reason why it is not to be used any more; end must follow
// a nil error. The reason is set before a call could have to wait for an abandoned operation.
func (s *Simulation) begin(ctx context.Context) error {
	if err := s.err(); err != nil {
		return err
	}
	select {
	case s.use <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Simulation) end() { <-s.use }

// poison makes every later use fail, and every transaction that used the simulator.
func (s *Simulation) poison(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = &poisonedError{cause: cause}
	}
}

func (s *Simulation) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}
