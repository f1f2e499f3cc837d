package handler

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/ccpeer/ccpeer/internal/diagram"
	"github.com/ccpeer/ccpeer/internal/limit"
	pb "github.com/ccpeer/ccpeer/proto"
)

// StateDiagram is what the diagram of a stream's states in docs/architecture.md must be: an arrow for each change of state, and for each state the
// messages that leave it as it is, by who sends them.
func StateDiagram() string {
	arrows := []diagram.Arrow{{To: string(Created)}}
	for _, r := range rows {
		for _, s := range r.in {
			if r.to != "" {
				arrows = append(arrows, diagram.Arrow{From: string(s), To: string(r.to), Label: r.typ.String(), By: r.way.by()})
			}
		}
	}
	for _, s := range []State{Created, Established, Ready} {
		arrows = append(arrows, diagram.Arrow{From: string(s), To: string(End), Label: "stream ends"})
		for _, way := range []Direction{Received, Sent, eitherWay} {
			for _, r := range rows {
				if r.to == "" && r.way == way && slices.Contains(r.in, s) {
					arrows = append(arrows, diagram.Arrow{From: string(s), To: string(s), Label: r.typ.String(), By: way.by()})
				}
			}
		}
	}
	return diagram.Draw(append(arrows, diagram.Arrow{From: string(End)}))
}

// by is a direction as the diagram shows it.
func (d Direction) by() string {
	return map[Direction]string{Received: "from chaincode", Sent: "from peer", eitherWay: "either"}[d]
}

// TransactionDiagram is what the diagram of a transaction's life in docs/architecture.md must be.
func TransactionDiagram() string {
	arrows := []diagram.Arrow{{To: queued.String()}}
	for _, t := range txTable {
		arrows = append(arrows, diagram.Arrow{From: t.from.String(), To: t.to.String(), Label: t.event.String()})
	}
	return diagram.Draw(append(arrows, diagram.Arrow{From: closed.String()}))
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
	tx := &transactionContext{state: txState(state), leftBehind: &count}                            //nolint:gosec // less than txStates
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

// AnswerAfterEnd has a worker answer requests whose answers have room, after the stream has ended but before Execute knows. It returns how
// much of the room is taken in the end.
func AnswerAfterEnd(answers int) int {
	h, _, err := newHandler(context.Background(), Config{Registry: noRegistry{}}, nil)
	if err != nil {
		return -1
	}
	close(h.done)
	tx := &transactionContext{turn: turn{in: h.sender.unsent}, leftBehind: &h.workers.leftBehind}
	tx.worker = worker{workshop: h.workers, tx: tx, room: room{unsent: h.sender.unsent, done: h.done, turn: &tx.turn}}
	w := &tx.worker
	for range answers {
		w.room.begin()
		_ = w.room.Reserve(context.Background(), 2*reserveBytes)
		msg := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE}
		w.answer(received{msg: msg, row: protocol.row(msg.Type)}, serving, make([]byte, 2*reserveBytes), nil)
	}
	h.goroutines.Wait()
	return h.sender.unsent.total()
}

// noRegistry accepts everything.
type noRegistry struct{}

func (noRegistry) Register(*Handler) error { return nil }
func (noRegistry) Ready(*Handler)          {}
func (noRegistry) Deregister(*Handler)     {}
