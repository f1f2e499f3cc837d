package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// step is a call of the demo, and what must come of it.
type step struct {
	title     string
	query     bool // commit nothing
	chaincode string
	args      []string
	fails     bool     // the chaincode must refuse
	answers   []string // what must be in the payload, or in the message of one that fails
}

// session is what the demo shows.
var session = [...]step{
	{title: "Create an asset", chaincode: "asset", args: []string{"Create", "a1", "blue", "tom"}, answers: []string{"blue"}},
	{title: "Read it", query: true, chaincode: "asset", args: []string{"Read", "a1"}, answers: []string{`"color":"blue"`, `"owner":"tom"`}},
	{title: "Update it", chaincode: "asset", args: []string{"Update", "a1", "red"}, answers: []string{`"color":"red"`}},
	{title: "Transfer it", chaincode: "asset", args: []string{"Transfer", "a1", "ann"}, answers: []string{`"owner":"ann"`}},
	{title: "Create another", chaincode: "asset", args: []string{"Create", "a2", "green", "tom"}, answers: []string{"a2"}},
	{title: "List a range of them", query: true, chaincode: "asset", args: []string{"List", "a1", "a9"}, answers: []string{`"a1"`, `"a2"`}},
	{title: "Delete one", chaincode: "asset", args: []string{"Delete", "a2"}, answers: []string{"a2"}},
	{title: "Read what isn't there", query: true, chaincode: "asset", args: []string{"Read", "a2"}, fails: true, answers: []string{"does not exist"}},
	{title: "Sell one: chaincode market calls chaincode asset", chaincode: "market", args: []string{"Sell", "a1", "eve", "100"}, answers: []string{"eve"}},
	{title: "What the call changed in asset", query: true, chaincode: "asset", args: []string{"Read", "a1"}, answers: []string{`"owner":"eve"`}},
	{title: "All that it has been", query: true, chaincode: "asset", args: []string{"History", "a1"}, answers: []string{"blue", "red", "ann", "eve"}},
}

func demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a peer with two example chaincodes, and show a session with them",
		Long: `Starts a peer in this process and two example chaincodes as processes of their own, asset and market. Runs a session
with them, and shows for each call the command that would do the same by hand, the messages that peer and chaincode
exchange, and the result. Exits with 0 if everything came out as it should.`,
		Example: `  peer demo
  peer demo --chaincode-dir ./bin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd, dir) },
	}
	cmd.Flags().StringVar(&dir, "chaincode-dir", "", "folder of the programs asset and market (default the folder of this program)")
	return cmd
}

func demo(cmd *cobra.Command, dir string) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	programs, err := findChaincodes(dir)
	if err != nil {
		return err
	}
	log, err := newLogger(cmd.ErrOrStderr(), "warn")
	if err != nil {
		return err
	}
	at, err := parseAddress("127.0.0.1:0")
	if err != nil {
		return err
	}
	d := &demonstration{out: out, style: styleFor(out), trace: new(trace)}
	d.node, err = startNode(ctx, nodeConfig{
		listen: at, channels: []string{defaultChannel}, chaincodes: programs, observer: d.trace, log: log,
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if closeErr := d.node.close(closing); err == nil {
			err = closeErr
		}
	}()
	return d.run(ctx)
}

// demonstration shows the session on a node.
type demonstration struct {
	node  *node
	trace *trace
	out   io.Writer
	style style
}

func (d *demonstration) run(ctx context.Context) error {
	d.printf("A peer listens at %s, with its ledger in memory. The messages between peer and chaincode are\n", d.node.cfg.listen)
	d.printf("shown with → where the chaincode sends, with ← where the peer does.\n")
	for _, name := range exampleChaincodes {
		d.heading("Launch chaincode "+name, d.node.cfg.chaincodes[name].path)
		if err := d.node.support.Launch(ctx, name+":"+version); err != nil {
			return errors.Wrapf(err, "launch %s", name)
		}
		printLines(d.out, d.style, d.trace.take())
	}
	for _, s := range session {
		if err := d.step(ctx, s); err != nil {
			return errors.WithMessagef(err, "%s", s.title)
		}
	}
	d.printf("\n%s\n", d.style.bold(fmt.Sprintf("All %d calls came out as they should.", len(session))))
	d.printf("To try it by hand: peer serve in one terminal, the commands above in another, where peer is %s.\n", os.Args[0])
	return nil
}

// step runs a call, shows it, and checks what came of it.
func (d *demonstration) step(ctx context.Context, s step) error {
	c := call{Channel: defaultChannel, Chaincode: s.chaincode}
	for _, a := range s.args {
		c.Args = append(c.Args, []byte(a))
	}
	d.heading(s.title, s.command())
	run := d.node.invoke
	if s.query {
		run = d.node.query
	}
	a, err := run(ctx, c)
	printLines(d.out, d.style, d.trace.take())
	if err != nil {
		return err
	}
	d.result(a)
	return s.check(a)
}

func (d *demonstration) heading(title, command string) {
	d.printf("\n%s\n  $ %s\n", d.style.bold(title), command)
}

// result shows an answer. The elements of a list get a line each.
func (d *demonstration) result(a *answer) {
	text, colour := fmt.Sprintf("  status %d", a.Status), d.style.green
	if a.Status >= failed {
		colour = d.style.red
	}
	if a.Code != "" {
		text += ", committed " + a.Code
	}
	if a.Message != "" {
		text += ", message: " + a.Message
	}
	payload := abbreviate(string(a.Payload))
	var list []json.RawMessage
	if json.Unmarshal([]byte(payload), &list) == nil {
		for _, element := range list {
			text += "\n    " + string(element)
		}
	} else if payload != "" {
		text += ", payload: " + payload
	}
	d.printf("%s\n", colour(text))
}

func (d *demonstration) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}

// command is what would do the same by hand.
func (s step) command() string {
	verb := "invoke"
	if s.query {
		verb = "query"
	}
	ctor, _ := json.Marshal(map[string][]string{"Args": s.args}) // strings can always be marshalled
	return fmt.Sprintf("peer %s -n %s -c '%s'", verb, s.chaincode, ctor)
}

// check returns an error if a isn't what it should be.
func (s step) check(a *answer) error {
	text, code := string(a.Payload), "VALID"
	if s.fails {
		text = a.Message
	}
	if s.query || s.fails {
		code = ""
	}
	if (a.Status >= failed) != s.fails {
		return errors.Errorf("the status is %d", a.Status)
	}
	if a.Code != code {
		return errors.Errorf("the validation code is %q, want %q", a.Code, code)
	}
	for _, want := range s.answers {
		if !strings.Contains(text, want) {
			return errors.Errorf("the answer is %q, want %q in it", text, want)
		}
	}
	return nil
}
