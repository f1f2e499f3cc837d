package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	{title: "Whose owner is eve: a rich query", query: true, chaincode: "asset", args: []string{"ByOwner", "eve"}, answers: []string{`"id":"a1"`}},
	{title: "All that it has been", query: true, chaincode: "asset", args: []string{"History", "a1"}, answers: []string{"blue", "red", "ann", "eve"}},
}

// afterRestart is what the demo calls when the peer was closed and opened again.
var afterRestart = [...]step{
	{title: "Read it again", query: true, chaincode: "asset", args: []string{"Read", "a1"}, answers: []string{`"owner":"eve"`}},
}

type demoFlags struct{ dir, ledger string }

func demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a peer with two example chaincodes, and show a session with them",
		Long: `Starts a peer in this process and two example chaincodes as processes of their own, asset and market. Runs a session
with them, and shows for each call the command that would do the same by hand, the messages that peer and chaincode
exchange, and the result. Then it starts the peer anew, and shows that everything is still there. Exits with 0 if
everything came out as it should.

` + ledgerHelp("demo") + `

Nothing is deleted: each demo has a channel of its own, demo1, demo2 and so on.`,
		Example: `  ccpeer demo
  ccpeer demo --chaincode-dir ./bin
  ccpeer demo --ledger memory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd, f) },
	}
	cmd.Flags().StringVar(&f.dir, "chaincode-dir", "", "folder of the programs asset and market (default the folder of this program)")
	cmd.Flags().StringVar(&f.ledger, "ledger", "", "where the ledger is kept: "+ledgerForms+" (default a folder among your data)")
	return cmd
}

func demo(cmd *cobra.Command, f demoFlags) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	d := &demonstration{out: out, style: styleFor(out), trace: new(trace)}
	d.cfg.trace = d.trace
	if d.cfg.ledger, err = parseLedger(flagSetting("ledger", f.ledger), "demo"); err != nil {
		return err
	}
	if d.cfg.chaincodes, err = findChaincodes(f.dir); err != nil {
		return err
	}
	if d.cfg.log, err = newLogger(cmd.ErrOrStderr(), setting{text: "warn"}); err != nil {
		return err
	}
	if d.cfg.listen, err = parseAddress("127.0.0.1:0"); err != nil {
		return err
	}
	defer func() {
		if closing := d.stop(ctx); err == nil {
			err = closing
		}
	}()
	return d.run(ctx)
}

// demonstration shows the session on a node.
type demonstration struct {
	cfg     nodeConfig
	node    *node // nil if there is none
	channel string
	trace   *trace
	out     io.Writer
	style   style
}

func (d *demonstration) run(ctx context.Context) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	d.printf("A peer listens at %s, for chaincode that proves by mutual TLS who it is. Its ledger is %s, channel %s.\n", d.node.cfg.listen, d.cfg.ledger, d.channel)
	d.printf("The messages between peer and chaincode are shown with → where the chaincode sends, with ← where the peer does.\n")
	if err := d.launch(ctx); err != nil {
		return err
	}
	calls := len(session)
	if err := d.steps(ctx, session[:]); err != nil {
		return err
	}
	if err := d.explain(ctx); err != nil {
		return err
	}
	if d.cfg.ledger != (place{}) {
		calls += len(afterRestart)
		if err := d.restart(ctx); err != nil {
			return err
		}
	}
	d.printf("\n%s\n", d.style.bold(fmt.Sprintf("All %d calls came out as they should.", calls)))
	d.sayMore()
	return nil
}

// start starts the node.
func (d *demonstration) start(ctx context.Context) (err error) {
	d.node, err = startNode(ctx, d.cfg)
	return err
}

func (d *demonstration) stop(ctx context.Context) error {
	if d.node == nil {
		return nil
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	n := d.node
	d.node = nil
	return n.close(closing)
}

func (d *demonstration) launch(ctx context.Context) error {
	for _, name := range exampleChaincodes {
		d.heading("Launch chaincode "+name, d.node.cfg.chaincodes[name].process.path)
		if err := d.node.homes[0].support.Launch(ctx, d.node.cfg.chaincodes[name].id); err != nil {
			return errors.Wrapf(err, "launch %s", name)
		}
		printLines(d.out, d.style, d.trace.take())
	}
	return nil
}

func (d *demonstration) steps(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := d.step(ctx, s); err != nil {
			return errors.WithMessagef(err, "%s", s.title)
		}
	}
	return nil
}

// step runs a call, shows it, and checks what came of it.
func (d *demonstration) step(ctx context.Context, s step) error {
	c := call{Channel: d.channel, Chaincode: s.chaincode}
	for _, a := range s.args {
		c.Args = append(c.Args, []byte(a))
	}
	d.heading(s.title, s.command(d.channel))
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
func (s step) command(channel string) string {
	verb := "invoke"
	if s.query {
		verb = "query"
	}
	ctor, _ := json.Marshal(map[string][]string{"Args": s.args}) // strings can always be marshalled
	return fmt.Sprintf("ccpeer %s -C %s -n %s -c '%s'", verb, channel, s.chaincode, ctor)
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
