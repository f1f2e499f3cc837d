package script

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// Line is what came of a step.
type Line struct {
	// Step is the step's name.
	Step string `json:"step"`
	// Got is what came.
	Got any `json:"got"`
}

// Lines are those of all steps, in their order.
type Lines []Line

// Marshal returns the lines as text, each as a JSON object.
func (l Lines) Marshal() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, line := range l {
		if err := encoder.Encode(line); err != nil {
			return nil, errors.Wrapf(err, "marshal line of step %s", line.Step)
		}
	}
	return b.Bytes(), nil
}

// limit is how long a step may take, even on a machine that is busy with something else.
const limit = time.Minute

// step is something that a client does. What do returns is its line: a value that can be marshalled as JSON.
type step struct {
	name string
	do   func(*run) any
}

// say is the fields of a line, or a part of it.
type say = map[string]any

// Run does the steps for which want is true, all if it is nil, one after the other. The test fails if one of them can't be done.
func Run(t testing.TB, on *target.Target, want func(name string) bool) Lines {
	t.Helper()
	s := newSession(t, on)
	s.ready()
	var lines Lines
	for _, step := range steps() {
		if want == nil || want(step.name) {
			lines = append(lines, Line{step.name, s.run(step)})
		}
	}
	return lines
}

// run does a step.
func (s *session) run(step step) any {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	r := &run{caller{blockReader{reader{&doing{session: s, ctx: ctx, name: step.name, from: s.level(ctx)}}}}}
	defer func() {
		cancel()
		r.drained.Wait()
		if took := time.Since(begun); took > time.Second {
			s.t.Logf("step %q: %s", step.name, took.Round(time.Millisecond))
		}
	}()
	return step.do(r)
}

// run is a step that is being done: it calls, it listens, and it says what came.
type run struct{ caller }

// caller calls what answers once.
type caller struct{ blockReader }

// blockReader says what is in blocks, configurations and what discovery finds.
type blockReader struct{ reader }

// reader says what is in transactions.
type reader struct{ *doing }

// doing is what all of a step have in common.
type doing struct {
	*session
	ctx  context.Context
	name string
	from uint64 // the height of the ledger when the step began

	drained sync.WaitGroup // the official client's streams, whose goroutines only end when somebody takes what they have
}

// drain takes what is left in a channel of the official client when the step ends.
func drain[T any](r *run, from <-chan T) <-chan T {
	r.drained.Go(func() {
		<-r.ctx.Done()
		for range from {
		}
	})
	return from
}

// must ends the test if something went wrong that has to go right for the step to make sense.
func (r *doing) must(err error) {
	if err != nil {
		r.t.Fatalf("step %q: %+v", r.name, err)
	}
}

// key is a key that only this step uses.
func (r *doing) key(name string) string { return fmt.Sprintf("%s: %s", r.name, name) }

// block says which block a number is: from the first one that was committed since the step began.
func (r *doing) block(number uint64) string {
	switch {
	case number == 0:
		return "block 0"
	case number >= r.from:
		return fmt.Sprintf("block+%d", number-r.from)
	case r.from-number <= near:
		return fmt.Sprintf("block-%d", r.from-number)
	default:
		return "a block before"
	}
}

// near is how many blocks before it a step may ask for. How many there are altogether is different each time.
const near = 3
