package chaincodetest

import (
	"fmt"
	"strings"
)

// report writes a transaction for people.
type report struct{ tx *Tx }

// report is all that is known of the transaction, for a test's output.
func (tx *Tx) report() string {
	r := report{tx}
	lines := []string{""}
	add := func(title string, what []string) {
		lines = append(append(lines, "  "+title), prefixed("    ", what)...)
	}
	add("call", []string{fmt.Sprintf("%s %s on %s: %s", tx.client.name, tx.verb, tx.call.channel, r.call())})
	add("answer", r.answer())
	if tx.rwset != nil {
		add("ledger", tx.rwset.lines(tx.chaincode))
	}
	add("conversation (> chaincode, < peer)", tx.conversation.lines(tx.chaincode))
	return strings.Join(lines, "\n")
}

// call writes the call as it might be written in Go.
func (r report) call() string {
	tx := r.tx
	args := make([]string, 0, len(tx.call.args))
	for _, a := range tx.call.args[1:] {
		args = append(args, showArg(a))
	}
	text := fmt.Sprintf("%s(%s)", tx.function, strings.Join(args, ", "))
	for _, name := range sortedKeys(tx.client.transient, nil) {
		text += fmt.Sprintf(", transient %s = %s", name, show(tx.client.transient[name]))
	}
	return text
}

// answer is what the chaincode has answered, and what came of it.
func (r report) answer() []string {
	o := r.tx.outcome
	if o.err != nil {
		return []string{"none: " + o.err.Error()}
	}
	text := fmt.Sprintf("status %d", o.status)
	if o.message != "" {
		text += ", message " + show([]byte(o.message))
	}
	if len(o.payload) > 0 {
		text += ", payload " + show(o.payload)
	}
	lines := []string{text}
	if o.event != nil {
		lines = append(lines, fmt.Sprintf("event %s %s", o.event.Name, show(o.event.Payload)))
	}
	return append(lines, r.fate())
}

// fate says what became of what the transaction has written.
func (r report) fate() string {
	tx := r.tx
	switch {
	case tx.committed:
		return "committed as " + tx.code.String()
	case tx.lost != nil:
		return "not committed, as far as is known"
	case len(tx.divergence) > 0:
		return "not committed, because it isn't deterministic"
	case tx.verb == "submitted":
		return "not committed, because it failed"
	default:
		return "not committed: it was only " + tx.verb
	}
}

func prefixed(prefix string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = prefix + l
	}
	return out
}

func indent(lines []string) string { return strings.Join(prefixed("    ", lines), "\n") }
