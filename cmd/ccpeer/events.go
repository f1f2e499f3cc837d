package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const (
	// eventsWait is how long the peer lets a client wait for a block. Then the client asks again.
	eventsWait = 20 * time.Second
	// eventsBytes is about how much one answer has, and eventsBlocks how many blocks it looks at.
	eventsBytes, eventsBlocks = 1 << 20, 1000
)

// eventsQuestion asks for the events of some blocks.
type eventsQuestion struct {
	Channel string `json:"channel"`
	// Chaincode is whose events are wanted. Empty: all transactions, whether they have events or not.
	Chaincode string `json:"chaincode,omitempty"`
	// From is the first block. Nil: that which is committed next.
	From *uint64 `json:"from,omitempty"`
	// Wait waits for a block if there is none.
	Wait bool `json:"wait,omitempty"`
}

// eventsJSON answers it.
type eventsJSON struct {
	Transactions []eventTxJSON `json:"transactions"`
	// Next is the block to ask for next, and Height how many blocks there are.
	Next   uint64 `json:"next"`
	Height uint64 `json:"height"`
}

// eventTxJSON is a transaction with its event.
type eventTxJSON struct {
	Channel string `json:"channel"`
	blockTxJSON
	Event *eventJSON `json:"event,omitempty"`
}

// events answers an eventsQuestion.
func (n *node) events(ctx context.Context, q eventsQuestion) (*eventsJSON, error) {
	l, err := n.channel(q.Channel)
	if err != nil {
		return nil, err
	}
	a := &eventsJSON{Transactions: []eventTxJSON{}}
	if a.Height, err = l.Height(ctx); err != nil {
		return nil, err
	}
	if a.Next = a.Height; q.From != nil {
		a.Next = *q.From
	}
	if a.Next >= a.Height && q.Wait {
		if err := awaitBlock(ctx, n.stopping, l, a.Next); err != nil {
			return nil, err
		}
		if a.Height, err = l.Height(ctx); err != nil {
			return nil, err
		}
	}
	size := 0
	for last := a.Next + eventsBlocks; a.Next < min(a.Height, last) && size < eventsBytes; a.Next++ {
		b, err := l.Block(ctx, a.Next)
		if err != nil {
			return nil, err
		}
		size += a.add(q, b)
	}
	return a, nil
}

// awaitBlock waits for a block, for a while, and not when the peer is stopping.
func awaitBlock(ctx, stopping context.Context, l *kvledger.Ledger, number uint64) error {
	waiting, cancel := context.WithTimeout(ctx, eventsWait)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	blocks := l.Subscribe(number)
	defer blocks.Close()
	_, err := blocks.Next(waiting)
	switch {
	case stopping.Err() != nil:
		return errStopping
	case err != nil && waiting.Err() != nil:
		return ctx.Err() // nil: there is no block yet
	}
	return err
}

// add adds what is wanted of a block, and returns about how many bytes that is.
func (a *eventsJSON) add(q eventsQuestion, b *kvledger.CommittedBlock) (size int) {
	for i := range b.Transactions {
		tx := &b.Transactions[i]
		described, more := describeTx(tx)
		e := eventTxJSON{Channel: q.Channel, blockTxJSON: described, Event: more.Event}
		if q.Chaincode != "" && (e.Event == nil || e.Event.Chaincode != q.Chaincode || tx.Code != kvledger.Valid) {
			continue // as in Fabric, where invalid transactions have no events
		}
		a.Transactions = append(a.Transactions, e)
		size += 256
		if e.Event != nil {
			size += 2 * len(e.Event.Payload.Base64)
		}
	}
	return size
}

type eventsFlags struct {
	lookFlags
	name   string
	from   uint64
	follow bool
}

func eventsCommand() *cobra.Command {
	f := new(eventsFlags)
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the events of a chaincode, or all transactions, as they are committed",
		Long: `Shows the events of the chaincode that -n names: those of the blocks that there are, beginning with that of --from. With -f it goes on
with those that are committed from now on, until Ctrl-C. It shows those of valid transactions, as applications get
them.

Without -n it shows all transactions of the blocks: with their validation codes, and their events, whether they are valid or not.

With --json each line is an object: {"channel", "txid", "block", "tx", "timestamp", "code", "creator": {"mspid", "commonName"}, "chaincode",
"function", "event": {"chaincode", "name", "payload"}}; the event is left out if there is none.
` + jsonHelp,
		Example: `  ccpeer events -n asset
  ccpeer events -n asset -f --json
  ccpeer events -f --from 0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, cmd.Flags().Changed("from")) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.name, "name", "n", "", "name of the chaincode whose events are shown (default all transactions)")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with what is committed from now on")
	flags.Uint64Var(&f.from, "from", 0, "number of the first block (default 0; with -f, the block that is committed next)")
	return cmd
}

// run asks the peer again and again.
func (f *eventsFlags) run(cmd *cobra.Command, fromSaid bool) error {
	at, err := parseLocalAddress(f.api)
	if err != nil {
		return usagef("--api: %s", err)
	}
	q := eventsQuestion{Channel: f.channel, Chaincode: f.name, Wait: f.follow}
	if fromSaid || !f.follow {
		q.From = &f.from
	}
	for {
		var a eventsJSON
		err := send(cmd.Context(), at, eventsPath, q, &a)
		if f.follow && cmd.Context().Err() != nil {
			return nil //nolint:nilerr // that is how it ends
		}
		if err != nil {
			return err
		}
		if err := f.show(cmd.OutOrStdout(), a.Transactions); err != nil {
			return err
		}
		if !f.follow && a.Next >= a.Height {
			return nil
		}
		q.From = &a.Next
	}
}

// show prints transactions.
func (f *eventsFlags) show(w io.Writer, transactions []eventTxJSON) error {
	s := styleFor(w)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is for people to read
	for _, tx := range transactions {
		if !f.json {
			if err := tx.print(w, s, f.name == ""); err != nil {
				return err
			}
			continue
		}
		b.Reset()
		if err := e.Encode(tx); err != nil {
			return errors.Wrap(err, "encode event")
		}
		if _, err := w.Write(visibleJSON(b.Bytes())); err != nil {
			return errors.Wrap(err, "write event")
		}
	}
	return nil
}

// print shows a transaction in a line, and its event in another one; without whole, the event alone.
func (tx *eventTxJSON) print(w io.Writer, s style, whole bool) error {
	text := fmt.Sprintf("%d/%d  %s  %s", tx.Block, tx.Tx, showTime(tx.Timestamp), showID(tx.TxID))
	if whole {
		text += "  " + s.code(tx.Code)
	}
	if whole && tx.Type != "" {
		text += "  " + tx.Type
	}
	if whole && tx.Creator != nil {
		text += "  " + tx.Creator.String() + "  " + shown(tx.Chaincode)
		if tx.Function != nil {
			text += " " + shown(*tx.Function)
		}
	}
	if e := tx.Event; e != nil {
		text += fmt.Sprintf("\n    %s = %s", s.bold(shown(e.Name)), e.Payload)
	}
	_, err := fmt.Fprintln(w, text)
	return errors.Wrap(err, "write event")
}
