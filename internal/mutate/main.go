// Command mutate shows what the tests don't notice. It makes small faults in a package, one at a time: a condition is
// negated, a statement removed, an operator or a number changed. It runs the package's tests on each. A fault that they pass
// has survived.
//
// A survivor is either a gap in the tests, to be closed, or harmless. The harmless ones are in a list, each with its reason.
// One that isn't in the list fails the run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// settings are the flags.
type settings struct {
	seed  uint64
	count int
	limit time.Duration
	list  string
	short bool
}

func main() {
	var s settings
	flag.Uint64Var(&s.seed, "seed", 1, "`number` that the sample depends on")
	flag.IntVar(&s.count, "n", 20, "`number` of mutants of each package; 0 means all")
	flag.DurationVar(&s.limit, "limit", 2*time.Minute, "how `long` the tests of a mutant may take")
	flag.StringVar(&s.list, "survivors", "internal/mutate/survivors.txt", "`file` that lists harmless survivors")
	flag.BoolVar(&s.short, "short", false, "run the tests with -short")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, s, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1) //nolint:gocritic // nothing is left for stop to do
	}
}

// run mutates the packages of folders.
func run(ctx context.Context, w io.Writer, s settings, folders []string) error {
	text, err := os.ReadFile(s.list)
	if err != nil {
		return errors.Wrap(err, "read list of survivors")
	}
	reasons, err := parseList(string(text))
	if err != nil {
		return errors.Wrapf(err, "read %s", s.list)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return errors.Wrap(err, "make folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := &runner{limit: s.limit, dir: dir}
	if s.short {
		r.flags = []string{"-short"}
	}
	var unknown []string
	for _, folder := range folders {
		found, err := s.mutate(ctx, w, r, folder, reasons)
		if err != nil {
			return err
		}
		unknown = append(unknown, found...)
	}
	if len(unknown) > 0 {
		return errors.Errorf("%d survivors are not in %s: have a test notice each, or list it with the reason why it is harmless:\n%s",
			len(unknown), s.list, strings.Join(unknown, "\n"))
	}
	return nil
}

// mutate tries a package's mutants until it has tried as many as it should. It returns the survivors without a reason.
func (s settings) mutate(ctx context.Context, w io.Writer, r *runner, folder string, reasons map[string]string) ([]string, error) {
	mutants, err := mutantsOf(folder, s.seed)
	if err != nil {
		return nil, err
	}
	if err := r.baseline(ctx, folder); err != nil {
		return nil, err
	}
	var unknown []string
	counts := map[outcome]int{}
	for _, m := range mutants {
		if s.count > 0 && counts[killed]+counts[survived] == s.count {
			break
		}
		o, err := r.try(ctx, m)
		if err != nil {
			return nil, errors.Wrapf(err, "try %s", m)
		}
		counts[o]++
		if o == unborn {
			continue
		}
		_, _ = fmt.Fprintf(w, "%s %s:%d %s\n", o, m.file, m.line, m)
		if o == survived && reasons[m.String()] == "" {
			unknown = append(unknown, m.String())
		}
	}
	_, _ = fmt.Fprintf(w, "%s: seed %d, %d of %d mutants: %d killed, %d survived\n",
		folder, s.seed, counts[killed]+counts[survived], len(mutants)-counts[unborn], counts[killed], counts[survived])
	return unknown, nil
}
