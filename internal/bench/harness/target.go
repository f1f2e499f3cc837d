package harness

import (
	"io"
	"time"
)

// Target is something that a measurement's median must not exceed.
type Target struct {
	Measurement
	What  string  `json:"what"`
	Limit float64 `json:"limit"`
	// Got is what was measured.
	Got  float64 `json:"got"`
	Pass bool    `json:"pass"`

	figure func(Row) float64
}

// targets are checked for every network on which the setup was measured.
func targets() []Target {
	allocs := func(r Row) float64 { return r.Median.PeerAllocs }
	ratio := func(r Row) float64 { return r.TimeRatio.Median }
	micros := func(r Row) float64 { return r.Median.Latency / float64(time.Microsecond) }
	at := func(setup, op string) Measurement { return Measurement{Setup: setup, Op: op, Callers: 1} }
	return []Target{
		{Measurement: at(session, opGetPut), What: "allocations of the peer", Limit: 60, figure: allocs},
		{Measurement: at(session, opGet), What: "allocations of the peer", Limit: 22, figure: allocs},
		{Measurement: at(session, opNone), What: "allocations of the peer", Limit: 32, figure: allocs},
		{Measurement: at(session, opGet), What: "× floor", Limit: 1.5, figure: ratio},
		{Measurement: at(inProcess, opGet), What: "µs", Limit: 8, figure: micros},
		{Measurement: at(inProcess, opPut), What: "µs", Limit: 8, figure: micros},
	}
}

func (t Target) check(rows []Row) []Target {
	var checked []Target
	for _, r := range rows {
		c := t
		c.Network = r.Network
		if r.Measurement != c.Measurement {
			continue
		}
		c.Got = t.figure(r)
		c.Pass = c.Got <= c.Limit
		checked = append(checked, c)
	}
	return checked
}

func (t Target) write(w io.Writer) error {
	verdict := "pass"
	if !t.Pass {
		verdict = "FAIL"
	}
	return printf(w, "%s  %s, %s: %.2f %s, at most %g\n", verdict, t.Op, t.where(), t.Got, t.What, t.Limit)
}
