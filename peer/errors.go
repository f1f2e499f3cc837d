package peer

import (
	"fmt"
	"strings"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// RefusedError says that chaincode has answered with a status of 400 or more. There is nothing to be ordered.
type RefusedError struct {
	// Result is the chaincode's answer.
	Result
	// Peer is the name of the peer on which it ran.
	Peer string
	// RWSet is what it has read and written, a marshalled TxReadWriteSet. It is nil if the status is less than 500, as endorsers
	// don't tell then.
	RWSet []byte
}

// Error has the text of Fabric's gateway (internal/pkg/gateway, apiutils.go).
func (e *RefusedError) Error() string {
	return fmt.Sprintf("chaincode response %d, %s", e.Status, e.Message)
}

// ProposalError says that a peer didn't run a transaction, or not to its end: it refuses the proposal, doesn't have the chaincode, or
// the chaincode broke.
type ProposalError struct {
	// Peer is the peer's name, and TxID the transaction's ID.
	Peer, TxID string
	// Message is the peer's text.
	Message string
	// Cause is the error behind it, or nil if there is only the text.
	Cause error
}

// Error implements error.
func (e *ProposalError) Error() string { return e.Peer + ": " + e.Message }

// Unwrap returns the cause.
func (e *ProposalError) Unwrap() error { return e.Cause }

// MismatchError says that peers have endorsed different results of the same transaction. The chaincode isn't deterministic, or one
// of the peers has committed more blocks than the other.
type MismatchError struct {
	// TxID is the transaction's ID.
	TxID string
	// Peers are the names of the peers. Payloads are what each has endorsed, marshalled ProposalResponsePayloads.
	Peers    []string
	Payloads [][]byte
}

// Error has Fabric's text.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("transaction %s: ProposalResponsePayloads do not match: %s", e.TxID, strings.Join(e.Peers, ", "))
}

// InvalidError says that a transaction is in a block, and not valid. It has changed nothing.
type InvalidError struct {
	// Outcome is what became of it.
	Outcome
}

// Error has the text of Fabric's clients, and the reason.
func (e *InvalidError) Error() string {
	text := fmt.Sprintf("transaction %s failed to commit with status code %d (%s)", e.TxID, int32(e.Code), e.Code)
	if e.Reason != nil {
		text += ": " + e.Reason.Error()
	}
	return text
}

// UnknownError says that a transaction was given to the orderer, and that nobody knows what became of it: the caller's context has
// ended, or peers commit no more blocks. It may still be committed.
type UnknownError struct {
	// TxID is the transaction's ID.
	TxID string
	// Cause is why nobody has waited any longer.
	Cause error
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("transaction %s may be committed or not: %v", e.TxID, e.Cause)
}

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Cause }

// Outcome is what became of a transaction that was ordered.
type Outcome struct {
	// TxID is the transaction's ID.
	TxID string
	// Block is the number of its block, and Position its place in that.
	Block    uint64
	Position int
	// Code says whether it is valid.
	Code kvledger.ValidationCode
	// Reason says more of why it is invalid. Only people should read it. It is nil if it is the ledger that has found it invalid.
	Reason error
}

// Err returns nil for a valid transaction, and otherwise an *InvalidError.
func (o Outcome) Err() error {
	if o.Code == kvledger.Valid {
		return nil
	}
	return &InvalidError{o}
}
