package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
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
)

const (
	defaultListen = "127.0.0.1:7052" // Fabric's port for chaincode
	// drainTimeout is how long calls under way may take to finish when the peer is stopped.
	drainTimeout = 10 * time.Second
	// lastAnswers is how long the last answers may take to be written after that.
	lastAnswers = time.Second
)

// exampleChaincodes are those that the peer has unless it is given others.
var exampleChaincodes = [...]string{"asset", "market"}

func serveCommand() *cobra.Command {
	cmd, _ := newServeCommand()
	return cmd
}

// newServeCommand also returns where its flags are put.
func newServeCommand() (*cobra.Command, *serveFlags) {
	f := new(serveFlags)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start a peer",
		Long: `Starts a peer and runs until Ctrl-C. Chaincode is launched when it is first called; ccpeer invoke and ccpeer query call it,
and ccpeer block, tx, state and explain show what is in the ledger.

` + ledgerHelp("peer") + `

The channels that the ledger has are there again, and besides them those of -C.

` + definitionHelp + `

Chaincode that the peer starts connects by mutual TLS, with a certificate that is made for each start of it: so --listen
may be an address that the network reaches. --advertise says what chaincode is told instead of it, and applications are told
this host, too. With --plaintext there are no certificates, and the address must be a loopback one or a Unix socket: everybody who can connect there can pretend
to be a chaincode that is being started. --dev, which implies --plaintext, also accepts chaincode that was started by hand:

  CORE_CHAINCODE_ID_NAME=mine:1.0 CORE_PEER_TLS_ENABLED=false ./mine -peer.address 127.0.0.1:7052

The version of every chaincode is 1.0, which makes the chaincode ID of asset asset:1.0. The arguments of a chaincode's
program are separated by spaces, {{.PeerAddress}} and {{.ChaincodeID}} in them are replaced, and no shell sees them.
Without any, it gets what Go chaincode wants: -peer.address {{.PeerAddress}}

--config names a file, YAML or JSON, that says all of this and more: chaincode that is a server or a package, restarts,
limits. The file cmd/ccpeer/ccpeer.yaml has every key. A flag that is given goes before what the file says.
Chaincodes are in the file or on the command line, not in both.`,
		Example: `  ccpeer serve
  ccpeer serve --config ccpeer.yaml
  ccpeer serve --chaincode asset=./asset --chaincode mine=./mine -C mychannel -C other
  ccpeer serve --chaincode "mine=./mine start --peer.address {{.PeerAddress}}"
  ccpeer serve --ledger pebble:./data --indexes asset=./examples/chaincode/asset
  ccpeer serve --ledger postgres://me@localhost/ledger
  ccpeer serve --listen unix:///tmp/chaincode.sock --api unix:///tmp/ccpeer.sock --log-level debug
  ccpeer serve --listen 0.0.0.0:7052 --advertise peer0.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.config, "config", "", "a file, YAML or JSON, that says what flags can say, and more")
	flags.StringVar(&f.listen, "listen", defaultListen, "where chaincode connects to: host:port or unix:///path")
	flags.StringVar(&f.advertise, "advertise", "", "what chaincode is told that the address is, as host or host:port, and applications by its host (default those of --listen and --gateway)")
	flags.StringArrayVar(&f.organizations, "organization", []string{mspID}, "an organization, as MSPID or MSPID:PEERS; can be repeated")
	flags.StringVar(&f.gateway, "gateway", defaultGateway, "where applications connect to: host:port, or none")
	flags.StringVar(&f.gatewayTLS, "gateway-tls", string(tlsOn), "how they connect: on, mutual or off, which is TLS, TLS with certificates of both sides, or plaintext")
	flags.StringVar(&f.api, "api", defaultAPI, "where ccpeer invoke and query connect to: loopback host:port, or unix:///path")
	flags.StringVar(&f.ledger, "ledger", "", "where the ledger is kept: "+ledgerForms+" (default a folder among your data)")
	flags.StringArrayVar(&f.chaincodes, "chaincode", nil, `a chaincode and its program, as "name=path" or "name=path argument…"; can be repeated (default asset and market, next to this program)`)
	flags.StringSliceVarP(&f.channels, "channelID", "C", []string{defaultChannel}, "channels to have besides those that are in the ledger; can be repeated")
	flags.StringArrayVar(&f.indexes, "indexes", nil, "the indexes of a chaincode, as name=folder, the one with META-INF in it; can be repeated")
	flags.StringArrayVar(&f.collections, "collections-config", nil, "the collections of a chaincode, as name=file, Fabric's collections_config.json; can be repeated")
	flags.BoolVar(&f.plaintext, "plaintext", false, "chaincode connects without TLS, from this machine")
	flags.BoolVar(&f.dev, "dev", false, "accept chaincode that somebody else has started; implies --plaintext")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.outputLevel, "output-level", "info", "the level of what chaincode prints: debug, info, warn or error")
	return cmd, f
}

func serve(cmd *cobra.Command, f *serveFlags) (err error) {
	ctx := cmd.Context()
	s, err := f.load(cmd.Flags().Changed, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	n, err := startNode(ctx, s.node)
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
	l, api, err := s.api.listen(ctx)
	if err != nil {
		return err
	}
	if err := printServing(ctx, cmd.OutOrStdout(), n, api); err != nil {
		_ = l.Close() // there is an error already
		return err
	}
	return serveAPI(ctx, n, l, cmd.ErrOrStderr())
}

func printServing(ctx context.Context, w io.Writer, n *node, api address) error {
	var channels []string
	for _, c := range n.peer.Channels() {
		height, err := c.Ledger().Height(ctx)
		if err != nil {
			return err
		}
		channels = append(channels, fmt.Sprintf("%s (%s)", c.ID(), count(int(height), "block")))
	}
	chaincodes := slices.Sorted(maps.Keys(n.cfg.chaincodes))
	how := "by mutual TLS"
	if n.cfg.plaintext {
		how = "in plaintext"
	}
	_, _ = fmt.Fprintf(w, "chaincode connects to %s %s, clients to %s\n", n.cfg.peerAddress(), how, api)
	_, _ = fmt.Fprintf(w, "ledger: %s\n", n.cfg.ledger)
	_, _ = fmt.Fprintf(w, "channels: %s; chaincodes: %s\n", strings.Join(channels, ", "), strings.Join(chaincodes, ", "))
	attached := n.homes[0].attached
	for _, name := range slices.Sorted(maps.Keys(attached)) {
		_, _ = fmt.Fprintf(w, "to start %s: . %s && ./%[1]s -peer.address \"$CORE_PEER_ADDRESS\"\n", name, shellWord(attached[name].EnvFile()))
	}
	where := ""
	if api.String() != defaultAPI {
		where = " --api " + api.String()
	}
	n.printGateways(w, where)
	if _, ok := n.cfg.chaincodes["asset"]; !ok {
		return nil
	}
	_, _ = fmt.Fprintf(w, "try: ccpeer invoke%s -n asset -c '{\"Args\":[\"Create\",\"a1\",\"blue\"]}'\n", where)
	return nil
}

// shellWord makes one word of a text, in which a shell finds nothing to expand.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// serveAPI serves until ctx ends or the node does, and then waits for the calls under way.
func serveAPI(ctx context.Context, n *node, l net.Listener, stderr io.Writer) error {
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
		n.stop()
	}
	calls := ""
	if under := int(n.calls.Load()); under > 0 {
		calls = fmt.Sprintf("%s under way, for at most %s, and for ", count(under, "call"), drainTimeout)
	}
	_, _ = fmt.Fprintf(stderr, "stopping: waiting for %schaincode to end; Ctrl-C again ends at once\n", calls)
	return drain(context.WithoutCancel(ctx), n, server)
}

// drain waits for the calls under way. It doesn't wait for clients that have sent a part of a question.
func drain(ctx context.Context, n *node, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	shut := make(chan struct{})
	go func() {
		defer close(shut)
		_ = server.Shutdown(ctx) // the context says why
	}()
	answered := make(chan struct{})
	go func() {
		n.using.Lock() // when nobody uses it
		defer n.using.Unlock()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
		<-shut
		return errors.Errorf("stop: calls were still under way after %s", drainTimeout)
	}
	// The answers are on their way. Who is still connected after that has asked nothing.
	late := time.NewTimer(lastAnswers)
	defer late.Stop()
	select {
	case <-shut:
	case <-late.C:
		cancel()
		<-shut
	}
	return nil
}

func parseChaincodes(flags []string) (map[string]chaincode, error) {
	chaincodes := map[string]chaincode{}
	for _, s := range flags {
		name, command, _ := strings.Cut(s, "=")
		words := strings.Fields(command)
		if len(words) == 0 || !isName(name) {
			return nil, usagef("--chaincode %s: want name=path or \"name=path argument…\", with a name of "+nameForm, quote(s))
		}
		if _, ok := chaincodes[name]; ok {
			return nil, usagef("--chaincode %s: there are two of that name", quote(s))
		}
		path, err := findProgram(words[0])
		if err != nil {
			return nil, errors.WithMessagef(err, "chaincode %q", name)
		}
		p := &program{path: path}
		if len(words) > 1 { // otherwise it gets what Go chaincode wants
			p.args = words[1:]
		}
		chaincodes[name] = chaincode{id: name + ":" + defaultVersion, process: p}
	}
	return chaincodes, nil
}

// findChaincodes finds the programs of the example chaincodes in a folder, by default the one that this program is in.
func findChaincodes(dir string) (map[string]chaincode, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, errors.Wrap(err, "find this program")
		}
		dir = filepath.Dir(self)
	}
	chaincodes := map[string]chaincode{}
	for _, name := range exampleChaincodes {
		path, err := findProgram(filepath.Join(dir, name))
		if err != nil {
			return chaincodes, errors.WithMessagef(err, "example chaincode %q (to build it, in folder examples of the repository: go build -o %s/ ./chaincode/%s)", name, dir, name)
		}
		chaincodes[name] = chaincode{id: name + ":" + defaultVersion, process: &program{path: path}}
	}
	return chaincodes, nil
}

// parseLevel returns the level that a setting names. Those beyond error would end the program.
func parseLevel(level setting) (zapcore.Level, error) {
	at, err := zapcore.ParseLevel(level.text)
	if err != nil || at > zapcore.ErrorLevel {
		return at, level.wrong("%s: want debug, info, warn or error", quote(level.text))
	}
	return at, nil
}

// newLogger returns a logger that writes lines for a person.
func newLogger(w io.Writer, level setting) (*zap.Logger, error) {
	at, err := parseLevel(level)
	if err != nil {
		return nil, err
	}
	encoding := zap.NewDevelopmentEncoderConfig()
	encoding.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoding), zapcore.Lock(zapcore.AddSync(w)), at)), nil
}
