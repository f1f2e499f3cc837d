package handler_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/golden"
)

// The diagram of a stream's states is the one of the table; -update writes it.
func TestStateDiagram(t *testing.T) {
	golden.Block(t, "../docs/architecture.md", "state diagram", handler.StateDiagram())
}

// So is that of a transaction's life.
func TestTransactionDiagram(t *testing.T) {
	golden.Block(t, "../docs/architecture.md", "transaction diagram", handler.TransactionDiagram())
}
