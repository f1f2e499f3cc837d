// Package submit takes a transaction from its call to its commit: it opens a simulator, executes, reads the results, lets go of the
// simulator, and commits. It is for tests of what package peer stands on, and for the program's devnet, which neither endorses nor
// orders. Everybody else takes peer.Network.
package submit

import (
	"context"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Call is a transaction that is to be run.
type Call struct {
	// Chaincode is the chaincode's name.
	Chaincode string
	// ChaincodeID, if not empty, is what runs, and no definition is asked for.
	ChaincodeID string
	// Params are the transaction's. Their Simulation is replaced.
	Params handler.TxParams
	// Input is what the chaincode is called with.
	Input chaincodesupport.Input
	// Timestamp is the transaction's.
	Timestamp time.Time
}

// Committer is a ledger that transactions are simulated on and committed to.
type Committer interface {
	ledger.Ledger
	CommitTx(ctx context.Context, tx kvledger.Transaction) (kvledger.ValidationCode, error)
}

// Simulate runs a transaction on a simulator of l, and returns the chaincode's answer and what there is to be committed, whatever
// the answer's status.
func Simulate(ctx context.Context, cs *chaincodesupport.ChaincodeSupport, l ledger.Ledger, c Call) (*chaincodesupport.Result, kvledger.Transaction, error) {
	var tx kvledger.Transaction
	sim, err := l.NewSimulator(ctx, c.Params.TxID)
	if err != nil {
		return nil, tx, errors.Wrap(err, "open simulator")
	}
	c.Params.Simulation = handler.NewSimulation(sim)
	defer c.Params.Simulation.Done()
	result, err := execute(ctx, cs, c)
	if err != nil {
		return nil, tx, err
	}
	tx, err = kvledger.TransactionOf(ctx, sim, c.Params.TxID, c.Timestamp)
	return result, tx, errors.Wrap(err, "read results")
}

func execute(ctx context.Context, cs *chaincodesupport.ChaincodeSupport, c Call) (*chaincodesupport.Result, error) {
	if c.ChaincodeID == "" {
		return cs.Execute(ctx, c.Chaincode, c.Params, c.Input)
	}
	if c.Params.Namespace == "" {
		c.Params.Namespace = c.Chaincode
	}
	return cs.ExecuteID(ctx, c.ChaincodeID, c.Params, c.Input)
}

// Submit is Simulate, and commits what a chaincode has done that has not refused. The code is that of a transaction that was
// committed.
func Submit(ctx context.Context, cs *chaincodesupport.ChaincodeSupport, l Committer, c Call) (*chaincodesupport.Result, kvledger.ValidationCode, error) {
	result, tx, err := Simulate(ctx, cs, l, c)
	if err != nil || result.Err() != nil {
		return result, 0, err
	}
	code, err := l.CommitTx(ctx, tx)
	return result, code, errors.Wrapf(err, "commit transaction %s", c.Params.TxID)
}
