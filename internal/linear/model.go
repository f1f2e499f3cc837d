package linear

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Few keys make for many conflicts.
const (
	accounts = 3
	marks    = 4
)

// Kind says what a transaction does.
type Kind string

const (
	// Read reads the accounts A and B.
	Read Kind = "read"
	// Transfer reads both, and moves N from A to B if A has it.
	Transfer Kind = "transfer"
	// Set sets the account A to N, without reading it.
	Set Kind = "set"
	// Count reads the range of all marks.
	Count Kind = "count"
	// Toggle reads it too, and deletes the mark A if it is there, or else makes it.
	Toggle Kind = "toggle"
)

// Tx is a transaction.
type Tx struct {
	Kind    Kind
	A, B, N int
}

// String is what a visualisation shows.
func (tx Tx) String() string { return fmt.Sprintf("%s(%d, %d, %d)", tx.Kind, tx.A, tx.B, tx.N) }

// step is what a client does: it simulates, and then perhaps commits.
type step struct {
	tx     Tx
	commit bool
}

// outcome is what a client gets. A commit has the code, and what was seen before by the simulation.
type outcome struct {
	seen string
	code kvledger.ValidationCode
}

// state is the state of a ledger. It is comparable.
type state struct {
	balances [accounts]int
	marks    [marks]bool
}

// see returns what a transaction sees of the state, as look would.
func (s state) see(tx Tx) string {
	switch tx.Kind {
	case Read, Transfer:
		return fmt.Sprint(s.balances[tx.A], s.balances[tx.B])
	case Count, Toggle:
		var there []string
		for n, is := range s.marks {
			if is {
				there = append(there, markKey(n))
			}
		}
		return strings.Join(there, " ")
	}
	return ""
}

// after returns the state that a valid transaction leads to.
func (s state) after(tx Tx) state {
	switch tx.Kind {
	case Transfer:
		if s.balances[tx.A] >= tx.N {
			s.balances[tx.A] -= tx.N
			s.balances[tx.B] += tx.N
		}
	case Set:
		s.balances[tx.A] = tx.N
	case Toggle:
		s.marks[tx.A] = !s.marks[tx.A]
	}
	return s
}

// model is a ledger as porcupine wants it.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(before, input, output any) (bool, any) {
		s, in, out := before.(state), input.(step), output.(outcome)
		if in.commit && out.code != kvledger.Valid {
			return true, s
		}
		if s.see(in.tx) != out.seen {
			return false, s
		}
		if in.commit {
			s = s.after(in.tx)
		}
		return true, s
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(step), output.(outcome)
		if in.commit {
			return fmt.Sprintf("commit %v, which has seen %q: %v", in.tx, out.seen, out.code)
		}
		return fmt.Sprintf("simulate %v: %q", in.tx, out.seen)
	},
	DescribeState: func(s any) string { return fmt.Sprintf("%+v", s) },
}

// Check says whether a history is linearizable, and returns what porcupine can show of it. It gives up after the timeout.
func Check(history []porcupine.Operation, timeout time.Duration) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	return porcupine.CheckOperationsVerbose(model, history, timeout)
}

// Visualize writes a page that shows a history, and where it is not linearizable.
func Visualize(info porcupine.LinearizationInfo, path string) error {
	return porcupine.VisualizePath(model, info, path)
}

// Codes counts the codes of a history's commits.
func Codes(history []porcupine.Operation) map[kvledger.ValidationCode]int {
	counts := map[kvledger.ValidationCode]int{}
	for _, op := range history {
		if op.Input.(step).commit {
			counts[op.Output.(outcome).code]++
		}
	}
	return counts
}
