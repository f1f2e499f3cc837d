package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/stats"
)

// Report is what was measured.
type Report struct {
	Config Config
	CPUs   int
	// Load is the load average of the last minute before the first round, and of the rounds' last one. The program's own
	// work is in it.
	LoadBefore, LoadAfter string
	Rows                  []Row
}

// Row is one figure of one store.
type Row struct {
	Engine, What string
	// Figure is the median over the rounds, of each one's median where it has several. The 99th percentile is over all.
	Figure, LowerQuartile, UpperQuartile float64
	Unit                                 string
	// Target is what the figure should be at least, or at most if AtMost; 0 is none.
	Target float64
	AtMost bool
}

// missed says whether the target is missed.
func (r Row) missed() bool {
	return r.Target > 0 && (r.AtMost && r.Figure >= r.Target || !r.AtMost && r.Figure < r.Target)
}

// measure fills every store and measures round by round.
func measure(ctx context.Context, cfg Config, names []string, progress io.Writer) (report *Report, err error) {
	var all []*process
	defer func() {
		for _, p := range all {
			if ending := p.end(); err == nil {
				err = ending
			}
		}
	}()
	for _, name := range names {
		e, err := engineNamed(name)
		if err != nil {
			return nil, err
		}
		_, _ = fmt.Fprintf(progress, "filling %s\n", name)
		p, err := startProcess(ctx, cfg, e, progress)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		if _, err := p.sample(); err != nil {
			return nil, err
		}
	}
	report = &Report{Config: cfg, CPUs: runtime.NumCPU(), LoadBefore: load()}
	samples := map[string][]Sample{}
	for round := range cfg.Rounds {
		_, _ = fmt.Fprintf(progress, "round %d of %d\n", round+1, cfg.Rounds)
		for i := range all {
			p := all[(i+round)%len(all)] // each is first once
			s, err := p.round(round)
			if err != nil {
				return nil, err
			}
			samples[p.name] = append(samples[p.name], s)
		}
	}
	report.LoadAfter = load()
	for _, p := range all {
		report.Rows = append(report.Rows, rows(p.engine, samples[p.name])...)
	}
	return report, nil
}

// load returns the load average of the last minute, or "unknown".
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// targets are those of a machine with two CPUs, by engine and what is measured.
var targets = map[string]Row{
	"memory simulate and commit": {Target: 15_000}, "pebble simulate and commit": {Target: 10_000},
	"postgres simulate and commit": {Target: 5_000}, "etcd simulate and commit": {Target: 2_000},
	"pebble block, 99th percentile": {Target: 100, AtMost: true},
	"memory simulations":            {Target: 40_000}, "pebble simulations": {Target: 40_000},
	"memory query with an index": {Target: 5, AtMost: true}, "pebble query with an index": {Target: 5, AtMost: true},
}

func rows(e engine, samples []Sample) []Row {
	var whole, commit, simulations, indexed, unindexed, blocks []float64
	for _, s := range samples {
		var both, second []float64
		for _, b := range s.Blocks {
			both, second = append(both, ms(b.Simulate+b.Commit)), append(second, ms(b.Commit))
		}
		blocks = append(blocks, both...)
		whole = append(whole, blockSize*1000/median(both))
		commit = append(commit, blockSize*1000/median(second))
		if e.local {
			simulations = append(simulations, s.Simulations)
			indexed = append(indexed, median(all(s.Indexed)))
			unindexed = append(unindexed, median(all(s.Unindexed)))
		}
	}
	slices.Sort(blocks)
	p99 := stats.Quantile(blocks, 0.99)
	rows := []Row{
		row(e, "simulate and commit", "tx/s", whole), row(e, "commit alone", "tx/s", commit),
		row(e, "block, 99th percentile", "ms", []float64{p99}),
	}
	if e.local {
		rows = append(rows, row(e, "simulations", "/s", simulations), row(e, "query with an index", "ms", indexed),
			row(e, "query without one", "ms", unindexed))
	}
	return rows
}

func row(e engine, what, unit string, values []float64) Row {
	q := stats.QuartilesOf(values)
	r := targets[e.name+" "+what]
	r.Engine, r.What, r.Unit, r.Figure, r.LowerQuartile, r.UpperQuartile = e.name, what, unit, q.Median, q.Q1, q.Q3
	return r
}

func all(durations []time.Duration) []float64 {
	var values []float64
	for _, d := range durations {
		values = append(values, ms(d))
	}
	return values
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(values []float64) float64 { return stats.QuartilesOf(values).Median }

// write prints the report for a person. A target that is missed is an error, at the end.
func (r *Report) write(w io.Writer) error {
	c := r.Config
	_, _ = fmt.Fprintf(w, "Blocks of %d transactions of 2 reads and 2 writes over %d keys (etcd: %d) of %d bytes, every block synced.\n"+
		"Simulated by %d callers, then committed; the 99th percentile is of both, over %d blocks. Simulations: a snapshot\n"+
		"and 2 reads, on all CPUs. Queries: %d hits in %d documents. Medians of %d rounds; %d CPUs, load %s before, %s after.\n\n",
		blockSize, c.Keys, c.EtcdKeys, valueSize, callers, c.Rounds*c.Blocks, min(hits, c.Documents), c.Documents, c.Rounds, r.CPUs, r.LoadBefore, r.LoadAfter)
	_, _ = fmt.Fprintf(w, "%-9s %-23s %11s %-5s %-23s %s\n", "store", "", "median", "", "quartiles", "target")
	missed := 0
	for _, row := range r.Rows {
		target := ""
		if row.Target > 0 {
			target = fmt.Sprintf(">= %.0f", row.Target)
			if row.AtMost {
				target = fmt.Sprintf("< %.0f", row.Target)
			}
			if row.missed() {
				missed++
				target += "  MISSED"
			} else {
				target += "  ok"
			}
		}
		quartiles := fmt.Sprintf("%.*f - %.*f", digits(row.Figure), row.LowerQuartile, digits(row.Figure), row.UpperQuartile)
		_, _ = fmt.Fprintf(w, "%-9s %-23s %11.*f %-5s %-23s %s\n", row.Engine, row.What, digits(row.Figure), row.Figure, row.Unit, quartiles, target)
	}
	_, _ = fmt.Fprintln(w)
	for _, e := range engines() {
		if e.note != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", e.name, e.note)
		}
	}
	if missed > 0 {
		return errors.Errorf("%d targets are missed", missed)
	}
	return nil
}

func digits(figure float64) int {
	if figure < 100 {
		return 2
	}
	return 0
}
