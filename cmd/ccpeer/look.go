package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// lookFlags are the flags of the commands that look at a ledger, or at chaincodes.
type lookFlags struct {
	api     string
	channel string
	json    bool
}

func (f *lookFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.channel, "channelID", "C", defaultChannel, "channel to look at")
	f.addWithoutChannel(cmd)
}

func (f *lookFlags) addWithoutChannel(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.api, "api", defaultAPI, "where the peer is: host:port or unix:///path")
}

// printer is an answer that prints itself for people to read.
type printer interface {
	print(w io.Writer, s style)
}

// look asks the peer, and prints its answer into answer.
func (f *lookFlags) look(cmd *cobra.Command, path string, question any, answer printer) error {
	at, err := parseLocalAddress(f.api)
	if err != nil {
		return usagef("--api: %s", err)
	}
	var text json.RawMessage
	if err := send(cmd.Context(), at, path, question, &text); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if f.json {
		return printJSON(out, text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(answer); err != nil {
		return errors.Wrapf(err, "read the answer of the peer at %s", at)
	}
	answer.print(out, styleFor(out))
	return nil
}

func printJSON(w io.Writer, text []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return errors.Wrap(err, "indent JSON")
	}
	b.WriteByte('\n')
	_, err := w.Write(visibleJSON(b.Bytes()))
	return errors.Wrap(err, "write JSON")
}

const jsonHelp = `In JSON, a value is {"base64": …, "text": …}, where text is left out for what is no text; keys are strings, hashes are in
hexadecimal, and "version" is the block and the position, from 0, of the transaction that wrote what was read.`

func blockCommand() *cobra.Command {
	var f lookFlags
	cmd := &cobra.Command{
		Use:   "block [NUMBER|newest]",
		Short: "Show a block: its transactions, and what became of them",
		Long: `Shows a block of a channel, by default the newest: for each transaction its position, ID, time (UTC) and validation code, who
has asked for it, and the chaincode and the function that was called. Then the hash of the block's header, and that of the block before.
The first block is 0, which has the channel's configuration (CONFIG). ccpeer tx shows what a transaction read and wrote.

JSON: {"channel", "number", "height", "hash", "previousHash", "dataHash", "transactions": [{"txid", "block", "tx", "timestamp",
"code", "type", "creator": {"mspid", "commonName"}, "chaincode", "function"}]}; height is how many blocks the channel has, and the hashes
are in hexadecimal. Type is "CONFIG" for a configuration, which has no more than that, and is left out otherwise. Transactions that an earlier version of the peer has committed have no creator, chaincode and function.`,
		Example: `  ccpeer block
  ccpeer block 0 -C mychannel
  ccpeer block newest --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := blockQuestion{Channel: f.channel}
			if len(args) == 1 && args[0] != "newest" {
				number, err := strconv.ParseUint(args[0], 10, 64)
				if err != nil {
					return usagef("%s is no block: want a number, or newest", quote(args[0]))
				}
				q.Number = &number
			}
			return f.look(cmd, blockPath, q, new(blockJSON))
		},
	}
	f.add(cmd)
	return cmd
}

func txCommand() *cobra.Command {
	var f lookFlags
	cmd := &cobra.Command{
		Use:   "tx TXID",
		Short: "Show a transaction: what it read and wrote",
		Long: `Shows a transaction: its validation code, where it is, who has asked for it, what the chaincode was called with, its answer
and its event, and who has endorsed it. Then what it read and wrote, chaincode by chaincode. "a1 @3/0" is key a1 as the
transaction at position 0 of block 3 wrote it. Of private data there are hashes.

JSON: {"channel", "txid", "block", "tx", "timestamp", "code", "type", "creator": {"mspid", "commonName"}, "chaincode", "function",
"chaincodeVersion", "args": [value], "isInit", "response": {"status", "message", "payload"}, "event": {"chaincode", "name",
"payload"}, "endorsers": [{"mspid", "commonName"}], "rwset": [{"namespace", "reads": [{"key", "version"}],
"ranges": [{"start", "end", "exhausted", "reads" or "merkle"}], "writes": [{"key", "value" or "delete"}],
"metadataWrites": [{"key", "entries"}], "collections": [{"collection", "reads", "writes", "metadataWrites" by keyHash and
valueHash, "privateRWSetHash"}]}]}. A version is null for a key that was absent; lists that are empty are left out. Type is
"CONFIG" for the channel's configuration, which has read and written nothing, and is left out otherwise. What is no read/write set
is in "undecoded", in base64, and rwset is null.
` + jsonHelp,
		Example: "  ccpeer tx 5e5f… -C mychannel",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("want one transaction ID, which ccpeer invoke and ccpeer block print")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.look(cmd, txPath, txQuestion{f.channel, args[0]}, new(txJSON))
		},
	}
	f.add(cmd)
	return cmd
}

// defaultHistory is how many modifications of a key are shown.
const defaultHistory = 20

func stateCommand() *cobra.Command {
	var (
		f         lookFlags
		q         stateQuestion
		composite bool
	)
	cmd := &cobra.Command{
		Use:   "state -n NAME KEY",
		Short: "Show a key of a chaincode: value, version, metadata and history",
		Long: `Shows what is committed of a key of a chaincode's public state: its value, its version, which is the transaction that
wrote it last, its metadata, and its history, the newest modification first. A key that was deleted has a history.

JSON: {"channel", "namespace", "key", "value", "version", "metadata": {name: value}, "history": [{"txid", "timestamp",
"value" or "delete"}], "more"}. Value and version are null for a key that was deleted; more says that there is older history.
` + jsonHelp,
		Example: `  ccpeer state -n asset a1
  ccpeer state -n asset a1 --json
  ccpeer state -n mine --composite owner ann a1       # a composite key: its type and its attributes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 1 && !composite {
				return usagef("want one key, or the type and the attributes of a --composite key")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Channel, q.Key = f.channel, args[0]
			if composite {
				q.Key = compositeKey(args)
			}
			switch {
			case q.Namespace == "":
				return usagef("the chaincode is missing: name it with -n, as in -n asset")
			case q.History < 0:
				return usagef("--history is %d, less than 0", q.History)
			}
			return f.look(cmd, statePath, q, new(stateJSON))
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&q.Namespace, "name", "n", "", "name of the chaincode (required)")
	cmd.Flags().BoolVar(&composite, "composite", false, "the key is a composite one: its type and its attributes are the arguments")
	cmd.Flags().IntVar(&q.History, "history", defaultHistory, "how many modifications to show")
	return cmd
}
