package handler

import (
	"fmt"
	"strings"
)

// StateDiagram is what the README's diagram must be.
func StateDiagram() string { return stateDiagram(rows) }

// Watched says whether a timer runs for the handler's sending.
func (h *Handler) Watched() bool { return h.sending.armed.Load() }

// stateDiagram draws the rows as a Mermaid state diagram: an arrow for each change of state, and for each state the
// messages that leave it as it is, by who sends them.
func stateDiagram(rows []row) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> " + Created + "\n")
	for _, r := range rows {
		for _, s := range r.in {
			if r.to != "" {
				fmt.Fprintf(&b, "    %s --> %s: %s %s\n", s, r.to, r.typ, r.from.arrow())
			}
		}
	}
	for _, s := range []string{Created, Established, Ready} {
		fmt.Fprintf(&b, "    %s --> %s: stream ends\n", s, End)
		for _, from := range []Party{FromChaincode, FromPeer, fromEither} {
			if names := staying(rows, s, from); len(names) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s %s\n", s, s, strings.Join(names, ", "), from.arrow())
			}
		}
	}
	b.WriteString("    " + End + " --> [*]\n")
	return b.String()
}

// staying are the messages that leave a state as it is.
func staying(rows []row, state string, from Party) []string {
	var names []string
	for _, r := range rows {
		for _, s := range r.in {
			if r.to == "" && s == state && r.from == from {
				names = append(names, r.typ.String())
			}
		}
	}
	return names
}

// arrow is a party as the diagram shows it.
func (p Party) arrow() string {
	switch p {
	case FromChaincode:
		return "(from chaincode)"
	case FromPeer:
		return "(from peer)"
	default:
		return "(either)"
	}
}
