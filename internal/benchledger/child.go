package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pkg/errors"
)

// Sample is what a process has measured in one round.
type Sample struct {
	Error string `json:",omitempty"`

	Blocks      []Block
	Simulations float64         `json:",omitempty"` // a second
	Indexed     []time.Duration `json:",omitempty"` // of a query
	Unindexed   []time.Duration `json:",omitempty"`
	Large       *Large          `json:",omitempty"`
}

// serve measures one store: it answers each round that it is asked for with a Sample, the first one when it is filled.
func serve(ctx context.Context, cfg Config, in io.Reader, out io.Writer) (err error) {
	if cfg.Envelopes > 0 {
		return serveLarge(ctx, cfg, in, out)
	}
	e, err := engineNamed(cfg.Engine)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	s, end, err := e.open(ctx)
	defer func() {
		if ending := end(); err == nil {
			err = ending
		}
	}()
	if err != nil {
		return answers.Encode(Sample{Error: err.Error()})
	}
	b, err := newBench(ctx, cfg, s)
	if err == nil && e.local {
		err = b.fillDocuments(ctx, cfg.Documents)
	}
	if err == nil { // what is slow once only
		_, err = b.measureBlocks(ctx, 2)
	}
	if err != nil {
		return answers.Encode(Sample{Error: err.Error()})
	}
	return answer(in, out, func(round int) (Sample, error) { return b.measureRound(ctx, cfg, e, round) })
}

// answer says that everything is filled, and answers each round that is asked for.
func answer(in io.Reader, out io.Writer, measure func(round int) (Sample, error)) error {
	answers, rounds := json.NewEncoder(out), json.NewDecoder(in)
	if err := answers.Encode(Sample{}); err != nil {
		return err
	}
	for round := 0; ; {
		if err := rounds.Decode(&round); err == io.EOF {
			return nil
		} else if err != nil {
			return errors.Wrap(err, "read round")
		}
		sample, err := measure(round)
		if err != nil {
			sample = Sample{Error: err.Error()}
		}
		if err := answers.Encode(sample); err != nil {
			return err
		}
	}
}

func (b *bench) measureRound(ctx context.Context, cfg Config, e engine, round int) (s Sample, err error) {
	if s.Blocks, err = b.measureBlocks(ctx, cfg.Blocks); err != nil || !e.local {
		return s, err
	}
	if s.Simulations, err = b.measureSimulations(ctx, time.Duration(cfg.Seconds*float64(time.Second))); err != nil {
		return s, err
	}
	want := cfg.Documents / b.owners
	for i := range 21 {
		took, err := b.measureQuery(ctx, "owner", round*31+i, want)
		if err != nil {
			return s, err
		}
		s.Indexed = append(s.Indexed, took)
	}
	took, err := b.measureQuery(ctx, "holder", round, want)
	s.Unindexed = []time.Duration{took}
	return s, err
}

// process is one that measures a store.
type process struct {
	engine
	cmd     *exec.Cmd
	rounds  io.WriteCloser
	samples *json.Decoder
}

// startProcess starts one. It is filled when ready returns.
func startProcess(ctx context.Context, cfg Config, e engine, stderr io.Writer) (*process, error) {
	cfg.Engine = e.name
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "encode configuration")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Wrap(err, "find this program")
	}
	p := &process{engine: e, cmd: exec.CommandContext(ctx, self, "-child", string(text))}
	p.cmd.Stderr = stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) } // its servers must end too
	if p.rounds, err = p.cmd.StdinPipe(); err != nil {
		return nil, errors.Wrap(err, "make pipe")
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Wrap(err, "make pipe")
	}
	p.samples = json.NewDecoder(out)
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Wrapf(err, "start process for %s", e.name)
	}
	return p, nil
}

// sample returns the next one.
func (p *process) sample() (Sample, error) {
	var s Sample
	if err := p.samples.Decode(&s); err != nil {
		return s, errors.Wrapf(err, "measure %s", p.name)
	}
	if s.Error != "" {
		return s, errors.Errorf("measure %s: %s", p.name, s.Error)
	}
	return s, nil
}

// round has the process measure one.
func (p *process) round(n int) (Sample, error) {
	if err := json.NewEncoder(p.rounds).Encode(n); err != nil {
		return Sample{}, errors.Wrapf(err, "measure %s", p.name)
	}
	return p.sample()
}

// end waits until nothing of it is left.
func (p *process) end() error {
	_ = p.rounds.Close() // it ends with its input
	return errors.WithMessagef(p.cmd.Wait(), "process for %s", p.name)
}
