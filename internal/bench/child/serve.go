package child

import (
	"encoding/json"
	"io"
	"runtime"

	"github.com/pkg/errors"
)

// Service is what a child does in its role.
type Service struct {
	// Address is passed to Process.Address.
	Address string
	// Run runs a load and returns a function that says what came of it. Only Run counts towards the sample's Usage,
	// and it is Serve that fills that in. Nil for a child that drives no load.
	Run func(Load) (func() Sample, error)
	// Close ends the service. Nil if there is nothing to end.
	Close func() error
}

// Serve is a child's main loop: it says that the child is ready, or that it could not get ready, which is what
// startErr is for, and then answers orders from in until there are no more.
func Serve(in io.Reader, out io.Writer, s Service, startErr error) error {
	replies, orders := json.NewEncoder(out), json.NewDecoder(in)
	if startErr != nil {
		return errors.Wrap(replies.Encode(reply{Error: startErr.Error()}), "report error")
	}
	if s.Close == nil {
		s.Close = func() error { return nil }
	}
	allowed, err := allowedCPUs()
	if err == nil {
		err = answer(orders, replies, &worker{Service: s, allowed: allowed})
	}
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return err
}

// worker is a Service at work.
type worker struct {
	Service
	allowed cpuSet // what the process could use at its start
}

func answer(orders *json.Decoder, replies *json.Encoder, w *worker) error {
	r := reply{Address: w.Address}
	for {
		if err := replies.Encode(r); err != nil {
			return errors.Wrap(err, "write reply")
		}
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return errors.Wrap(err, "read order")
		}
		r = w.execute(o)
	}
}

func (w *worker) execute(o order) reply {
	var r reply
	var err error
	switch {
	case o.Load != nil:
		r.Sample, err = w.run(*o.Load)
	case o.CPUs != nil:
		err = w.bind(o.CPUs.One)
	default:
		r.Usage, err = usage()
	}
	if err != nil {
		return reply{Error: err.Error()}
	}
	return r
}

func (w *worker) bind(one bool) error {
	set := w.allowed
	if one {
		set, _ = w.allowed.nth(0) // a process has a CPU
	}
	return bindProcess(set)
}

func (w *worker) run(l Load) (Sample, error) {
	if w.Run == nil {
		return Sample{}, errors.Errorf("this process cannot run %q: it drives no load", l.Op)
	}
	before, err := usage()
	if err != nil {
		return Sample{}, err
	}
	summarize, err := w.Run(l)
	if err != nil {
		return Sample{}, errors.WithMessagef(err, "run %q", l.Op)
	}
	after, err := usage()
	if err != nil {
		return Sample{}, err
	}
	sample := summarize()
	sample.Usage = after.Sub(before)
	return sample, nil
}

func usage() (Usage, error) {
	cpu, err := cpuTime()
	if err != nil {
		return Usage{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{CPU: cpu, Mallocs: m.Mallocs}, nil
}
