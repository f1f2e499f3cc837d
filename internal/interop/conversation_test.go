package interop_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/transcript"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestConversations holds every way of running the shim to the conversations in testdata. Each begins with "== " and
// a name, and has a peer of its own. These lines of it are done; the others are what comes of it, and are written
// anew by -update:
//
//	launch                      a and the peer greet each other, without being told to in the other conversations
//	invoke CHAINCODE CALL…      a transaction, which is committed if it succeeds; words may be quoted
//	init CHAINCODE CALL…        the same, with INIT
//	noledger CHAINCODE CALL…    without a simulator
//	noproposal CHAINCODE CALL…  without a proposal
//	badproposal CHAINCODE CALL… with one that is empty
//	rows N                      a has the keys r001 … with values
//	fail METHOD                 the ledger's method returns an error from now on
//	state                       what is committed
func TestConversations(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		if transcript.Update() && w.name != ways[0].name {
			t.Skip("one way writes the files")
		}
		files, err := filepath.Glob("testdata/*.txt")
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no conversations: %v", err)
		}
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { converse(t, w, file) })
		}
	})
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
			p := player{newPeer(t, w)}
			parts[i+1] = name + "\n" + p.play(strings.Split(body, "\n"))
		})
		if got := parts[i+1]; got != want && !transcript.Update() {
			t.Errorf("%s: the conversation went otherwise; -update accepts it. Got\n== %s\nwant\n== %s", file, got, want)
		}
	}
	if transcript.Update() && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.Join(parts, "\n== ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
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
		observed, known := []string(nil), true
		switch verb {
		case "launch":
			observed = launch
		case "rows":
			p.write("rows", rows("r", p.number(rest)))
		case "fail":
			p.faulty[channel].On(rest, ledgertest.Error(errors.Errorf("%s fails", rest)))
		case "state":
			observed = p.state()
		default:
			observed, known = p.transaction(verb, p.words(rest))
		}
		if known {
			played = append(append(played, line), observed...)
		}
	}
	return p.trace.rename(strings.Join(played, "\n"))
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
		return append(lines, fmt.Sprintf("error %q", o.err)), true
	}
	r := o.result
	lines = append(lines, fmt.Sprintf("result %d %q %s", r.Status, r.Message, abbreviated(r.Payload)))
	if e := r.Event; e != nil {
		lines = append(lines, fmt.Sprintf("event %q of %s in %s: %q", e.Name, e.ChaincodeID, e.TxID, e.Payload))
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

// state says what is committed.
func (p player) state() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(p.ledgers)) {
		s, err := p.ledgers[name].Simulate(p.t.Context(), "state")
		if err != nil {
			p.t.Fatal(err)
		}
		defer s.Done()
		for _, namespace := range []string{"a", "b"} {
			it, err := s.GetStateRange(p.t.Context(), namespace, ledger.Range{})
			if err != nil {
				p.t.Fatal(err)
			}
			for {
				kv, err := it.Next(p.t.Context())
				if err != nil {
					p.t.Fatal(err)
				}
				if kv == nil {
					break
				}
				lines = append(lines, fmt.Sprintf("committed %s %s %q %q", name, namespace, kv.Key, kv.Value))
			}
			it.Close()
		}
	}
	return lines
}

// rows returns n keys and values.
func rows(prefix string, n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[rowKey(prefix, i)] = fmt.Sprint(i + 1)
	}
	return m
}

func rowKey(prefix string, i int) string { return fmt.Sprintf("%s%04d", prefix, i+1) }
