package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

func explainCommand() *cobra.Command {
	var (
		f lookFlags
		q explainQuestion
	)
	cmd := &cobra.Command{
		Use:   "explain -n NAME QUERY",
		Short: "Show how a rich query would be run: which index it uses",
		Long: `Shows how a rich query of a chaincode would be run now: which index it uses and what part of it, what documents are then
matched with, and why the other indexes are not used. Without an index, it reads all documents. ccpeer serve --indexes says
which indexes there are.

The JSON is in the manner of CouchDB's _explain.`,
		Example: `  ccpeer explain -n asset '{"selector":{"owner":"ann"}}'
  ccpeer explain -n asset '{"selector":{"owner":"ann"},"sort":["color"]}' --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef(`want one query, as in '{"selector":{"owner":"ann"}}'`)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Namespace == "" {
				return usagef("the chaincode is missing: name it with -n, as in -n asset")
			}
			q.Channel, q.Query = f.channel, args[0]
			return f.look(cmd, explainPath, q, new(explanation))
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&q.Namespace, "name", "n", "", "name of the chaincode (required)")
	cmd.Flags().StringVar(&q.Collection, "collection", "", "the collection of private data that is queried, instead of the public state")
	return cmd
}

// explanation prints what the ledger says of a query.
type explanation struct{ kvledger.Explanation }

func (e *explanation) print(w io.Writer, _ style) {
	_, _ = fmt.Fprintln(w, visible(e.String()))
	var selector bytes.Buffer
	encoder := json.NewEncoder(&selector)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(e.Selector) == nil { // it came as JSON
		_, _ = fmt.Fprintf(w, "matched with: %s", visibleJSON(selector.Bytes()))
	}
}
