package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/internal/transcript"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestConversations holds every way of running a shim to the conversations of its family, testdata/<family>.txt. Each
// begins with "== " and a name, and has a peer of its own. These lines of it are done; the others are what comes of it,
// and are written anew by -update:
//
//	peer SETTING…               the peer is one with these settings (see settings)
//	launch                      a and the peer greet each other, without being told to in the other conversations
//	as NAME ATTRIBUTE=VALUE…    who submits the transactions from now on, and what the certificate says of them
//	invoke CHAINCODE CALL…      a transaction, which is committed if it succeeds; words may be quoted
//	call CHAINCODE ARGUMENT…    the same, where the words are not a program
//	init CHAINCODE CALL…        the same, with INIT
//	noledger CHAINCODE CALL…    without a simulator
//	noproposal CHAINCODE CALL…  without a proposal
//	badproposal CHAINCODE CALL… with one that is empty
//	rows N                      a has the keys r001 … with values
//	fail METHOD                 the ledger's method returns an error from now on
//	fail METHOD N               the same, after N calls
//	mend METHOD                 it doesn't any more
//	deny WHAT                   something is forbidden from now on (see policy.deny)
//	define CHAINCODE VERSION    a chaincode that needs no initialization is called by its definition from now on
//	define CHAINCODE VERSION init … and one that needs it
//	decorate NAME VALUE         the peer adds to the input of every transaction from now on
//	state                       what is committed
func TestConversations(t *testing.T) {
	writes := firstWays(ways(t))
	everyWay(t, func(t *testing.T, w way) {
		if transcript.Update() && w.name != writes[w.family.name] {
			t.Skip("another way writes the file")
		}
		converse(t, w, filepath.Join("testdata", w.family.name+".txt"))
	})
}

// firstWays returns the name of each family's first way, by the family's.
func firstWays(ways []way) map[string]string {
	first := map[string]string{}
	for _, w := range slices.Backward(ways) {
		first[w.family.name] = w.name
	}
	return first
}

// converse plays the conversations of a file.
func converse(t *testing.T, w way, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "\n== ")
	for i, want := range parts[1:] {
		name, body, _ := strings.Cut(want, "\n")
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(body, "\n")
			p := player{newPeer(t, w, settings(t, lines)...)}
			parts[i+1] = name + "\n" + p.play(lines)
		})
		if got := parts[i+1]; got != want && !transcript.Update() {
			t.Errorf("%s: the conversation %q went otherwise; -update accepts it. It differs from here on:\n%s", file, name, difference(got, want))
		}
	}
	if transcript.Update() && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(parts, "\n== ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// difference shows two texts from their first difference on.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for len(g) > 0 && len(w) > 0 && g[0] == w[0] {
		g, w = g[1:], w[1:]
	}
	return "got\n" + strings.Join(g[:min(len(g), 12)], "\n") + "\nwant\n" + strings.Join(w[:min(len(w), 12)], "\n")
}

// settings are what the lines that begin with "peer" say of the peer: "batch N" and "keys N" are the largest batch of
// writes and of keys that are read that READY offers, and with "batch no" and "keys no" it offers none.
func settings(t testing.TB, lines []string) []setting {
	var all []setting
	for _, line := range lines {
		what, value, _ := strings.Cut(strings.TrimPrefix(line, "peer "), " ")
		n, err := strconv.Atoi(value)
		switch {
		case !strings.HasPrefix(line, "peer "):
		case what == "batch" && value == "no":
			all = append(all, func(c *chaincodesupport.Config) { c.Offer.WriteBatch = -1 })
		case what == "keys" && value == "no":
			all = append(all, func(c *chaincodesupport.Config) { c.Offer.MultipleKeys = -1 })
		case what == "batch" && err == nil:
			all = append(all, func(c *chaincodesupport.Config) { c.Offer.WriteBatch = n })
		case what == "keys" && err == nil:
			all = append(all, func(c *chaincodesupport.Config) { c.Offer.MultipleKeys = n })
		default:
			t.Fatalf("%q is no setting of a peer", line)
		}
	}
	return all
}

// player plays a conversation.
type player struct{ *testPeer }

// play does what is to be done, and returns the whole conversation.
func (p player) play(lines []string) string {
	launch := p.trace.take()
	var played []string
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		if line == "" || verb == "#" {
			played = append(played, line)
			continue
		}
		words := p.words(rest)
		observed, known := []string(nil), true
		switch verb {
		case "launch":
			observed = launch
		case "state":
			observed = p.state()
		default:
			if known = p.prepared(verb, words); !known {
				observed, known = p.transaction(verb, words)
			}
		}
		if known {
			played = append(append(played, line), observed...)
		}
	}
	return p.trace.rename(strings.Join(played, "\n"))
}

// prepared does what a line says about what is to come, if it is such a line.
func (p player) prepared(verb string, words []string) bool {
	switch {
	case verb == "peer":
	case verb == "rows" && len(words) == 1:
		p.write("rows", rows(p.number(words[0])))
	case verb == "fail" && len(words) == 1:
		p.faulty[channel].On(ledgertest.Method(words[0]), ledgertest.Fail(errors.Errorf("%s fails", words[0])))
	case verb == "fail" && len(words) == 2:
		p.faulty[channel].On(ledgertest.Method(words[0]), ledgertest.AfterCalls(p.number(words[1]), ledgertest.Fail(errors.Errorf("%s fails", words[0]))))
	case verb == "mend" && len(words) == 1:
		p.faulty[channel].On(ledgertest.Method(words[0]), nil)
	case verb == "as" && len(words) > 0:
		p.as(words[0], words[1:])
	case verb == "deny":
		p.policy.deny(strings.Join(words, " "))
	case verb == "define" && len(words) >= 2:
		p.policy.define(words[0], words[1], slices.Contains(words[2:], "init"))
	case verb == "decorate" && len(words) == 2:
		p.policy.decorate(words[0], words[1])
	default:
		return false
	}
	return true
}

// as makes name, with attributes NAME=VALUE, who submits the transactions from now on.
func (p player) as(name string, attributes []string) {
	m := map[string]string{}
	for _, a := range attributes {
		k, v, _ := strings.Cut(a, "=")
		m[k] = v
	}
	var err error
	if p.client, err = issue(name, m); err != nil {
		p.t.Fatal(err)
	}
}

func (p player) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// words splits a line at its spaces. A word that begins with a quote ends with one.
func (p player) words(line string) []string {
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			p.t.Fatal(err)
		}
		words, line = append(words, word), line[len(quoted):]
	}
	return words
}

// transaction runs a transaction and says how it went, if the verb is one for that.
func (p player) transaction(verb string, words []string) (lines []string, known bool) {
	if len(words) == 0 {
		return nil, false
	}
	c := call{chaincode: words[0], args: words[1:]}
	switch verb {
	case "invoke":
	case "call":
		c.function = true
	case "init":
		c.isInit = true
	case "noledger":
		c.noLedger = true
	case "noproposal":
		c.resign = func(*pb.SignedProposal) *pb.SignedProposal { return nil }
	case "badproposal":
		c.resign = func(*pb.SignedProposal) *pb.SignedProposal { return new(pb.SignedProposal) }
	default:
		return nil, false
	}
	o := p.run(p.t.Context(), c)
	lines = p.trace.take()
	if o.err != nil {
		return append(lines, fmt.Sprintf("error %q", o.err.Error())), true
	}
	r := o.result
	lines = append(lines, fmt.Sprintf("result %d %q %s", r.Status, r.Message, abbreviated(r.Payload)))
	if e := r.Event; e != nil {
		lines = append(lines, fmt.Sprintf("event %q of %s in %s: %q", e.Name, e.Chaincode, e.TxID, e.Payload))
	}
	if o.code != "" {
		lines = append(lines, "committed "+o.code)
	}
	return lines, true
}

func abbreviated(b []byte) string {
	if len(b) > 500 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return strconv.Quote(string(b))
}

// rows returns n keys and values.
func rows(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[rowKey("r", i)] = fmt.Sprint(i + 1)
	}
	return m
}

func rowKey(prefix string, i int) string { return fmt.Sprintf("%s%04d", prefix, i+1) }
