package realfabric_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/internal/golden"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/ours"
	"github.com/ccpeer/ccpeer/internal/realfabric/script"
	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

var only = flag.String("steps", "", "which steps of the script are done, as a regular expression")

// recorded is where the lines of a real network are. With -update they are written.
var recorded = filepath.Join("testdata", "script.jsonl")

// lines are lines of the script, by the names of their steps.
type lines struct {
	names []string
	got   map[string]string
}

func parse(t *testing.T, text []byte) lines {
	t.Helper()
	l := lines{got: map[string]string{}}
	for line := range bytes.Lines(text) {
		var step struct{ Step string }
		if err := json.Unmarshal(line, &step); err != nil {
			t.Fatal(err)
		}
		if l.got[step.Step] != "" {
			t.Errorf("there are two steps %q", step.Step)
		}
		l.names, l.got[step.Step] = append(l.names, step.Step), string(bytes.TrimSpace(line))
	}
	return l
}

// run does the steps that a regular expression matches.
func run(t *testing.T, description, steps string) []byte {
	t.Helper()
	on, err := target.Read(description)
	if err != nil {
		t.Fatal(err)
	}
	b, err := script.Run(t, on, regexp.MustCompile(steps).MatchString).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedLines are those of a real network, of the steps that are done.
func recordedLines(t *testing.T) lines {
	t.Helper()
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	all := parse(t, text)
	wanted := regexp.MustCompile(*only)
	all.names = slices.DeleteFunc(all.names, func(name string) bool { return !wanted.MatchString(name) })
	return all
}

// config is that of the networks that the script runs against.
func config() network.Config {
	return network.Config{MaxMessages: 1, PullTimeout: time.Minute, Chaincodes: program.Chaincodes()}
}

// realLines does what clients do on a real network, which is started for it.
func realLines(t *testing.T, cfg network.Config, steps string) []byte {
	t.Helper()
	n := network.StartWith(t, bin, cfg)
	description, err := n.WriteTarget(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return run(t, description, steps)
}

// TestScript does what clients do on a real network, and holds what comes against what is recorded of others.
func TestScript(t *testing.T) {
	t.Parallel()
	text := realLines(t, config(), *only)
	if golden.Update() && *only == "" {
		if err := target.WriteFile(recorded, text); err != nil {
			t.Fatal(err)
		}
	}
	got, want := parse(t, text), recordedLines(t)
	if !slices.Equal(got.names, want.names) {
		t.Errorf("steps are %q, recorded %q", got.names, want.names)
	}
	for _, name := range want.names {
		if got.got[name] != want.got[name] {
			t.Errorf("came\n%s\nrecorded is\n%s", got.got[name], want.got[name])
		}
	}
	const least = 150
	if *only == "" && len(got.names) < least {
		t.Errorf("there are %d steps, want %d", len(got.names), least)
	}
}

// TestOurs does what clients do on a network of ours, and holds what comes against what is recorded of real ones. What is different is
// in the table of differences, and what is in the table is different.
func TestOurs(t *testing.T) {
	t.Parallel()
	edits := compareLines(t, parse(t, run(t, ours.Start(t, config()), *only)), recordedLines(t))
	if *only == "" {
		edits.check()
	}
}

// TestMutualTLS does on both networks what has to do with clients' certificates for TLS. The hash of one is in some requests.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.ClientCertificates = true
	const steps = "^(evaluate: arguments|submit: by both|events: from a block|seek: |content: transactions|blocks: |discovery: )"
	want := realLines(t, cfg, steps)
	compareLines(t, parse(t, run(t, ours.Start(t, cfg), steps)), parse(t, want))
}

// compareLines holds lines of ours against those of a real network.
func compareLines(t *testing.T, got, want lines) *edits {
	t.Helper()
	edits := newEdits(t)
	for _, name := range want.names {
		if changed := edits.apply(name, want.got[name]); !same(got.got[name], changed) {
			t.Errorf("%s\nFabric: %s\nours:   %s\nwant:   %s", name, want.got[name], got.got[name], changed)
		}
	}
	return edits
}

// edits make of what Fabric answers what ours does.
type edits struct {
	t    *testing.T
	all  []difference
	of   []*regexp.Regexp
	seen []bool
}

func newEdits(t *testing.T) *edits {
	t.Helper()
	e := &edits{t: t, all: differences()}
	e.seen = make([]bool, len(e.all))
	for _, d := range e.all {
		e.of = append(e.of, regexp.MustCompile("^"+d.steps))
	}
	return e
}

// apply changes a step's line. A difference that isn't there is an error.
func (e *edits) apply(name, line string) (changed string) {
	e.t.Helper()
	changed = line
	for i, d := range e.all {
		if !e.of[i].MatchString(name) {
			continue
		}
		step := parsed(changed).(map[string]any)
		step["got"] = d.edit(step["got"])
		b, err := json.Marshal(step)
		if err != nil {
			e.t.Fatal(err)
		}
		switch differs := !same(string(b), changed); {
		case differs:
			e.seen[i] = true
		case !d.any:
			e.t.Errorf("step %q has no difference by which: %s", name, d.why)
		}
		changed = string(b)
	}
	return changed
}

// check fails if a difference was nowhere.
func (e *edits) check() {
	e.t.Helper()
	for i, d := range e.all {
		if !e.seen[i] {
			e.t.Errorf("no step %q has the difference by which: %s", d.steps, d.why)
		}
	}
}
