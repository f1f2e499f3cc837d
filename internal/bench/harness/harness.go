// Package harness measures what running chaincode costs, and how that compares with a bare gRPC stream on the same
// machine at the same time.
//
// It runs rounds. In each, every process is started afresh and every measurement is taken once, one after the other,
// each round beginning at another one. Figures are medians over the rounds; a ratio is taken within each round, and
// the median is of those.
package harness

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/pkg/errors"
)

// Config says how long to measure.
type Config struct {
	// Rounds is at least 1.
	Rounds int
	// Window is how long each measurement of a round lasts.
	Window time.Duration
	// Spin keeps the CPUs awake while measuring.
	Spin bool
	// Progress gets a line for each round.
	Progress io.Writer
}

// Measurement names something that is measured once a round.
type Measurement struct {
	Setup   string `json:"setup"`
	Network string `json:"network,omitempty"`
	Op      string `json:"op"`
	Callers int    `json:"callers"`
}

func (m Measurement) where() string {
	if m.Network == "" {
		return m.Setup
	}
	return m.Setup + ", " + m.Network
}

// Round is what one round gave.
type Round []Measured

// Measured is a measurement with its figures.
type Measured struct {
	Measurement
	Figures
}

// step is a measurement, and how it is taken.
type step struct {
	Measurement
	setup int
	op    op
}

func steps(plan []setup) []step {
	var all []step
	for i, s := range plan {
		for _, o := range s.ops {
			for _, callers := range o.callers {
				all = append(all, step{Measurement{s.name, s.network, o.name, callers}, i, o})
			}
		}
	}
	return all
}

// Run measures until all rounds are done or ctx has ended.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Rounds < 1 || cfg.Window <= 0 {
		return nil, errors.Errorf("%d rounds of %s windows: want at least one round and a window above 0", cfg.Rounds, cfg.Window)
	}
	env := environment(cfg)
	awake, err := keepAwake(cfg.Spin)
	if err != nil {
		return nil, err
	}
	plan := setups()
	all := steps(plan)
	rounds, err := runRounds(ctx, cfg, plan, all)
	if endErr := awake.end(&env); err == nil {
		err = endErr
	}
	if err != nil {
		return nil, err
	}
	return newReport(env, all, rounds), nil
}

func runRounds(ctx context.Context, cfg Config, plan []setup, all []step) ([]Round, error) {
	rounds := make([]Round, cfg.Rounds)
	for r := range rounds {
		began := time.Now()
		var err error
		if rounds[r], err = runRound(ctx, plan, rotate(all, r*len(all)/cfg.Rounds), cfg.Window); err != nil {
			return nil, errors.WithMessagef(err, "round %d", r+1)
		}
		if err := printf(cfg.Progress, "round %d of %d: %s\n", r+1, cfg.Rounds, time.Since(began).Round(time.Millisecond)); err != nil {
			return nil, err
		}
	}
	return rounds, nil
}

func rotate(all []step, by int) []step {
	return append(append(make([]step, 0, len(all)), all[by:]...), all[:by]...)
}

func runRound(ctx context.Context, plan []setup, order []step, window time.Duration) (round Round, err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, errors.Wrap(err, "make folder for sockets")
	}
	running := make([]*processes, 0, len(plan))
	defer func() {
		for _, p := range running {
			if closeErr := p.close(); err == nil {
				err = closeErr
			}
		}
		if removeErr := os.RemoveAll(folder); err == nil {
			err = errors.Wrap(removeErr, "remove folder of sockets")
		}
	}()
	for _, s := range plan {
		p, err := s.start(s.network, folder)
		if err != nil {
			return nil, errors.WithMessagef(err, "start %s %s", s.name, s.network)
		}
		running = append(running, p)
	}
	for _, s := range order {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := running[s.setup].measure(s.op, s.Callers, window)
		if err != nil {
			return nil, errors.WithMessagef(err, "measure %s at %d callers, %s", s.Op, s.Callers, s.where())
		}
		round = append(round, Measured{s.Measurement, f})
	}
	return round, nil
}
