package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/internal/golden"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// limit is how long a program may take, on a machine that is busy with something else.
const limit = 2 * time.Minute

// client is a program on an official client.
type client struct {
	name string
	// command is what runs it, where that is installed.
	command func(t *testing.T) []string
	// mutual says that the peers of Fabric's network want certificates of it. Those of this repository's do both.
	mutual bool
	// ed25519 says that the client can sign with such keys, and trades that it is one of a gateway, by which the
	// organizations trade an asset.
	ed25519, trades bool
	// unlike, if not empty, says why what is said to and by this repository's network is in a file of its own.
	unlike string
}

func clients() []client {
	return []client{
		{name: "node", command: node("node"), ed25519: true, trades: true},
		{name: "java", command: java, mutual: true, ed25519: true, trades: true},
		{
			name: "legacy-discovery", command: node("legacy", "discovery"),
			unlike: "the first organization is the orderer's, too, and what gossip would sign isn't signed",
		},
		{name: "legacy-static", command: node("legacy", "static"), mutual: true},
	}
}

// TestFabric holds what the programs print to what they print on a network of Fabric.
func TestFabric(t *testing.T) {
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			c.hold(t, c.command(t), startFabric(t, c.mutual), true)
		})
	}
}

// hold holds what a program prints on a network, and says to it and hears of it, to the program's files. -update writes what is so on a
// network of Fabric.
func (c client) hold(t *testing.T, command []string, d *description, fabric bool) {
	t.Helper()
	p := between(t, d)
	printed := c.run(t, command, d.write(t))
	if fabric {
		compare(t, c.name+".jsonl", printed, golden.Update())
	} else {
		c.compareOurs(t, printed)
	}
	if c.unlike != "" && !fabric {
		compare(t, c.name+"-ours.txt", p.transcript(), golden.Update())
		return
	}
	compare(t, c.name+".txt", p.transcript(), fabric && golden.Update())
}

// later are the steps of the clients of a gateway that this repository's network answers as later versions of Fabric do.
var later = map[string]string{
	"expired certificate: evaluate": "Since 2023 a gateway's own peer, too, looks whether a client's certificate has ended.",
	"expired certificate: endorse":  "As above. Before that, the orderer refused it.",
}

// compareOurs compares what a program prints on this repository's network with its file, and the steps that differ with another.
func (c client) compareOurs(t *testing.T, printed string) {
	t.Helper()
	if !c.trades { // it is no client of a gateway
		compare(t, c.name+".jsonl", printed, false)
		return
	}
	var same, other []string
	want := strings.SplitAfter(string(readFile(t, filepath.Join("testdata", c.name+".jsonl"))), "\n")
	for i, line := range strings.SplitAfter(printed, "\n") {
		var s struct{ Step string }
		if err := json.Unmarshal([]byte(line), &s); err == nil && later[s.Step] != "" && i < len(want) {
			other = append(other, line)
			line = want[i]
		}
		same = append(same, line)
	}
	compare(t, c.name+".jsonl", strings.Join(same, ""), false)
	compare(t, c.name+"-ours.jsonl", strings.Join(other, ""), golden.Update())
}

// run runs a program, and returns what it prints, without what differs each time.
func (c client) run(t *testing.T, command []string, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], path)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", c.name, err, out, errs.Bytes())
	}
	if errs.Len() > 0 {
		t.Logf("%s: %s", c.name, errs.Bytes())
	}
	return normal(string(out))
}

// varying is what differs each time, and what it becomes.
var varying = []struct {
	what *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b(127\.0\.0\.1|localhost):\d+`), "ADDRESS"},
	{regexp.MustCompile(`failed on peer .* with status`), "failed on PEER with status"}, // on the one that told first
	{regexp.MustCompile(`\bBlockNum: \d+`), "BlockNum: NUMBER"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( \+0000 UTC|Z)`), "TIME"},
}

func normal(text string) string {
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.text)
	}
	return text
}

// compare compares something with a file.
func compare(t *testing.T, name, got string, update bool) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if update {
		write(t, file, []byte(got))
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(readFile(t, file)), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) {
			t.Fatalf("%s: %d lines, want %d; -update writes them", file, len(g), len(w))
		}
		if g[i] != w[i] {
			t.Errorf("%s:%d: got\n%s\nwant\n%s", file, i+1, g[i], w[i])
		}
	}
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := target.WriteFile(path, content); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
