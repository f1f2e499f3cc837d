// Command release does what a repository of several modules needs when they are published. RELEASING.md says when.
//
//	release check            gets, builds and installs what is published, as a stranger would
//	release tidy [-check]    makes every go.mod and go.sum say what the code needs, or checks that they do
//	release raise VERSION    has every module require the published ones at a version
//
// It runs at the top of the repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/pkg/errors"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("want release check, release tidy [-check] or release raise VERSION")

// run runs a command line in the repository that the working directory is the top of.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	t, err := load(".")
	if err != nil {
		return err
	}
	switch command, args := args[0], args[1:]; {
	case command == "check" && len(args) == 0:
		return check(ctx, t, out)
	case command == "tidy":
		flags := flag.NewFlagSet("tidy", flag.ContinueOnError)
		flags.SetOutput(io.Discard) // errUsage says what there is
		only := flags.Bool("check", false, "change nothing, and fail if something would change")
		if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
			return errUsage
		}
		return tidy(ctx, t, *only, out)
	case command == "raise" && len(args) == 1:
		return raise(t, args[0])
	}
	return errUsage
}
