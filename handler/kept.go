package handler

import (
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// The accounts of Limits.MaxBytes. What a chaincode has sent and what waits to be sent have a quarter each, and wait for
// room: package budget. The rest is for what transactions keep.
func (l *Limits) waitingBytes() int { return max(l.MaxBytes/4, 1) }
func (l *Limits) keptBytes() int    { return l.MaxBytes - 2*l.waitingBytes() }

const (
	// freeBytes is how much a transaction may read and write, its iterators may keep together, and its call may keep, without
	// an account. So the many small ones cost no more than a comparison.
	freeBytes = 16 << 10
	// noteBytes is what a ledger is taken to need for one key that was read or written, beside the key and the value.
	noteBytes = 64
	// iteratorBytes is what a ledger is taken to need for an iterator until the transaction ends, beside the bounds.
	iteratorBytes = 512
	// queryFactor is how many bytes a ledger is taken to need for each byte of a rich query, while its iterator is open.
	// kvledger needs up to 25 for long lists of conditions or values. It may need more for objects of one short value.
	queryFactor = 24
	// maxParsed is the most that is counted for a query's text. A ledger says best itself that a text is too long for it.
	maxParsed = queryFactor * 8 << 20
)

// account is how many bytes the peer keeps for one chaincode until a transaction or a part of it ends: what is written and
// read, what iterators have read ahead, and what calls are made with.
//
// Nobody ever waits for room in it. Who keeps something and waits for room to keep more may wait for somebody who does the
// same. So a request that finds no room is refused, and the chaincode is told.
type account struct {
	limit int

	mu   sync.Mutex // protects used
	used int
}

// take takes n bytes for an owner that has own bytes already, or returns an error that says for what there is no room. One
// thing of any size is kept while nobody else keeps anything, as one message of any size may wait. An owner who keeps more
// than the limit already may keep no more.
func (a *account) take(what string, n, own int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if alone := a.used == own && own <= a.limit; !alone && n > a.limit-a.used {
		return errors.Errorf("%s of %d bytes: the peer keeps %d bytes for the transactions of this chaincode already, and the limit is %d; "+
			"end transactions, or close iterators, and try again", what, n, a.used, a.limit)
	}
	a.used += n
	return nil
}

// give gives n bytes back.
func (a *account) give(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= n
}

// total is how many bytes are taken.
func (a *account) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// lease is what one thing has taken of an account. It changes as the thing grows and shrinks. Its owner alone uses it.
type lease struct {
	from  *account
	bytes int
}

// resize makes the lease as large as what it stands for, which is n bytes now. A small one takes nothing.
func (l *lease) resize(what string, n int) error {
	if n <= freeBytes {
		n = 0
	}
	switch {
	case n > l.bytes:
		if err := l.from.take(what, n-l.bytes, l.bytes); err != nil {
			return err
		}
	case n < l.bytes:
		l.from.give(l.bytes - n)
	}
	l.bytes = n
	return nil
}

// end gives back what is taken.
func (l *lease) end() { _ = l.resize("", 0) }

// charge counts n bytes that the simulator is about to keep for a chaincode's transaction. It returns an error if the
// transaction has more than it may have, or the chaincode has.
//
// What was charged is given back when the simulator has been released, because the simulator keeps it until then. A
// simulator forgets a value that is overwritten. It counts all the same: the handler does not know which one it is.
func (s *Simulation) charge(a *account, limit, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.charged + n
	if all > limit {
		return errors.Errorf("%d bytes more would make %d bytes that the transaction has read and written, the limit is %d", n, all, limit)
	}
	if small := all - s.taken; small > freeBytes {
		taken := s.chargeOf(a)
		if err := a.take("a transaction's reads and writes", small, taken.bytes); err != nil {
			return err
		}
		taken.bytes += small
		s.taken = all
	}
	s.charged = all
	return nil
}

// chargeNoted counts n bytes that the simulator keeps already, whether or not there is room for them. It returns an error
// like charge.
func (s *Simulation) chargeNoted(a *account, limit, n int) error {
	err := s.charge(a, limit, n)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.give(-n) // taken, without asking for room
	s.chargeOf(a).bytes += n
	s.charged += n
	s.taken += n
	return err
}

// chargedBytes is how many bytes were charged.
func (s *Simulation) chargedBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.charged
}

// chargeOf is what was charged to an account. mu is held.
func (s *Simulation) chargeOf(a *account) *lease {
	for i := range s.charges {
		if s.charges[i].from == a {
			return &s.charges[i]
		}
	}
	s.charges = append(s.charges, lease{from: a})
	return &s.charges[len(s.charges)-1]
}

// finish releases the simulator, and gives back what was charged.
func (s *Simulation) finish() {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.charges {
			c.from.give(c.bytes)
		}
		s.charges = nil
	}()
	s.sim.Done()
}

// charge counts what the transaction's simulator is about to keep: keys and values of n bytes in all.
func (w *worker) charge(n int) error {
	return w.tx.Simulation.charge(w.kept, w.cfg.MaxTransactionBytes, n)
}

// charger counts what the ledger says that the request costs which a worker serves.
type charger struct{ *worker }

var _ ledger.Charger = charger{}

// Charge implements ledger.Charger.
func (c charger) Charge(n int) error {
	if n < 0 {
		return errors.Errorf("the ledger counts %d bytes, which is a fault of it", n)
	}
	return c.charge(n)
}

// chargeNoted counts the key of a record that the ledger has noted.
func (q *query) chargeNoted(key string) error {
	w := q.worker
	return w.tx.Simulation.chargeNoted(w.kept, w.cfg.MaxTransactionBytes, len(key))
}

// note counts a key that is about to be read. The public state is collection "".
func (w *worker) note(collection, key string) error {
	return w.charge(len(collection) + len(key) + noteBytes)
}

// bytes is what a simulator keeps of a write.
func (c *stateWrite) bytes() int {
	n := noteBytes + len(c.collection) + len(c.key) + len(c.value)
	if c.metadata != nil {
		n += len(c.metadata.Metakey) + len(c.metadata.Value)
	}
	return n
}
