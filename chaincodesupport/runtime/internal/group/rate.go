package group

import (
	"bytes"
	"regexp"
	"time"
)

const (
	// outputBurst is how many bytes of its output a program may have logged at once. That is a long start, or a stack of
	// every goroutine.
	outputBurst = 1 << 20
	// outputRate is how many bytes it may have logged each second from then on.
	outputRate = 64 << 10
	// lineOverhead is what a log adds to a line.
	lineOverhead = 64
)

// outputRoom is how much of a program's output may still be logged. When it is used up, nothing is logged until there is
// room for a second's worth again. Otherwise a program that prints without end would get a line now and then, each beside one
// that says how much is missing. The caller holds a lock.
type outputRoom struct {
	used    float64 // bytes of the burst
	at      time.Time
	full    bool
	skipped skippedOutput
}

// skippedOutput is what was left out of the log.
type skippedOutput struct{ lines, bytes int }

// admit reports whether a line of n bytes may be logged now. If so, it also returns what was left out before that line.
func (r *outputRoom) admit(now time.Time, n int) (skipped skippedOutput, ok bool) {
	r.used = max(0, r.used-outputRate*now.Sub(r.at).Seconds())
	r.at = now
	cost := float64(n + lineOverhead)
	limit := float64(outputBurst)
	if r.full {
		limit -= outputRate
	}
	if r.used+cost > limit {
		r.full = true
		r.skipped.lines++
		r.skipped.bytes += n
		return skippedOutput{}, false
	}
	r.full = false
	r.used += cost
	return r.rest(), true
}

// rest returns what was left out and not told yet.
func (r *outputRoom) rest() skippedOutput {
	skipped := r.skipped
	r.skipped = skippedOutput{}
	return skipped
}

// control is a sequence by which a terminal changes colours or moves its cursor (ECMA-48, control sequences).
var control = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// withoutColours returns a line without the sequences that only a terminal wants. Others stay, and are made printable later.
func withoutColours(line []byte) []byte {
	if bytes.IndexByte(line, 0x1b) < 0 {
		return line
	}
	return control.ReplaceAll(line, nil)
}
