package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/handler"
)

const (
	defaultListen = "127.0.0.1:7052" // Fabric's port for chaincode
	// drainTimeout is how long calls under way may take to finish when the peer is stopped.
	drainTimeout = 10 * time.Second
)

// exampleChaincodes are those that the peer has unless it is given others.
var exampleChaincodes = [...]string{"asset", "market"}

type serveFlags struct {
	listen, api string
	ledger      string
	channels    []string
	chaincodes  []string
	indexes     []string
	collections []string
	dev         bool
	logLevel    string
}

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start a peer",
		Long: `Starts a peer and runs until Ctrl-C. Chaincode is launched when it is first called; peer invoke and peer query call it,
and peer block, tx, state and explain show what is in the ledger.

` + ledgerHelp("peer") + `

The channels that the ledger has are there again, and besides them those of -C.

` + definitionHelp + `

The version of every chaincode is 1.0, which makes the chaincode ID of asset asset:1.0. With --dev, chaincode that was
started by hand may connect too:

  CORE_CHAINCODE_ID_NAME=mine:1.0 CORE_PEER_TLS_ENABLED=false ./mine -peer.address 127.0.0.1:7052

The arguments of a chaincode's program are separated by spaces, {{.PeerAddress}} and {{.ChaincodeID}} in them are
replaced, and no shell sees them. Without any, it gets what Go chaincode wants: -peer.address {{.PeerAddress}}`,
		Example: `  peer serve
  peer serve --chaincode asset=./asset --chaincode mine=./mine -C mychannel -C other
  peer serve --chaincode "mine=./mine start --peer.address {{.PeerAddress}}"
  peer serve --ledger pebble:./data --indexes asset=./chaincode/asset
  peer serve --ledger postgres://me@localhost/ledger
  peer serve --listen unix:///tmp/chaincode.sock --api unix:///tmp/peer.sock --log-level debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.listen, "listen", defaultListen, "where chaincode connects to: loopback host:port, or unix:///path")
	flags.StringVar(&f.api, "api", defaultAPI, "where peer invoke and query connect to: the same")
	flags.StringVar(&f.ledger, "ledger", "", "where the ledger is kept: "+ledgerForms+" (default a folder among your data)")
	flags.StringArrayVar(&f.chaincodes, "chaincode", nil, `a chaincode and its program, as "name=path" or "name=path argument…"; can be repeated (default asset and market, next to this program)`)
	flags.StringSliceVarP(&f.channels, "channelID", "C", []string{defaultChannel}, "channels to have besides those that are in the ledger; can be repeated")
	flags.StringArrayVar(&f.indexes, "indexes", nil, "the indexes of a chaincode, as name=folder, the one with META-INF in it; can be repeated")
	flags.StringArrayVar(&f.collections, "collections-config", nil, "the collections of a chaincode, as name=file, Fabric's collections_config.json; can be repeated")
	flags.BoolVar(&f.dev, "dev", false, "accept chaincode that somebody else has started")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func serve(cmd *cobra.Command, f serveFlags) (err error) {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	cfg, err := f.config(stderr)
	if err != nil {
		return err
	}
	api, err := parseAddress(f.api)
	if err != nil {
		return usagef("--api: %s", err)
	}
	n, err := startNode(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if closing := n.close(draining); err == nil {
			err = closing
		}
	}()
	l, api, err := api.listen(ctx)
	if err != nil {
		return err
	}
	if err := printServing(ctx, cmd.OutOrStdout(), n, api); err != nil {
		_ = l.Close() // there is an error already
		return err
	}
	return serveAPI(ctx, n, l)
}

func printServing(ctx context.Context, w io.Writer, n *node, api address) error {
	var channels []string
	for _, name := range slices.Sorted(maps.Keys(n.ledgers)) {
		height, err := n.ledgers[name].Height(ctx)
		if err != nil {
			return err
		}
		channels = append(channels, fmt.Sprintf("%s (%s)", name, count(int(height), "block")))
	}
	chaincodes := slices.Sorted(maps.Keys(n.cfg.chaincodes))
	_, _ = fmt.Fprintf(w, "chaincode connects to %s, clients to %s\n", n.cfg.listen, api)
	_, _ = fmt.Fprintf(w, "ledger: %s\n", n.cfg.ledger)
	_, _ = fmt.Fprintf(w, "channels: %s; chaincodes: %s\n", strings.Join(channels, ", "), strings.Join(chaincodes, ", "))
	if _, ok := n.cfg.chaincodes["asset"]; !ok {
		return nil
	}
	where := ""
	if api.String() != defaultAPI {
		where = " --api " + api.String()
	}
	_, _ = fmt.Fprintf(w, "try: peer invoke%s -n asset -c '{\"Args\":[\"Create\",\"a1\",\"blue\"]}'\n", where)
	return nil
}

// serveAPI serves until ctx ends or the node does, and then waits for the calls under way.
func serveAPI(ctx context.Context, n *node, l net.Listener) error {
	server := apiServer(n)
	ended := make(chan error, 1)
	var serving sync.WaitGroup
	serving.Go(func() { ended <- server.Serve(l) })
	defer serving.Wait()
	defer func() { _ = server.Close() }() // gives up the calls that are left
	select {
	case err := <-ended:
		return errors.Wrap(err, "serve clients")
	case <-n.served:
		return errors.New("serve chaincode: the server has ended")
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return errors.Errorf("stop: calls were still under way after %s", drainTimeout)
	}
	return nil
}

func (f *serveFlags) config(stderr io.Writer) (nodeConfig, error) {
	cfg := nodeConfig{channels: f.channels, dev: f.dev}
	if len(f.channels) == 0 {
		return cfg, usagef("-C is empty: name a channel")
	}
	var err error
	if cfg.listen, err = parseAddress(f.listen); err != nil {
		return cfg, usagef("--listen: %s", err)
	}
	if cfg.log, err = newLogger(stderr, f.logLevel); err != nil {
		return cfg, err
	}
	if cfg.ledger, err = parseLedger(f.ledger, "peer"); err != nil {
		return cfg, err
	}
	if cfg.definitions, err = parseDefinitions(f.indexes, f.collections); err != nil {
		return cfg, err
	}
	if cfg.chaincodes, err = parseChaincodes(f.chaincodes); err != nil || len(cfg.chaincodes) > 0 {
		return cfg, err
	}
	cfg.chaincodes, err = findChaincodes("")
	if f.dev {
		return cfg, nil // has those that were found
	}
	return cfg, err
}

func parseChaincodes(flags []string) (map[string]program, error) {
	chaincodes := map[string]program{}
	for _, s := range flags {
		name, command, _ := strings.Cut(s, "=")
		words := strings.Fields(command)
		if len(words) == 0 || strings.Contains(name, ":") || handler.CheckChaincodeID(name) != nil {
			return nil, usagef("--chaincode %s: want name=path or \"name=path argument…\", with a name of letters, digits and + _ . -", quote(s))
		}
		if _, ok := chaincodes[name]; ok {
			return nil, usagef("--chaincode %s: there are two of that name", quote(s))
		}
		path, err := findProgram(words[0])
		if err != nil {
			return nil, errors.WithMessagef(err, "chaincode %q", name)
		}
		p := program{path: path}
		if len(words) > 1 { // otherwise it gets what Go chaincode wants
			p.args = words[1:]
		}
		chaincodes[name] = p
	}
	return chaincodes, nil
}

// findChaincodes finds the programs of the example chaincodes in a folder, by default the one that this program is in.
func findChaincodes(dir string) (map[string]program, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, errors.Wrap(err, "find this program")
		}
		dir = filepath.Dir(self)
	}
	chaincodes := map[string]program{}
	for _, name := range exampleChaincodes {
		path, err := findProgram(filepath.Join(dir, name))
		if err != nil {
			return chaincodes, errors.WithMessagef(err, "example chaincode %q (to build it, in folder examples: go build -o %s/ ./chaincode/%s)", name, dir, name)
		}
		chaincodes[name] = program{path: path}
	}
	return chaincodes, nil
}

// findProgram returns the absolute path of a program.
func findProgram(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", errors.Errorf("%s is not a program", path)
	}
	return filepath.Abs(path)
}

// newLogger returns a logger that writes lines for a person.
func newLogger(w io.Writer, level string) (*zap.Logger, error) {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usagef("--log-level is %s, want debug, info, warn or error", quote(level))
	}
	encoding := zap.NewDevelopmentEncoderConfig()
	encoding.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoding), zapcore.Lock(zapcore.AddSync(w)), at)), nil
}
