// Command benchledger measures the reference ledger on every store that there is: blocks that are simulated and committed,
// simulations, and rich queries. It is what "make bench-ledger" runs.
//
// Each store is used by a process of its own, so that none has to collect another one's garbage, and the processes take
// turns: a round has every measurement once.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

func main() {
	etcdtest.Main() // does not return in a node of a cluster
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "benchledger:", err) // there is nowhere else to say so
		os.Exit(1)
	}
}

// Config says what is measured. It is given to the processes as JSON.
type Config struct {
	Engine string // of a process that measures one; empty in the one that was started by hand

	Keys      int // that exist
	EtcdKeys  int // in etcd
	Documents int
	Rounds    int
	Blocks    int // of a round
	Envelopes int // blocks, if it is measured where to keep them; 0 measures everything else
	// Seconds is how long simulations are measured in a round.
	Seconds float64
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("benchledger", flag.ContinueOnError)
	cfg := Config{Keys: 1_000_000, EtcdKeys: 50_000, Documents: 200_000, Seconds: 1}
	names := flags.String("engines", strings.Join(engineNames(), ","), "which `stores`")
	flags.IntVar(&cfg.Rounds, "rounds", 7, "number of `rounds`")
	flags.IntVar(&cfg.Blocks, "blocks", 30, "`blocks` of a round")
	short := flags.Bool("short", false, "a few thousand keys and 2 rounds, to see that it works; the figures mean nothing")
	asJSON := flags.Bool("json", false, "print JSON")
	flags.IntVar(&cfg.Envelopes, "envelopes", 0, "measure instead where to keep large blocks, with so many `blocks`")
	child := flags.String("child", "", "for the program's own use")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *child != "" {
		if err := json.Unmarshal([]byte(*child), &cfg); err != nil {
			return errors.Wrap(err, "decode configuration")
		}
		return serve(ctx, cfg, os.Stdin, out)
	}
	if flags.NArg() > 0 {
		return errors.Errorf("unexpected argument %q: there are only flags, see -help", flags.Arg(0))
	}
	if *short {
		cfg = Config{Keys: 5000, EtcdKeys: 2000, Documents: 4000, Rounds: 2, Blocks: 2, Seconds: 0.1, Envelopes: min(cfg.Envelopes, 1)}
	}
	if cfg.Rounds < 1 || cfg.Blocks < 1 {
		return errors.Errorf("-rounds %d and -blocks %d must be at least 1", cfg.Rounds, cfg.Blocks)
	}
	if cfg.Envelopes > 0 {
		return measureLarge(ctx, cfg, out, progress)
	}
	report, err := measure(ctx, cfg, strings.Split(*names, ","), progress)
	if err != nil {
		return err
	}
	if !*asJSON {
		return report.write(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}
