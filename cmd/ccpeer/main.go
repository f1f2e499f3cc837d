// Command ccpeer is a small peer that runs chaincode, and the client to it.
//
//	ccpeer demo      starts a peer with two example chaincodes, and shows a session with them
//	ccpeer serve     starts a peer
//	ccpeer invoke    runs a transaction on it, and commits what the transaction wrote
//	ccpeer query     runs a transaction on it, and shows the answer
//	ccpeer block     shows a block, and what became of its transactions
//	ccpeer tx        shows what a transaction read and wrote
//	ccpeer state     shows a key: value, version, metadata and history
//	ccpeer explain   shows which index a rich query uses
//	ccpeer events    shows the events of a chaincode, or all transactions, as they are committed
//	ccpeer chaincode list    shows the chaincodes, and how they are
//	ccpeer env       shows what an application of Fabric needs to connect to it
//
// It is an example of how a peer is made from this library: see node.go. It has no consensus.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1   // the transaction, or anything else
	exitUsage  = 2   // the command line makes no sense
	exitAtOnce = 130 // a second Ctrl-C: the status that a shell gives to an end by one
)

func main() {
	ctx, end := context.WithCancelCause(context.Background())
	// Both are asked for at once: the second may come before anybody has seen the first.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		end(errors.Errorf("%s signal received", <-signals))
		<-signals
		os.Exit(exitAtOnce) // a second Ctrl-C doesn't wait for anything
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command line, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	started := false
	root := &cobra.Command{
		Use:               "ccpeer",
		Short:             "A small peer that runs chaincode, and the client to it",
		Long:              "A small peer that runs chaincode, and the client to it. Start with: ccpeer demo",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		// What goes wrong before a command has started is the command line's fault.
		PersistentPreRun: func(*cobra.Command, []string) { started = true },
	}
	root.AddCommand(demoCommand(), serveCommand(), invokeCommand(), queryCommand(), chaincodeCommand(),
		blockCommand(), txCommand(), stateCommand(), explainCommand(), eventsCommand(), envCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	printError(stderr, err)
	if started && !errors.As(err, new(usageError)) {
		return exitFailed
	}
	_, _ = fmt.Fprintf(stderr, "See: %s --help\n", cmd.CommandPath())
	return exitUsage
}

// chaincodeCommand has what is about chaincodes, and is for fingers that have typed "peer chaincode invoke" for years.
func chaincodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "chaincode",
		Short: "List the chaincodes; and the same invoke and query, where Fabric's peer has them",
		RunE: func(*cobra.Command, []string) error {
			return usagef("want ccpeer chaincode list, ccpeer chaincode invoke or ccpeer chaincode query")
		},
	}
	cmd.AddCommand(listCommand(), invokeCommand(), queryCommand())
	return cmd
}

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }
