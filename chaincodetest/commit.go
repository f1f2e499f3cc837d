package chaincodetest

import (
	"slices"
	"sync"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Commit commits transactions that were simulated, in this order, as one block. Each may be invalid, because one before it has
// changed what it has read: Tx.Code says so, and OK fails.
//
//	tx1, tx2 := alice.Simulate("basic", "Take", "a1"), bob.Simulate("basic", "Take", "a1")
//	net.Commit(tx1, tx2)
//	tx1.OK()
//	tx2.Fails("MVCC_READ_CONFLICT")
func (n *Net) Commit(txs ...*Tx) {
	n.t.Helper()
	for i, tx := range txs {
		switch {
		case tx.net.core != n.core || tx.call.channel != n.channel:
			misused(n, tx, "is of another network or channel")
		case tx.verb == "evaluated":
			misused(n, tx, "was only evaluated: use Simulate")
		case slices.Contains(txs[:i], tx):
			misused(n, tx, "is there twice")
		case tx.committed:
			misused(n, tx, "is committed already")
		case tx.failure() != "":
			tx.asked.Store(true)
			tx.fail("it can't be committed, because it failed: " + tx.failure())
		}
	}
	n.commit(txs...)
}

// misused fails the test because a transaction can't be committed.
func misused(n *Net, tx *Tx, why string) {
	n.t.Helper()
	n.fatal("Commit: %s %s\n%s", tx.name(), why, tx.report())
}

// Block is a block that is being made: see Net.Block.
type Block struct {
	net *Net

	mu   sync.Mutex
	txs  []*Tx
	over bool
}

// Block calls f, and then commits what f has submitted to the block, as one block. All of it runs on the state that is there before, so
// transactions may conflict, and the first one wins. What they say of their commit is there when Block has returned:
//
//	var toBob, toCarol *chaincodetest.Tx
//	net.Block(func(b *chaincodetest.Block) {
//		toBob = b.Submit(alice, "basic", "Transfer", "a1", "bob")
//		toCarol = b.Submit(alice, "basic", "Transfer", "a1", "carol")
//	})
//	toBob.OK()
//	toCarol.Fails("MVCC_READ_CONFLICT")
func (n *Net) Block(f func(b *Block)) {
	n.t.Helper()
	b := &Block{net: n}
	f(b)
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	var good []*Tx
	for _, tx := range b.txs {
		tx.verb = "submitted"
		if tx.failure() == "" {
			good = append(good, tx)
		}
	}
	if len(good) > 0 {
		n.commit(good...)
	}
}

// Submit runs a function of a chaincode as a client, as Client.Submit does. What has succeeded is committed with the rest of the block,
// in the order of the calls. It is safe for concurrent use, until Block's function returns.
func (b *Block) Submit(as *Client, chaincode, function string, args ...any) *Tx {
	b.net.t.Helper()
	tx := as.In(b.net).simulate("simulated", chaincode, function, args)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		b.net.fatal("%s was submitted to a block that is committed already", tx.name())
	}
	b.txs = append(b.txs, tx)
	return tx
}

// commit commits transactions that have succeeded so far.
func (n *Net) commit(txs ...*Tx) {
	n.t.Helper()
	block := make([]outcome, len(txs))
	for i, tx := range txs {
		block[i] = tx.outcome
	}
	codes, err := n.order(n.channel, block)
	if err != nil {
		for _, tx := range txs {
			tx.lost = err
			tx.asked.Store(false)
			n.noteLost(tx)
			n.noteUnasked(tx)
		}
		return
	}
	for i, tx := range txs {
		tx.committed, tx.code = true, codes[i]
		if tx.code == kvledger.Valid {
			n.recent.note(tx)
		} else {
			tx.asked.Store(false) // what was asked before is how the simulation ended
			n.noteUnasked(tx)
		}
	}
}

// order has a block committed. An error may be that it is late: then nobody knows what becomes of it.
func (c *core) order(channel string, block []outcome) ([]kvledger.ValidationCode, error) {
	c.turn.RLock()
	defer c.turn.RUnlock()
	within, leave := c.faults.await()
	defer leave()
	return c.backend.commit(within, channel, block)
}
