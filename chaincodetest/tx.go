package chaincodetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/shim"
)

// Tx is a transaction that has run. Its methods say what the test expects of it. Each fails the test if it isn't so, and returns
// the transaction, so that they can be chained:
//
//	alice.Submit("basic", "Transfer", "a1", "bob").OK().Writes("a1", want).Event("Transferred", want)
type Tx struct {
	// ID is the transaction's ID.
	ID string

	net                 *Net
	client              *Client
	verb                string // submitted, simulated or evaluated
	number              int
	chaincode, function string
	call                call

	outcome      outcome
	conversation *conversation
	rwset        *rwset
	divergence   []string // in what a second run differed
	committed    bool     // it is in a block
	lost         error    // why nobody knows whether it is
	code         kvledger.ValidationCode
	asked        atomic.Bool // the test has looked how it ended
}

// run runs the transaction.
func (tx *Tx) run(ctx context.Context) {
	tx.outcome, tx.conversation = tx.once(ctx, tx.net.backend.simulate, &conversation{})
	tx.decode()
}

// decode decodes what was read and written.
func (tx *Tx) decode() {
	if tx.outcome.err != nil {
		return
	}
	set, err := decodeRWSet(tx.outcome)
	if err != nil {
		tx.outcome = outcome{err: err}
		return
	}
	tx.rwset = set
}

// once has somebody run the transaction, who is told when its time is up, and returns what came of it. What is said goes into c.
func (tx *Tx) once(ctx context.Context, how func(context.Context, call) outcome, c *conversation) (outcome, *conversation) {
	within := newExpiring(ctx)
	defer within.expire()
	if left := timeLeft(tx.net.t); left < forEver {
		defer time.AfterFunc(left, within.expire).Stop()
	}
	tx.net.notes.begin(tx.ID, c, within.expire)
	defer tx.net.notes.end(tx.ID)
	return how(within, tx.call), c
}

// verdict says that the transaction went in a way that no test can want, or nothing.
func (tx *Tx) verdict() string {
	if fall := tx.conversation.fallen(); fall != nil {
		return fmt.Sprintf("%s: %s\n\n%s", tx.name(), fall.Text(), indent(shortStack(fall.Stack)))
	}
	if len(tx.divergence) > 0 {
		how := "It has run several times on the same state"
		if len(tx.outcome.differ) > 0 {
			how = "Peers have run it on the same state"
		}
		return fmt.Sprintf("%s isn't deterministic. %s, and did different things:\n%s\n%s", tx.name(), how, indent(tx.divergence), advice)
	}
	return ""
}

// settle fails the test if the transaction went in a way that no test can want. If it failed otherwise, the test has to ask.
func (tx *Tx) settle() {
	n := tx.net
	n.t.Helper()
	if text := tx.verdict(); text != "" {
		n.t.Fatalf("%s\n%s", text, tx.report())
	}
	if n.settings.costs != "" {
		n.costs.note(tx)
	}
	if tx.failure() != "" {
		n.noteUnasked(tx)
	}
}

// name is a transaction as one would call it: its function, who called it, and its number.
func (tx *Tx) name() string {
	return fmt.Sprintf("%s.%s by %s (transaction %d)", tx.chaincode, tx.function, tx.client.name, tx.number)
}

// failure says why the transaction has failed, or nothing if it hasn't.
func (tx *Tx) failure() string {
	switch {
	case tx.outcome.err != nil:
		return tx.outcome.err.Error()
	case tx.outcome.status >= shim.ERRORTHRESHOLD:
		return fmt.Sprintf("status %d: %s", tx.outcome.status, tx.outcome.message)
	case tx.committed && tx.code != kvledger.Valid:
		return "it was committed as invalid: " + tx.code.String()
	case tx.lost != nil:
		return tx.lost.Error()
	}
	return ""
}

// message is the text by which the transaction has failed, without a status.
func (tx *Tx) message() string {
	switch {
	case tx.outcome.err != nil:
		return tx.outcome.err.Error()
	case tx.outcome.status >= shim.ERRORTHRESHOLD:
		return tx.outcome.message
	case tx.committed && tx.code != kvledger.Valid:
		return tx.code.String()
	case tx.lost != nil:
		return tx.lost.Error()
	}
	return ""
}

// Err returns nil if the transaction succeeded, and else an error that says why it did not. It is for tests that decide by
// themselves.
func (tx *Tx) Err() error {
	tx.asked.Store(true)
	if tx.failure() == "" {
		return nil
	}
	return &Failure{Tx: tx, Text: tx.message()}
}

// Failure is how a transaction failed: the error that Tx.Err returns.
type Failure struct {
	Tx *Tx
	// Text is what the chaincode has said, or else the peer.
	Text string
}

// Error is Text.
func (f *Failure) Error() string { return f.Text }

// Payload returns what the chaincode has returned. The caller must not modify it.
func (tx *Tx) Payload() []byte { return tx.outcome.payload }

// String returns all that is known of the transaction: t.Log(tx) shows it.
func (tx *Tx) String() string { return tx.name() + "\n" + tx.report() }
