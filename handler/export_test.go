package handler

import (
	"fmt"
	"strings"
)

// StateDiagram is what the README's diagram must be.
func StateDiagram() string { return stateDiagram(rows) }

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
