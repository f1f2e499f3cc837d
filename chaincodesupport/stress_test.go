package chaincodesupport_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/shim"
)

// increment adds one to the number under the key that it is given.
func increment(s stub) *shim.Response {
	key := s.GetStringArgs()[0]
	value, err := s.GetState(key)
	if err != nil {
		return shim.Error(err.Error())
	}
	n, _ := strconv.Atoi(string(value)) // 0 at first
	if err := s.PutState(key, []byte(strconv.Itoa(n+1))); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// Callers increment shared counters. What was committed as valid is counted, once, and nothing else is.
func TestConcurrentCallers(t *testing.T) {
	const callers, each, counters = 64, 20, 8
	n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"counter": increment})
	var valid [counters]atomic.Int64
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				counter := (caller + i) % counters
				code, err := n.submit(t.Context(), fmt.Sprintf("%d-%d", caller, i), strconv.Itoa(counter))
				switch {
				case err != nil:
					t.Error(err)
				case code == kvledger.Valid:
					valid[counter].Add(1)
				case code != kvledger.MVCCReadConflict:
					t.Errorf("code %s", code)
				}
			}
		})
	}
	wg.Wait()
	sim := n.simulate("read")
	for i := range counters {
		got, err := sim.Simulator().GetState(t.Context(), "counter", strconv.Itoa(i))
		if want := strconv.FormatInt(valid[i].Load(), 10); err != nil || string(got) != want {
			t.Errorf("counter %d is %q, %v; %s transactions were valid", i, got, err, want)
		}
	}
}

// submit executes a transaction of the chaincode counter and commits it. A peer's own parts are tested over those that this package
// has, so nothing of package peer is used here.
func (n *network) submit(ctx context.Context, txID, key string) (kvledger.ValidationCode, error) {
	sim, err := n.watched["ch1"].NewSimulator(ctx, txID)
	if err != nil {
		return 0, err
	}
	p := handler.TxParams{ChannelID: "ch1", TxID: txID, Simulation: handler.NewSimulation(sim)}
	defer p.Simulation.Done()
	r, err := n.Execute(ctx, "counter", p, input(key))
	if err != nil || r.Status != shim.OK {
		return 0, fmt.Errorf("execute %s: %v, %w", txID, r, err)
	}
	tx, err := kvledger.TransactionOf(ctx, sim, txID, time.Time{})
	if err != nil {
		return 0, err
	}
	return n.ledgers["ch1"].CommitTx(ctx, tx)
}
