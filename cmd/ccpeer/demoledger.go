package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// assetIndex is the index that chaincode asset comes with, in its folder META-INF: the program alone doesn't have it.
const assetIndex = `{"index": {"fields": ["owner"]}, "ddoc": "indexOwnerDoc", "name": "indexOwner", "type": "json"}`

// begin starts the node for the first time, with a channel that has a name that the ledger doesn't have yet.
func (d *demonstration) begin(ctx context.Context) error {
	index, err := kvledger.ParseIndex([]byte(assetIndex))
	if err != nil {
		return err
	}
	d.cfg.definitions = map[string]kvledger.Definition{"asset": {Indexes: []kvledger.Index{index}}}
	d.cfg.newChannel = func(channels []string) string {
		for i := 1; d.channel == "" || slices.Contains(channels, d.channel); i++ {
			d.channel = fmt.Sprintf("demo%d", i)
		}
		return d.channel
	}
	err = d.start(ctx)
	d.cfg.newChannel, d.cfg.channels = nil, []string{d.channel}
	return err
}

// explain shows which index the rich query of the session has used.
func (d *demonstration) explain(ctx context.Context) error {
	const query = `{"selector":{"owner":"eve"}}`
	d.heading("Which index such a query uses", fmt.Sprintf("ccpeer explain -C %s -n asset '%s'", d.channel, query))
	e, err := d.node.explain(ctx, explainQuestion{Channel: d.channel, Namespace: "asset", Query: query})
	if err != nil {
		return err
	}
	d.printf("%s\n", d.style.green("  "+strings.ReplaceAll(e.String(), "\n", "\n  ")))
	if e.Index.Name != "indexOwner" {
		return errors.Errorf("the query uses index %q", e.Index.Name)
	}
	return nil
}

// restart closes the node and starts it anew, and shows what it still has.
func (d *demonstration) restart(ctx context.Context) error {
	d.printf("\n%s\n", d.style.bold("The peer is stopped, and started again with the same ledger"))
	if err := d.stop(ctx); err != nil {
		return err
	}
	d.trace.take()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.steps(ctx, afterRestart[:]); err != nil {
		return err
	}
	d.heading("Look at the state and the history, without chaincode", fmt.Sprintf("ccpeer state -C %s -n asset a1", d.channel))
	s, err := d.node.state(ctx, stateQuestion{Channel: d.channel, Namespace: "asset", Key: "a1", History: defaultHistory})
	if err != nil {
		return err
	}
	var text strings.Builder
	s.print(&text, d.style)
	for line := range strings.Lines(text.String()) {
		d.printf("  %s", abbreviate(line))
	}
	if s.Value == nil || len(s.History) != 4 {
		return errors.Errorf("there are %s of history, want 4", count(len(s.History), "modification"))
	}
	return nil
}

// sayMore says where the ledger is, and what to do next.
func (d *demonstration) sayMore() {
	switch d.cfg.ledger.kind {
	case "":
		d.printf("The ledger was in memory, and is gone.\n")
	case inPebble, inEtcd:
		d.printf("To look at this ledger: ccpeer serve --ledger %s\nin one terminal, ccpeer state -C %s -n asset a1 in another.\n", d.cfg.ledger, d.channel)
	default:
		d.printf("The ledger stays in %s.\n", d.cfg.ledger)
	}
	d.printf("To try it by hand, with a ledger of your own: ccpeer serve in one terminal, the commands above without -C %s in\n"+
		"another, where ccpeer is %s.\n", d.channel, os.Args[0])
}
