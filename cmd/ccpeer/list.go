package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ccpeer/ccpeer/chaincodesupport"
)

// listQuestion asks for the chaincodes.
type listQuestion struct{}

// listJSON are the chaincodes of a peer. It is what --json prints.
type listJSON struct {
	Chaincodes []chaincodeJSON `json:"chaincodes"`

	wide bool // print errors whole, with what was printed before
}

type chaincodeJSON struct {
	Peer      string     `json:"peer"`
	Name      string     `json:"name"`
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Runtime   string     `json:"runtime"`
	Since     *time.Time `json:"since,omitempty"`  // of the state; nil: it never had another
	Uptime    float64    `json:"uptime,omitempty"` // how long it has been ready, in seconds
	Restarts  int        `json:"restarts"`
	InFlight  int        `json:"inFlight"`
	LastError string     `json:"lastError,omitempty"`
	// LastOutput is what it printed before that, in lines.
	LastOutput string `json:"lastOutput,omitempty"`
}

// notLaunched is the state of a chaincode that nobody has called yet.
const notLaunched = "not launched"

// list answers a listQuestion.
func (n *node) list(context.Context, listQuestion) (*listJSON, error) {
	l := &listJSON{Chaincodes: []chaincodeJSON{}}
	for _, h := range n.homes {
		known := map[string]chaincodeJSON{} // by chaincode ID
		for name, c := range n.cfg.chaincodes {
			known[c.id] = chaincodeJSON{Name: name, ID: c.id, State: notLaunched, Runtime: c.kind()}
		}
		for _, s := range h.support.List() {
			known[s.ChaincodeID] = known[s.ChaincodeID].with(s)
		}
		for _, id := range slices.Sorted(maps.Keys(known)) {
			c := known[id]
			c.Peer = h.name
			l.Chaincodes = append(l.Chaincodes, c)
		}
	}
	return l, nil
}

// with is what is known of a chaincode, completed by how it is.
func (c chaincodeJSON) with(s chaincodesupport.Status) chaincodeJSON {
	if c.ID == "" || s.External && c.Runtime != byAttach {
		c.ID, c.Runtime = s.ChaincodeID, byItself
		c.Name, _, _ = strings.Cut(s.ChaincodeID, ":")
	}
	c.State, c.Since, c.Restarts, c.InFlight = s.State.String(), &s.Since, s.Restarts, s.InFlight
	if s.State == chaincodesupport.Ready {
		c.Uptime = time.Since(s.Since).Seconds()
	}
	if s.LastError != nil {
		c.LastError, c.LastOutput = s.LastError.Error(), strings.Join(outputOf(s.LastError), "\n")
	}
	return c
}

func listCommand() *cobra.Command {
	var f lookFlags
	var wide bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the chaincodes of a peer, and how they are",
		Long: `Shows the chaincodes that a peer has, and how each is: its name, as -n of ccpeer invoke wants it; its chaincode ID; its state;
what runs it; how long it has been ready; how often it was launched again after it had ended or failed; how many
transactions are running on it; and why it last ended or failed, if nobody had asked it to. A long reason is cut. --wide shows
all of it, and below it what the chaincode printed.

The states are: not launched, launching, ready, ending, restarting (it has failed, and will be launched again), stopped
(nothing of it is running; the next call launches it). What runs it is process, server, package or attach, as
the peer is configured, or dev for one that has connected by itself to a peer with --dev.

JSON: {"chaincodes": [{"peer", "name", "id", "state", "runtime", "since", "uptime", "restarts", "inFlight", "lastError",
"lastOutput"}]}; since is when the chaincode came into its state, uptime is in seconds, lastError is the whole reason, and
lastOutput is what the chaincode printed before that, in lines. These four are left out if there is none.`,
		Example: `  ccpeer chaincode list
  ccpeer chaincode list --wide
  ccpeer chaincode list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.look(cmd, chaincodesPath, listQuestion{}, &listJSON{wide: wide})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&wide, "wide", false, "show whole errors, and what the chaincode printed")
	f.addWithoutChannel(cmd)
	return cmd
}

func (l *listJSON) print(w io.Writer, s style) {
	var b bytes.Buffer
	t := newTable(&b)
	several := slices.ContainsFunc(l.Chaincodes, func(c chaincodeJSON) bool { return c.Peer != l.Chaincodes[0].Peer })
	on := func(peer string) string {
		if several {
			return peer + "\t"
		}
		return ""
	}
	t.row("%sNAME\tID\tSTATE\tRUNTIME\tUPTIME\tRESTARTS\tIN FLIGHT\tLAST ERROR", on("PEER"))
	more := [][]string{nil} // what stands below each line
	for _, c := range l.Chaincodes {
		uptime := "-"
		if c.State == chaincodesupport.Ready.String() {
			uptime = showUptime(c.Uptime)
		}
		failure, below := c.failure(l.wide)
		if failure != "" {
			failure = s.red(failure)
		}
		more = append(more, below)
		t.row("%s%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s", on(c.Peer), shown(c.Name), shown(abbreviate(c.ID)), c.State, c.Runtime, uptime, c.Restarts, c.InFlight, failure)
	}
	_ = t.Flush()
	for i, line := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ") // of what has no last error
		if i == 0 {
			line = s.bold(line)
		}
		_, _ = fmt.Fprintln(w, line)
		printOutput(w, more[i])
	}
}

// failure returns why a chaincode last ended, in one line, and what there is to say below it.
func (c *chaincodeJSON) failure(wide bool) (failure string, below []string) {
	switch {
	case c.LastError == "":
		return "", nil
	case !wide:
		return shown(c.LastError), nil
	}
	lines := strings.Split(c.LastError, "\n")
	if c.LastOutput != "" {
		lines = append(lines, strings.Split(c.LastOutput, "\n")...)
	}
	return strings.ReplaceAll(visible(lines[0]), "\t", " "), lines[1:] // a tab would end the cell
}

// showUptime is a time in seconds, without those that are of no interest.
func showUptime(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}
