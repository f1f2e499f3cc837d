//go:build unix

package group_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// A program that prints without end gets its burst, and then a rate, a second's worth at a time.
func TestRoom(t *testing.T) {
	const line = 9936 // 10,000 with what a log adds
	var room group.Room
	now := time.Now()
	for _, step := range []struct {
		pause         time.Duration
		lines, logged int
	}{
		{0, 100, 100},                      // the start of a program
		{0, 1000, 4},                       // what is left of the burst
		{500 * time.Millisecond, 1000, 0},  // less than a second's worth
		{600 * time.Millisecond, 1000, 8},  // more than that
		{time.Hour, 2000, 104},             // everything
		{-time.Hour, 1000, 0},              // a clock that was set back brings nothing
		{time.Hour + time.Second, 2000, 7}, // and takes nothing
	} {
		now = now.Add(step.pause)
		logged, wait := 0, time.Duration(0)
		for range step.lines {
			d, ok := room.Admit(now, line)
			if ok {
				logged++
			}
			wait = max(wait, d)
		}
		if logged != step.logged || logged < step.lines && (wait <= 0 || wait > 2*time.Second) {
			t.Errorf("after %s, of %d lines: %d logged, and %s until there is room, want %d", step.pause, step.lines, logged, wait, step.logged)
		}
	}
}

// Chaincodes that have printed nothing for a while are not remembered.
func TestRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rooms group.Rooms
		for i := range 1000 {
			rooms.Room(strconv.Itoa(i)).Admit(time.Now(), 1)
		}
		one, again, other := rooms.Room("1"), rooms.Room("1"), rooms.Room("2")
		if rooms.Len() != 1000 || one != again || one == other {
			t.Errorf("%d rooms of 1000, or not one each", rooms.Len())
		}
		<-time.After(17 * time.Second)
		if rooms.Room("new"); rooms.Len() != 1 {
			t.Errorf("%d rooms after a while, want 1", rooms.Len())
		}
	})
}

// logged is what a log has of a program's output.
type logged struct{ lines, bytes, leftLines, leftBytes, reports int }

// leftOut is the line that says what is missing.
const leftOut = "output was left out"

func count(logs *observer.ObservedLogs) (l logged) {
	for _, e := range logs.All() {
		if e.Message == leftOut {
			l.reports++
			l.leftLines += int(e.ContextMap()["lines"].(int64))
			l.leftBytes += int(e.ContextMap()["bytes"].(int64))
			continue
		}
		l.lines++
		l.bytes += len(e.Message) + len("\n")
	}
	return l
}

// flood starts a program that prints a line again and again, as many bytes as there are to be in all, and then something else.
func flood(t *testing.T, room *group.Room, line string, bytes int, then string, options ...zap.Option) (*group.Process, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	p, err := group.Start(group.Config{
		Path: "/bin/sh", Args: []string{"-c", fmt.Sprintf("yes %s | head -c %d; %s", line, bytes, then)}, Env: os.Environ(),
		Log: zap.New(core, options...), Level: zap.WarnLevel, LastLines: 20, Grace: patience, Room: room,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, logs
}

// F65: a program that prints as fast as it can doesn't fill the log, is read all the same, and the log says what is missing, to
// the byte. It has no more room when it is started again.
func TestFloodOfOutput(t *testing.T) {
	for _, length := range []int{2, 430} {
		t.Run(strconv.Itoa(length), func(t *testing.T) {
			size := 43_000_000
			if length < 100 && os.Getenv("CCPEER_LONG") == "" {
				size = 860_000 // short lines take longer
			}
			room, started, sum := new(group.Room), time.Now(), logged{}
			for range 3 {
				p, logs := flood(t, room, strings.Repeat("y", length-1), size, "echo last")
				exit := wait(context.Background(), t, p)
				l := count(logs)
				if l.lines+l.leftLines != size/length+1 || l.bytes+l.leftBytes != size+len("last\n") {
					t.Errorf("%+v, want %d lines and %d bytes together", l, size/length+1, size+len("last\n"))
				}
				if n := len(exit.LastLines); n == 0 || exit.LastLines[n-1] != "last" {
					t.Errorf("the last lines are %q", exit.LastLines)
				}
				sum.lines, sum.bytes, sum.reports = sum.lines+l.lines, sum.bytes+l.bytes, sum.reports+l.reports
				size = 430_000 // the next ones need not be as long
			}
			took := time.Since(started)
			if limit := 1<<20 + int(took.Seconds()+1)*(64<<10); sum.bytes+63*sum.lines > limit || sum.lines == 0 {
				t.Errorf("%d bytes in %d lines were logged in %s, want at most %d", sum.bytes, sum.lines, took, limit)
			}
			// One each second and, at the end of each run, the rest. One more, since took is rounded down.
			if sum.reports > int(took.Seconds())+1+3 {
				t.Errorf("%d lines say what was left out, in %s", sum.reports, took)
			}
			t.Logf("%d bytes in %d lines, %d reports, in %s", sum.bytes, sum.lines, sum.reports, took)
		})
	}
}

// F65: what was left out is told soon, although the program says nothing more. A machine that is so busy that nothing must be left
// out logs all of it.
func TestFloodIsToldOfSoon(t *testing.T) {
	const size = 3_000_000
	look := make(chan struct{}, 1)
	written := 0 // lines are logged one after the other
	p, logs := flood(t, nil, strings.Repeat("y", 99), size, "exec sleep 1000", zap.Hooks(func(e zapcore.Entry) error {
		if e.Message != leftOut {
			if written += len(e.Message) + len("\n"); written < size {
				return nil // to count what is in the log takes longer than to write a line
			}
		}
		select {
		case look <- struct{}{}:
		default:
		}
		return nil
	}))
	timeout := time.After(10 * patience)
	for l := count(logs); l.bytes+l.leftBytes < size; l = count(logs) {
		select {
		case <-look:
		case <-timeout:
			t.Fatalf("%+v while the program lives, want all of %d bytes", l, size)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wait(ctx, t, p)
}

// Also a single line that was left out is told of.
func TestOneLineLeftOut(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	p, err := group.Start(group.Config{
		Path: "/bin/sh", Args: []string{"-c", "yes " + strings.Repeat("y", 9936) + " | head -n 105"}, Env: os.Environ(), // of which 104 have room
		Log: zap.New(core), Level: zap.WarnLevel, LastLines: 20, Grace: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	wait(context.Background(), t, p)
	logged, left := 0, int64(0)
	for _, e := range logs.All() {
		if e.Message == leftOut {
			left += e.ContextMap()["lines"].(int64)
		} else {
			logged++
		}
	}
	if logged+int(left) != 105 || logged < 104 { // 105, if printing took longer than a second
		t.Errorf("%d lines are logged and %d left out, want 104 and 1", logged, left)
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
