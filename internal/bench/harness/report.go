package harness

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/stats"
)

// Report is what all rounds gave. As JSON it has the figures of each round as they were taken.
type Report struct {
	Environment Environment `json:"environment"`
	Rounds      []Round     `json:"rounds"`
	Rows        []Row       `json:"rows"`
	Targets     []Target    `json:"targets"`
}

// Row is a measurement over all rounds.
type Row struct {
	Measurement
	// Latency and PerSecond are those of Figures.
	Latency   stats.Quartiles `json:"latency"`
	PerSecond stats.Quartiles `json:"per_second"`
	// Median holds the medians of all figures.
	Median Figures `json:"median"`
	// TimeRatio and CPURatio are paired ratios to as many trips on the floor, of the same network and callers; nil
	// where there is no such floor. Time is the inverse of PerSecond.
	TimeRatio *stats.Quartiles `json:"time_ratio,omitempty"`
	CPURatio  *stats.Quartiles `json:"cpu_ratio,omitempty"`
}

func newReport(env Environment, all []step, rounds []Round) *Report {
	taken := make(map[Measurement][]Figures)
	for _, round := range rounds {
		for _, m := range round {
			taken[m.Measurement] = append(taken[m.Measurement], m.Figures)
		}
	}
	r := &Report{Environment: env, Rounds: rounds}
	for _, s := range all {
		r.Rows = append(r.Rows, newRow(s, taken[s.Measurement], taken[Measurement{floor, s.Network, opEcho, s.Callers}]))
	}
	for _, t := range targets() {
		r.Targets = append(r.Targets, t.check(r.Rows)...)
	}
	return r
}

func newRow(s step, taken, floor []Figures) Row {
	median := func(of func(Figures) float64) float64 { return stats.QuartilesOf(column(taken, of)).Median }
	row := Row{
		Measurement: s.Measurement,
		Latency:     stats.QuartilesOf(column(taken, func(f Figures) float64 { return f.Latency })),
		PerSecond:   stats.QuartilesOf(column(taken, func(f Figures) float64 { return f.PerSecond })),
		Median: Figures{
			Latency:         median(func(f Figures) float64 { return f.Latency }),
			P99:             median(func(f Figures) float64 { return f.P99 }),
			PerSecond:       median(func(f Figures) float64 { return f.PerSecond }),
			PeerCPU:         median(func(f Figures) float64 { return f.PeerCPU }),
			PeerAllocs:      median(func(f Figures) float64 { return f.PeerAllocs }),
			ChaincodeCPU:    median(func(f Figures) float64 { return f.ChaincodeCPU }),
			ChaincodeAllocs: median(func(f Figures) float64 { return f.ChaincodeAllocs }),
		},
	}
	if s.op.trips == 0 || len(floor) == 0 {
		return row
	}
	ratio := func(of func(Figures) float64) *stats.Quartiles {
		q := stats.PairedRatios(column(taken, of), column(floor, func(f Figures) float64 { return of(f) * float64(s.op.trips) }))
		return &q
	}
	row.TimeRatio = ratio(Figures.time)
	row.CPURatio = ratio(Figures.cpu)
	return row
}

func column(taken []Figures, of func(Figures) float64) []float64 {
	values := make([]float64, len(taken))
	for i, f := range taken {
		values[i] = of(f)
	}
	return values
}

const heading = `%s %s, kernel %s, %d CPUs (%s), load averages before: %s
spinners: %s; other processes took %.1f %% of the CPUs
%d rounds, windows of %s. Medians [quartiles] of the rounds; times in µs; CPU and allocations per transaction or request
GET_STATE and PUT_STATE: slope over 100 in a transaction. At 1 caller, all processes share one CPU.
× floor: per second, and CPU of both processes, compared with as many round trips of a bare gRPC stream in the same round

`

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	e := r.Environment
	if err := printf(w, heading, e.Go, e.Platform, e.Kernel, e.CPUs, e.CPU, e.Load,
		e.Spinners, e.Others, e.Rounds, e.Window); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if err := printf(t, "what\twhere\tcallers\tlatency\tp99\tper second\t× floor\tCPU: peer\tchaincode\t× floor\tallocs: peer\tchaincode\n"); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if err := row.write(t); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return errors.Wrap(err, "write table")
	}
	for _, target := range r.Targets {
		if err := target.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (r Row) write(w io.Writer) error {
	const micro = float64(time.Microsecond)
	m := r.Median
	return printf(w, "%s\t%s\t%d\t%s\t%.1f\t%s\t%s\t%.2f\t%.2f\t%s\t%.1f\t%.1f\n",
		r.Op, r.where(), r.Callers, spread(r.Latency, micro, 1), m.P99/micro, spread(r.PerSecond, 1, 0), ratio(r.TimeRatio),
		m.PeerCPU/micro, m.ChaincodeCPU/micro, ratio(r.CPURatio), m.PeerAllocs, m.ChaincodeAllocs)
}

func spread(q stats.Quartiles, unit float64, digits int) string {
	return fmt.Sprintf("%.*f [%.*f %.*f]", digits, q.Median/unit, digits, q.Q1/unit, digits, q.Q3/unit)
}

func ratio(q *stats.Quartiles) string {
	if q == nil || math.IsNaN(q.Median) {
		return "-"
	}
	return spread(*q, 1, 2)
}

func printf(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return errors.Wrap(err, "write report")
}
