package chaincodetest

import (
	"fmt"
	"sync"
)

// recent are the transactions that were committed last, for what a failure says of the state.
type recent struct {
	mu  sync.Mutex
	txs []*Tx
}

// keptTransactions is how many there are. Each has its conversation.
const keptTransactions = 100

func (r *recent) note(tx *Tx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.txs) == keptTransactions {
		r.txs[0] = nil
		r.txs = r.txs[1:]
	}
	r.txs = append(r.txs, tx)
}

// forget forgets those that came after a number of transactions.
func (r *recent) forget(after int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.txs) > 0 && r.txs[len(r.txs)-1].number > after {
		r.txs = r.txs[:len(r.txs)-1]
	}
}

// newest returns the last transaction that something holds for, or nil.
func (r *recent) newest(holds func(tx *Tx) bool) *Tx {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.txs) - 1; i >= 0; i-- {
		if holds(r.txs[i]) {
			return r.txs[i]
		}
	}
	return nil
}

// origin says which transaction has written a key last, with all that is known of it. If none has, it says what was committed last.
func (r *recent) origin(channel, chaincode, collection, key string) string {
	here := func(tx *Tx) bool { return tx.call.channel == channel }
	tx := r.newest(func(tx *Tx) bool { return here(tx) && tx.rwset.writes(chaincode, collection, key) })
	what := "it was written last by"
	if tx == nil {
		tx = r.newest(here)
		what = "none of the last transactions has written it; the last one of them is"
	}
	if tx == nil {
		return ""
	}
	return fmt.Sprintf("\n    %s %s\n%s", what, tx.name(), tx.report())
}

// latest says what was committed last, with all that is known of it.
func (c *core) latest() string {
	tx := c.recent.newest(func(*Tx) bool { return true })
	if tx == nil {
		return ""
	}
	return fmt.Sprintf("\n    the last transaction that was committed is %s\n%s", tx.name(), tx.report())
}

// writes reports whether a key is written, or deleted.
func (s *rwset) writes(chaincode, collection, key string) bool {
	if collection == "" {
		return write(s.namespace(chaincode).public, key) != nil
	}
	c := s.collection(chaincode, collection)
	return c != nil && write(c.writes, key) != nil
}
