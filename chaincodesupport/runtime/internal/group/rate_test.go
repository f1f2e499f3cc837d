//go:build unix

package group_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// A program that prints without end gets its burst, and then a rate; and whatever it prints is either logged or counted.
func TestOutputRoom(t *testing.T) {
	const line = 9936 // 10,000 with what a log adds
	var room group.OutputRoom
	now := time.Now()
	say := func(lines int) (logged, reports, told int) {
		for range lines {
			if skipped, ok := room.Admit(now, line); ok {
				logged++
				if skipped.Lines() > 0 {
					reports, told = reports+1, told+skipped.Lines()
				}
			}
		}
		return logged, reports, told
	}
	for _, step := range []struct {
		pause                  time.Duration
		lines                  int
		logged, reports, wants int
	}{
		{0, 100, 100, 0, 0},                        // the start of a program
		{0, 1000, 4, 0, 0},                         // what is left of the burst
		{500 * time.Millisecond, 1000, 0, 0, 0},    // less than a second's worth
		{600 * time.Millisecond, 1000, 8, 1, 1996}, // one report, and then lines
		{time.Hour, 2000, 104, 1, 992},
	} {
		now = now.Add(step.pause)
		if logged, reports, told := say(step.lines); logged != step.logged || reports != step.reports || told != step.wants {
			t.Errorf("after %s, of %d lines: %d logged, %d reports of %d lines, want %d, %d and %d",
				step.pause, step.lines, logged, reports, told, step.logged, step.reports, step.wants)
		}
	}
}

// F65: a program that prints as fast as it can doesn't fill the log, is read all the same, and the log says what is missing.
func TestFloodOfOutput(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	p, err := group.Start(group.Config{
		Path: "/bin/sh", Args: []string{"-c", "yes " + strings.Repeat("y", 429) + " | head -c 43000000; echo last"}, Env: os.Environ(),
		Log: zap.New(core), Level: zap.WarnLevel, LastLines: 20, Grace: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	exit := wait(context.Background(), t, p)
	took := time.Since(started)
	bytes, lines, left := 0, 0, int64(0)
	for _, e := range logs.All() {
		if e.Message == "output was left out" {
			left += e.ContextMap()["lines"].(int64)
			continue
		}
		lines++
		bytes += len(e.Message) + 64
	}
	if limit := 1<<20 + int(took.Seconds()+1)*(64<<10); bytes > limit || lines == 0 {
		t.Errorf("%d bytes in %d lines were logged in %s, want at most %d", bytes, lines, took, limit)
	}
	if total := lines + int(left); total != 100_001 {
		t.Errorf("%d lines were logged and %d left out, want %d together", lines, left, 100_001)
	}
	if n := len(exit.LastLines); n == 0 || exit.LastLines[n-1] != "last" {
		t.Errorf("the last lines are %q", exit.LastLines)
	}
}

// Colours are for terminals. What else would disturb one is made visible.
func TestColours(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[1;31mError:\x1b[0m no": "Error: no",
		"\x1b[2K\x1b[1Gdone":         "done",
		"\x1b]0;owned\x07x":          `\x1b]0;owned\x07x`,
		"plain [0m text":             "plain [0m text",
		"\x1b[":                      `\x1b[`,
	} {
		core, logs := observer.New(zapcore.DebugLevel)
		p, err := group.Start(group.Config{
			Path: "/bin/sh", Args: []string{"-c", `printf '%s\n' "$LINE" >&2`}, Env: append(os.Environ(), "LINE="+in),
			Log: zap.New(core), Level: zap.DebugLevel, LastLines: 20, Grace: patience,
		})
		if err != nil {
			t.Fatal(err)
		}
		exit := wait(t.Context(), t, p)
		if logs.Len() != 1 || logs.All()[0].Message != want || logs.All()[0].Level != zap.DebugLevel {
			t.Errorf("%q is logged as %v, want %q at debug", in, logs.All(), want)
		}
		if got := strings.Join(exit.LastLines, "\n"); got != want {
			t.Errorf("%q is kept as %q, want %q", in, got, want)
		}
	}
}
