// Command bench measures what running chaincode costs: see package harness. It is what "make bench" runs.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/harness"
)

func main() {
	if harness.IsChild(os.Args[1:]) {
		exit(harness.RunChild(os.Args[1:], os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func exit(err error) {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	default:
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err) // there is nowhere else to say so
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	cfg := harness.Config{Progress: progress}
	flags.IntVar(&cfg.Rounds, "rounds", 7, "number of `rounds`: every measurement is taken once in each")
	flags.DurationVar(&cfg.Window, "window", time.Second, "how `long` each measurement of a round lasts")
	flags.BoolVar(&cfg.Spin, "spin", true, "keep the CPUs awake with idle-priority processes")
	short := flags.Bool("short", false, "under a minute: 3 rounds of 200 ms windows, whatever the other flags say")
	asJSON := flags.Bool("json", false, "print JSON, with each round's figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.Errorf("unexpected argument %q: there are only flags, see -help", flags.Arg(0))
	}
	if *short {
		cfg.Rounds, cfg.Window = 3, 200*time.Millisecond
	}
	report, err := harness.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if !*asJSON {
		return report.WriteTable(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return errors.Wrap(encoder.Encode(report), "write JSON")
}
