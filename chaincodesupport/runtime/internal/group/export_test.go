package group

import "time"

// EachLine and Printable let the tests feed what no process could print in time.
var (
	EachLine  = eachLine
	Printable = printable
)

// Admit is admit.
func (r *Room) Admit(now time.Time, n int) (wait time.Duration, ok bool) { return r.admit(now, n) }

// Len is how many chaincodes are remembered.
func (r *Rooms) Len() int { return len(r.of) }
