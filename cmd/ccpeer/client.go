package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

// Where a peer is, unless the command line says otherwise.
const (
	defaultAPI     = "127.0.0.1:7053"
	defaultChannel = "mychannel"
)

// callFlags are the flags of invoke and query. They are those of Fabric's peer chaincode invoke and query.
type callFlags struct {
	api       string
	channel   string
	name      string
	ctor      string
	transient string
	isInit    bool
	as        string
	attr      []string
}

func (f *callFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.name, "name", "n", "", "name of the chaincode (required)")
	flags.StringVarP(&f.ctor, "ctor", "c", "", `the call as JSON: {"Args":["function","argument",…]} (required)`)
	flags.StringVarP(&f.channel, "channelID", "C", defaultChannel, "channel to run on")
	flags.StringVar(&f.transient, "transient", "", "transient map, as JSON of names and base64 values")
	flags.StringVar(&f.as, "as", "", "whose call it is: NAME or NAME@"+mspID+" (default "+defaultClient+")")
	flags.StringArrayVar(&f.attr, "attr", nil, "an attribute of whoever --as names, as name=value; can be repeated")
	flags.StringVar(&f.api, "api", defaultAPI, "where the peer is: host:port or unix:///path")
}

// asHelp is about --as and --attr.
const asHelp = `--as says whose call it is, such as alice or alice@` + mspID + `. The peer is the CA of ` + mspID + `: it makes a certificate for a name that
is new, with the attributes of --attr, and keeps it as long as the ledger. A name has the same attributes ever after, so --attr can be
left out then. Whoever is called admin is an administrator.`

// call returns the address to send to, and the call.
func (f *callFlags) call() (address, call, error) {
	c := call{Channel: f.channel, Chaincode: f.name, IsInit: f.isInit}
	if f.name == "" {
		return address{}, c, usagef("the chaincode is missing: name it with -n, as in -n asset")
	}
	at, err := parseLocalAddress(f.api)
	if err != nil {
		return address{}, c, usagef("--api: %s", err)
	}
	if c.Args, err = parseCtor(f.ctor); err != nil {
		return address{}, c, err
	}
	if c.As, c.Attributes, err = parseClient(f.as, f.attr); err != nil {
		return address{}, c, err
	}
	c.Transient, err = parseTransient(f.transient)
	return at, c, err
}

// parseClient reads --as and --attr.
func parseClient(as string, attr []string) (string, map[string]string, error) {
	if as == "" {
		if len(attr) > 0 {
			return "", nil, usagef("--attr is for the one whom --as names, as in --as alice --attr role=registrar")
		}
		return "", nil, nil
	}
	name, _, _ := strings.Cut(as, "@")
	if err := checkClient(name); err != nil {
		return "", nil, usagef("--as: %s", err)
	}
	var attributes map[string]string
	for _, s := range attr {
		name, value, ok := strings.Cut(s, "=")
		if _, twice := attributes[name]; !ok || name == "" || twice {
			return "", nil, usagef("--attr %s: want name=value, and each name once", quote(s))
		}
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes[name] = value
	}
	return as, attributes, nil
}

// parseCtor reads the JSON of -c in both of the forms that Fabric has for it.
func parseCtor(s string) ([][]byte, error) {
	const want = `want -c '{"Args":["function","argument",…]}' or -c '{"function":"function","Args":["argument",…]}'`
	if s == "" {
		return nil, usagef("the call is missing: %s", want)
	}
	var ctor struct {
		Function *string
		Args     []string
	}
	if err := unmarshalStrictly(s, &ctor); err != nil {
		return nil, usagef("-c is not a call (%s): %s", err, want)
	}
	if ctor.Function == nil && ctor.Args == nil {
		return nil, usagef("-c says neither function nor Args: %s", want)
	}
	var args [][]byte
	if ctor.Function != nil {
		args = append(args, []byte(*ctor.Function))
	}
	for _, a := range ctor.Args {
		args = append(args, []byte(a))
	}
	return args, nil
}

func parseTransient(s string) (map[string][]byte, error) {
	if s == "" {
		return nil, nil
	}
	var transient map[string][]byte
	if err := unmarshalStrictly(s, &transient); err != nil {
		return nil, usagef(`--transient is no JSON object of base64 values (%s): want --transient '{"name":"aGVsbG8="}'`, err)
	}
	return transient, nil
}

// unmarshalStrictly refuses what a mistyped name or a lost quote leads to.
func unmarshalStrictly(s string, v any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func invokeCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "invoke -n NAME -c CALL",
		Short: "Run a transaction on a chaincode, and commit it",
		Long: `Runs a transaction on a chaincode and commits what it wrote. Prints what the chaincode answered and what became of
the transaction: VALID, or the reason why it changed nothing, such as MVCC_READ_CONFLICT when another transaction was
quicker. A conflict is not tried again.

` + asHelp + `

Exits with 0 if the transaction is committed and valid, with 1 if it failed, and with 2 if the command line is wrong.`,
		Example: `  ccpeer invoke -n asset -c '{"Args":["Create","a1","blue"]}'
  ccpeer invoke -C mychannel -n asset -c '{"function":"Create","Args":["a1","blue"]}'
  ccpeer invoke -n mine -c '{"Args":["Register","tom"]}' --as alice@Org1MSP --attr role=registrar
  ccpeer invoke -n asset -c '{"Args":["Create","a1","blue"]}' --transient "{\"secret\":\"$(echo -n hello | base64)\"}"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return invoke(cmd, &f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.isInit, "isInit", "I", false, "call the chaincode's Init")
	return cmd
}

func invoke(cmd *cobra.Command, f *callFlags) error {
	at, c, err := f.call()
	if err != nil {
		return err
	}
	var a answer
	if err := send(cmd.Context(), at, invokePath, c, &a); err != nil {
		return err
	}
	if a.Status >= failed {
		return errors.Errorf("endorsement failure during invoke. response: %s", a.response())
	}
	_, _ = fmt.Fprintln(cmd.OutOrStdout(), a.response())
	if !a.valid() {
		because := ""
		if a.Reason != "" {
			because = ": " + a.Reason
		}
		return errors.Errorf("transaction invalidated with status (%s): txid [%s]%s", a.Code, a.TxID, because)
	}
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), "txid [%s] committed with status (%s)\n", a.TxID, a.Code)
	return nil
}

// response is the chaincode's Response, as Fabric's peer prints it.
func (a *answer) response() string {
	s := fmt.Sprintf("status:%d", a.Status)
	if a.Message != "" {
		s += " message:" + strconv.Quote(a.Message)
	}
	if len(a.Payload) > 0 {
		s += " payload:" + strconv.Quote(string(a.Payload))
	}
	return s
}

func queryCommand() *cobra.Command {
	var (
		f        callFlags
		raw, hex bool
	)
	cmd := &cobra.Command{
		Use:   "query -n NAME -c CALL",
		Short: "Run a transaction on a chaincode, and show the answer",
		Long: `Runs a transaction on a chaincode and prints the payload that it answered. Nothing is committed. Characters that a terminal would
obey are shown in Go's notation, as \x1b: --raw writes the bytes as they are.

` + asHelp + `

Exits with 0 if the chaincode answered, with 1 if it answered with a failure or not at all, and with 2 if the command
line is wrong.`,
		Example: `  ccpeer query -n asset -c '{"Args":["Read","a1"]}'
  ccpeer query -n asset -c '{"Args":["Read","a1"]}' --raw >a1.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := asText
			switch {
			case raw && hex:
				return usagef("options --raw (-r) and --hex (-x) are not compatible")
			case raw:
				format = "%s"
			case hex:
				format = "%x\n"
			}
			return query(cmd, &f, format)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&raw, "raw", "r", false, "write the payload's bytes and nothing else")
	cmd.Flags().BoolVarP(&hex, "hex", "x", false, "write the payload in hexadecimal")
	return cmd
}

// asText is the format of a payload that is read by people.
const asText = "%s\n"

func query(cmd *cobra.Command, f *callFlags, format string) error {
	at, c, err := f.call()
	if err != nil {
		return err
	}
	var a answer
	if err := send(cmd.Context(), at, queryPath, c, &a); err != nil {
		return err
	}
	if a.Status >= failed {
		return errors.Errorf("endorsement failure during query. response: %s", a.response())
	}
	payload := a.Payload
	if format == asText {
		payload = []byte(visible(string(payload)))
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), format, payload); err != nil {
		return errors.Wrap(err, "write payload")
	}
	return nil
}
