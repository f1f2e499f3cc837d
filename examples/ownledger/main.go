// Command ownledger is a peer with a ledger of its own, a map, and runs a chaincode on it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ownledger:", err)
		os.Exit(1)
	}
}

// peer is a ledger, and chaincode that runs on it.
type peer struct {
	ledger  *Ledger
	support *chaincodesupport.ChaincodeSupport
	out     io.Writer
}

func run(ctx context.Context, out io.Writer) (err error) {
	rt := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, accounts{})
	})
	support, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(rt)})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := support.Close(ctx); err == nil {
			err = closeErr
		}
	}()
	p := &peer{ledger: NewLedger(), support: support, out: out}
	for _, txs := range [][]transaction{
		{{"tx1", []string{"Open", "ann", "100"}}},
		{{"tx2", []string{"Open", "bob", "20"}}},
		{{"tx3", []string{"Pay", "ann", "bob", "30"}}},
		{{"tx4", []string{"Pay", "bob", "ann", "500"}}},
		// Both are simulated before either is committed: the second one to be committed has read what has changed.
		{{"tx5", []string{"Pay", "ann", "bob", "70"}}, {"tx6", []string{"Pay", "ann", "bob", "60"}}},
		{{"tx7", []string{"List"}}},
		{{"tx8", []string{"History", "ann"}}},
	} {
		if err := p.block(ctx, txs); err != nil {
			return err
		}
	}
	return nil
}

// transaction is a call of the chaincode.
type transaction struct {
	txID string
	args []string
}

// block simulates transactions on the same state, and then commits them one after the other.
func (p *peer) block(ctx context.Context, txs []transaction) error {
	var commits []func()
	for _, tx := range txs {
		commit, err := p.simulate(ctx, tx)
		if err != nil {
			return err
		}
		commits = append(commits, commit)
	}
	for _, commit := range commits {
		commit()
	}
	return nil
}

// simulate runs a transaction, and returns what commits it.
func (p *peer) simulate(ctx context.Context, tx transaction) (commit func(), err error) {
	sim, err := p.ledger.NewSimulator(ctx, tx.txID)
	if err != nil {
		return nil, err
	}
	simulation := handler.NewSimulation(sim)
	defer simulation.Done()
	var input chaincodesupport.Input
	for _, a := range tx.args {
		input.Args = append(input.Args, []byte(a))
	}
	r, err := p.support.Execute(ctx, "accounts:1.0",
		handler.TxParams{ChannelID: "mychannel", TxID: tx.txID, Simulation: simulation}, input)
	if err != nil {
		return nil, err
	}
	return func() {
		end := "not committed, as the chaincode refuses it"
		if r.Status < shim.ERRORTHRESHOLD {
			end = "not committed, as what it has read has changed"
			if p.ledger.Commit(sim, tx.txID, time.Now()) {
				end = "committed"
			}
		}
		_, _ = fmt.Fprintf(p.out, "%s %q: %d %q, %s\n", tx.txID, tx.args, r.Status, r.Message+string(r.Payload), end)
	}, nil
}
