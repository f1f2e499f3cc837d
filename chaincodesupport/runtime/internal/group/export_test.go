package group

import "time"

// EachLine and Printable let the tests feed what no process could print in time.
var (
	EachLine  = eachLine
	Printable = printable
)

// OutputRoom lets the tests look at what may be logged without a clock.
type OutputRoom struct{ room outputRoom }

// Admit is admit.
func (r *OutputRoom) Admit(now time.Time, n int) (skipped skippedOutput, ok bool) {
	return r.room.admit(now, n)
}

// Lines is how many lines were left out.
func (s skippedOutput) Lines() int { return s.lines }
