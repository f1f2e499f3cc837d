package handler

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// Simulation wraps a simulator that several parties may use: the transaction it was made for, and the chaincodes that this
// transaction calls.
//
// The hard part is the end. Execute may give up while an operation of the ledger still runs, and nothing can stop that
// operation. A simulator must not be released under it. So each user announces itself, and the last one to leave releases
// the simulator. Only one operation runs at a time, even when one has outlived its Execute. Once an operation was abandoned
// or has panicked, nobody can tell what was read and written. Then the trust in the simulator is lost, and every transaction
// that shares it fails.
//
// Because of this, if you make a simulator you can always write
//
//	defer simulation.Done()
//
// even if Execute gives up waiting for an operation.
type Simulation struct {
	sim   ledger.Simulator
	trust trust // whether what was read and written can be believed

	mu    sync.Mutex // protects the fields below
	holds int        // how many users there are, which may still call sim
	done  bool       // Done was called
	// used says that a call runs in sim. Together with free it is a lock that can be waited for with a context. The first
	// caller that has to wait makes free, and end closes it.
	used bool
	free chan struct{}
	// charged is how many bytes the simulator keeps of what was read and written. All but a few of them are taken, and
	// charges says from whose accounts.
	charged int
	taken   int
	charges []lease
}

// NewSimulation returns a Simulation over sim. Use sim only through it until Execute has returned without an error.
func NewSimulation(sim ledger.Simulator) *Simulation { return &Simulation{sim: sim} }

// Simulator returns the simulator. Use it to read the results after Execute has returned without an error.
func (s *Simulation) Simulator() ledger.Simulator { return s.sim }

// Done releases the simulator: at once, or when the last operation on it has returned. It never waits for an operation, and
// may be called more than once.
func (s *Simulation) Done() {
	s.mu.Lock()
	last := !s.done && s.holds == 0
	s.done = true
	s.mu.Unlock()
	if last {
		s.finish()
	}
}

// Do calls f with the simulator when no other operation on it is running. A peer uses it to read and write a transaction's
// state itself, beside what the chaincode does. ctx limits the waiting, not f. f must not use this Simulation again, by Do
// or by Execute: it would wait for itself. If f panics, the panic goes to the caller, and the simulator can't be used any
// more.
func (s *Simulation) Do(ctx context.Context, f func(ledger.Simulator) error) (err error) {
	if err := s.hold(); err != nil {
		return err
	}
	defer func() {
		if s.release() != nil && err == nil { // the simulator's Done has panicked; the value is for logs only
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

// hold announces a user of the simulator, who must call release later.
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
		s.finish()
	}
	return nil
}

// begin waits until the simulator is free. It returns an error if the simulator must not be used any more; after a nil error
// the caller must call end. The trust is lost before a caller could have to wait for an abandoned operation, so nobody waits
// for one here.
func (s *Simulation) begin(ctx context.Context) error {
	if err := s.trust.err(); err != nil {
		return err
	}
	return s.acquire(ctx)
}

// acquire waits until the simulator is free, even if the simulator must not be used any more. That is needed to close
// iterators.
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

// tryAcquire returns nil if the simulator is the caller's now. Otherwise it returns a channel that is closed when the
// simulator may be free.
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
