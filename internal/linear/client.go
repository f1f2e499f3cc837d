package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const namespace = "bank"

func accountKey(n int) string { return fmt.Sprint("account", n) }
func markKey(n int) string    { return fmt.Sprint("mark", n) }

// Load says what clients do.
type Load struct {
	// Ledgers are of one channel, which is empty; the clients use them in turn. At least one is required.
	Ledgers []*kvledger.Ledger
	// Clients is how many there are, and Transactions how many each of them simulates.
	Clients, Transactions int
	// Seed is what they choose by.
	Seed uint64
}

// Run has the clients do it, and returns what they have seen. No call may fail.
func (load Load) Run(ctx context.Context) ([]porcupine.Operation, error) {
	var clock atomic.Int64
	clients, errs := make([]*client, load.Clients), make([]error, load.Clients)
	var wg sync.WaitGroup
	for n := range clients {
		clients[n] = &client{
			id: n, ledger: load.Ledgers[n%len(load.Ledgers)], clock: &clock,
			random: rand.New(rand.NewPCG(load.Seed, uint64(n))),
		}
		wg.Go(func() { errs[n] = clients[n].run(ctx, load.Transactions) })
	}
	wg.Wait()
	var history []porcupine.Operation
	for n, c := range clients {
		if errs[n] != nil {
			return nil, errors.Wrapf(errs[n], "client %d", n)
		}
		history = append(history, c.history...)
	}
	return history, nil
}

// client does one thing after the other.
type client struct {
	id      int
	ledger  *kvledger.Ledger
	clock   *atomic.Int64 // of all clients: it ticks at each call and return
	random  *rand.Rand
	history []porcupine.Operation
}

func (c *client) run(ctx context.Context, transactions int) error {
	for n := range transactions {
		tx := c.choose()
		txID := fmt.Sprintf("%d.%d", c.id, n)
		called := c.clock.Add(1)
		seen, results, err := simulate(ctx, c.ledger, txID, tx)
		if err != nil {
			return errors.Wrapf(err, "simulate %v", tx)
		}
		c.note(called, step{tx: tx}, outcome{seen: seen})
		if (tx.Kind == Read || tx.Kind == Count) && c.random.IntN(2) == 0 {
			continue
		}
		runtime.Gosched() // so that others commit in between, on any machine
		called = c.clock.Add(1)
		code, err := c.ledger.CommitTx(ctx, kvledger.Transaction{TxID: txID, RWSet: results.RWSet})
		if err != nil {
			return errors.Wrapf(err, "commit %v", tx)
		}
		c.note(called, step{tx, true}, outcome{seen, code})
	}
	return nil
}

func (c *client) choose() Tx {
	kinds := []Kind{Read, Transfer, Transfer, Set, Count, Toggle}
	tx := Tx{Kind: kinds[c.random.IntN(len(kinds))], A: c.random.IntN(accounts), N: 1 + c.random.IntN(50)}
	tx.B = (tx.A + 1 + c.random.IntN(accounts-1)) % accounts
	switch tx.Kind {
	case Toggle:
		tx.A = c.random.IntN(marks)
	case Set:
		tx.N += 50
	}
	return tx
}

// note notes what has returned just now.
func (c *client) note(called int64, in step, out outcome) {
	c.history = append(c.history, porcupine.Operation{
		ClientId: c.id, Input: in, Call: called, Output: out, Return: c.clock.Add(1),
	})
}

// simulate returns what a transaction sees.
func simulate(ctx context.Context, l *kvledger.Ledger, txID string, tx Tx) (string, *kvledger.Results, error) {
	sim, err := l.NewSimulator(ctx, txID)
	if err != nil {
		return "", nil, err
	}
	defer sim.Done()
	var seen string
	switch tx.Kind {
	case Read:
		_, seen, err = balances(ctx, sim, tx)
	case Transfer:
		seen, err = transfer(ctx, sim, tx)
	case Set:
		err = setBalance(ctx, sim, tx.A, tx.N)
	case Count:
		seen, err = count(ctx, sim)
	case Toggle:
		seen, err = toggle(ctx, sim, tx)
	}
	if err != nil {
		return "", nil, err
	}
	results, err := kvledger.ResultsOf(ctx, sim)
	return seen, results, err
}

func balances(ctx context.Context, sim ledger.Simulator, tx Tx) (both [2]int, seen string, err error) {
	for i, n := range []int{tx.A, tx.B} {
		value, err := sim.GetState(ctx, namespace, accountKey(n))
		if err != nil {
			return both, "", err
		}
		if both[i], err = strconv.Atoi("0" + string(value)); err != nil {
			return both, "", err
		}
	}
	return both, fmt.Sprint(both[0], both[1]), nil
}

func transfer(ctx context.Context, sim ledger.Simulator, tx Tx) (string, error) {
	both, seen, err := balances(ctx, sim, tx)
	if err != nil || both[0] < tx.N {
		return seen, err
	}
	if err := setBalance(ctx, sim, tx.A, both[0]-tx.N); err != nil {
		return "", err
	}
	return seen, setBalance(ctx, sim, tx.B, both[1]+tx.N)
}

func setBalance(ctx context.Context, sim ledger.Simulator, account, balance int) error {
	return sim.SetState(ctx, namespace, accountKey(account), []byte(strconv.Itoa(balance)))
}

func count(ctx context.Context, sim ledger.Simulator) (string, error) {
	it, err := sim.GetStateRange(ctx, namespace, ledger.Range{Start: "mark", End: "n"})
	if err != nil {
		return "", err
	}
	defer it.Close()
	var there []string
	for {
		kv, err := it.Next(ctx)
		if err != nil {
			return "", err
		}
		if kv == nil {
			return strings.Join(there, " "), nil
		}
		there = append(there, kv.Key)
	}
}

func toggle(ctx context.Context, sim ledger.Simulator, tx Tx) (string, error) {
	seen, err := count(ctx, sim)
	if err != nil {
		return "", err
	}
	if strings.Contains(seen, markKey(tx.A)) {
		return seen, sim.DeleteState(ctx, namespace, markKey(tx.A))
	}
	return seen, sim.SetState(ctx, namespace, markKey(tx.A), []byte("1"))
}
