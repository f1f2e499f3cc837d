// Package transcript tests conversations against text files that read as the protocol's documentation:
//
//	== a chaincode registers
//	> REGISTER name:"cc:1"
//	< REGISTERED
//	< READY
//	state ready
//
// A file holds conversations, each under a name. Lines that the chaincode says (>) and what else happens are played
// to a [Player]; what it observes after each must be the lines that follow: messages of the peer (<), and those that
// begin with state, result, end or write. With the flag -update the files are written instead.
package transcript

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// Update reports whether golden files are to be written instead of compared.
func Update() bool { return golden.Update() }

// Player plays one conversation.
type Player interface {
	// Play makes happen what the line says, and returns the lines that follow from it.
	Play(line string) (observed []string, err error)
}

// observation matches lines that a Player returns. Those of a stream that has a name begin with it.
var observation = regexp.MustCompile(`^(\w*<|(\w+ )?(state|result|end|write)\b)`)

// Run plays every conversation of the files that match pattern, each as a test of its own. within wraps each, for
// example in synctest.Test; it calls its argument with the player.
func Run(t *testing.T, pattern string, within func(t *testing.T, play func(*testing.T, Player))) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %q: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file, within) })
	}
}

func runFile(t *testing.T, file string, within func(*testing.T, func(*testing.T, Player))) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut("\n"+string(b), "\n== ")
	written := []string{strings.TrimPrefix(head, "\n")}
	for _, conversation := range strings.Split(rest, "\n== ") {
		name, body, _ := strings.Cut(conversation, "\n")
		observed := body
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, p Player) { observed = play(t, p, body) })
			if !golden.Update() && observed != body {
				t.Errorf("%s: %s: the conversation went otherwise; -update accepts it. Got\n%s\nwant\n%s", file, name, observed, body)
			}
		})
		written = append(written, name+"\n"+observed)
	}
	if golden.Update() && !t.Failed() {
		text := strings.TrimPrefix(strings.Join(written, "\n== "), "\n")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
}

// play returns the conversation as it went.
func play(t *testing.T, p Player, body string) string {
	var lines []string
	for line := range strings.SplitSeq(body, "\n") {
		switch {
		case observation.MatchString(line):
			continue
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			lines = append(lines, line)
			continue
		}
		observed, err := p.Play(line)
		if err != nil {
			t.Fatalf("play %q: %v", line, err)
		}
		lines = append(append(lines, line), observed...)
	}
	return strings.Join(lines, "\n")
}
