package handler

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/ccpeer/ccpeer/internal/limit"
)

// StateDiagram is what the README's diagram must be.
func StateDiagram() string { return stateDiagram(rows) }

// TransactionDiagram is what the diagram of a transaction's life in docs/architecture.md must be.
func TransactionDiagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> " + queued.String() + "\n")
	for _, t := range txTable {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", t.from, t.to, t.event)
	}
	b.WriteString("    " + closed.String() + " --> [*]\n")
	return b.String()
}

// TransactionStates and TransactionEvents are how many there are.
const (
	TransactionStates = int(txStates)
	TransactionEvents = int(txEvents)
)

// Transition makes an event happen to a transaction in a state. It returns the names of both and of the state that follows, whether
// the event is legal, and by how much the count of what was left behind changes.
func Transition(state, event int) (from, what, to string, legal bool, left int64) {
	var count atomic.Int64
	tx := &transactionContext{state: txState(state), left: &count}                                  //nolint:gosec // less than txStates
	_, legal = tx.fire(txEvent(event))                                                              //nolint:gosec // less than txEvents
	return txState(state).String(), txEvent(event).String(), tx.state.String(), legal, count.Load() //nolint:gosec // as above
}

// TableRow is what the table says of a message: who may send it, and the name of its payload's type.
type TableRow struct{ Type, From, Payload string }

// TableRows are the rows of the table.
func TableRows() []TableRow {
	var all []TableRow
	for _, r := range rows {
		from := map[Direction]string{Received: "chaincode", Sent: "peer", eitherWay: "either"}[r.way]
		row := TableRow{Type: r.typ.String(), From: from}
		if m := NewPayload(r.typ); m != nil {
			row.Payload = string(m.ProtoReflect().Descriptor().Name())
		}
		all = append(all, row)
	}
	return all
}

// LimitRows are the names and defaults of all limits.
func LimitRows() []limit.Row { return new(Limits).table() }

// Watched says whether a timer runs for the handler's sending.
func (h *Handler) Watched() bool { return h.sender.watch.armed.Load() }

// stateDiagram draws the rows as a Mermaid state diagram: an arrow for each change of state, and for each state the
// messages that leave it as it is, by who sends them.
func stateDiagram(rows []row) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> " + string(Created) + "\n")
	for _, r := range rows {
		for _, s := range r.in {
			if r.to != "" {
				fmt.Fprintf(&b, "    %s --> %s: %s %s\n", s, r.to, r.typ, r.way.arrow())
			}
		}
	}
	for _, s := range []State{Created, Established, Ready} {
		fmt.Fprintf(&b, "    %s --> %s: stream ends\n", s, End)
		for _, way := range []Direction{Received, Sent, eitherWay} {
			if names := staying(rows, s, way); len(names) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s %s\n", s, s, strings.Join(names, ", "), way.arrow())
			}
		}
	}
	b.WriteString("    " + string(End) + " --> [*]\n")
	return b.String()
}

// staying are the messages that leave a state as it is.
func staying(rows []row, state State, way Direction) []string {
	var names []string
	for _, r := range rows {
		for _, s := range r.in {
			if r.to == "" && s == state && r.way == way {
				names = append(names, r.typ.String())
			}
		}
	}
	return names
}

// arrow is a direction as the diagram shows it.
func (d Direction) arrow() string {
	switch d {
	case Received:
		return "(from chaincode)"
	case Sent:
		return "(from peer)"
	default:
		return "(either)"
	}
}
