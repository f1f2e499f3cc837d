package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/shim"
)

// playPeer makes the test binary play the peer program. It plays the chaincode probe when a peer has launched it.
const playPeer = "CCPEER_TEST_PLAY_PEER"

func TestMain(m *testing.M) {
	etcdtest.Main()
	switch {
	case os.Getenv(playServer) != "": // a server that the peer starts has the next variable, too
		os.Exit(serveProbe(os.Getenv(playServer)))
	case os.Getenv("CORE_CHAINCODE_ID_NAME") != "":
		os.Exit(playProbe(shim.LoadConfig("", os.LookupEnv)))
	case os.Getenv(playRun) != "":
		os.Exit(playProbe(loadRunMetadata(os.Getenv(playRun))))
	case os.Getenv(playPeer) != "":
		main()
	}
	data, err := os.MkdirTemp("", "peer")
	if err != nil {
		panic(err)
	}
	setDataHome(data) // nothing is to get among the user's data
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(data)
		os.Exit(status)
	}))
}

// dataHome is the variable that says where the default ledgers are.
const dataHome = "XDG_DATA_HOME"

func setDataHome(dir string) {
	if err := os.Setenv(dataHome, dir); err != nil {
		panic(err)
	}
}

// result is what a program printed, and its exit status.
type result struct {
	stdout, stderr string
	status         int
}

// ccpeer runs the peer program as a process. What it keeps by default is for this run only.
func ccpeer(t *testing.T, args ...string) result {
	t.Helper()
	return peerWithData(t, t.TempDir(), args...)
}

// peerWithData is ccpeer with the folder that default ledgers are in.
func peerWithData(t *testing.T, data string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := peerCommand(ctx, data, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Error(err)
		return result{status: -1}
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func peerCommand(ctx context.Context, data string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	// With the race detector, a program otherwise takes a second to exit.
	cmd.Env = append(os.Environ(), playPeer+"=1", dataHome+"="+data, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// check compares a result with an exit status and with what must be printed, on standard output if the status is 0.
func (r result) check(t *testing.T, status int, want string) {
	t.Helper()
	text := r.stdout
	if status != exitOK {
		text = r.stderr
	}
	if r.status != status || !strings.Contains(text, want) {
		t.Errorf("exit status %d, standard output %q, standard error %q; want status %d and %q", r.status, r.stdout, r.stderr, status, want)
	}
}

// TestCommandLine is about what needs no peer.
func TestCommandLine(t *testing.T) {
	nowhere := "unix://" + t.TempDir() + "/s"
	self := os.Args[0]
	for _, c := range []struct {
		args   string // separated by |
		status int
		want   string
	}{
		{"", exitOK, "Start with: ccpeer demo"},
		{"--help", exitOK, "Available Commands"},
		{"invoke|--help", exitOK, `ccpeer invoke -n asset -c '{"Args":["Create","a1","blue"]}'`},
		{"query|--help", exitOK, "--raw >a1.json"},
		{"chaincode|query|--help", exitOK, "ccpeer chaincode query -n NAME"},
		{"chaincode|list|--help", exitOK, "ccpeer chaincode list --json"},
		{"serve|--help", exitOK, "--chaincode mine=./mine"},
		{"serve|--help", exitOK, "postgres:URL, or a postgres:// URL"},
		{"demo|--help", exitOK, "--chaincode-dir"},
		{"block|--help", exitOK, "ccpeer block newest --json"},
		{"tx|--help", exitOK, "metadataWrites"},
		{"state|--help", exitOK, "--composite owner ann a1"},
		{"explain|--help", exitOK, "which index it uses"},
		{"env|--help", exitOK, "eval \"$(ccpeer env)\""},
		{"events|--help", exitOK, "ccpeer events -n asset -f --json"},

		{"serv", exitUsage, `unknown command "serv" for "ccpeer"`},
		{"chaincode", exitUsage, "ccpeer chaincode invoke"},
		{"chaincode|install", exitUsage, "ccpeer chaincode invoke"},
		{"invoke|--colour", exitUsage, "See: ccpeer invoke --help"},
		{"invoke|extra", exitUsage, "extra"},
		{"chaincode|invoke|--colour", exitUsage, "See: ccpeer chaincode invoke --help"},

		{"invoke", exitUsage, "-n asset"},
		{"invoke|-n|asset", exitUsage, `want -c '{"Args":["function","argument",…]}'`},
		{`query|-n|asset|-c|["Read"]`, exitUsage, "-c is not a call"},
		{`query|-n|asset|-c|{"Args":["Read"`, exitUsage, "-c is not a call"},
		{`query|-n|asset|-c|{"Args":["Read"]}}`, exitUsage, "-c is not a call"},
		{`query|-n|asset|-c|{"Arg":["Read"]}`, exitUsage, `unknown field "Arg"`},
		{`query|-n|asset|-c|{}`, exitUsage, "neither function nor Args"},
		{`query|-n|asset|-c|{"Args":[]}|--transient|{"a":"no base64"}`, exitUsage, `--transient '{"name":"aGVsbG8="}'`},
		{`query|-n|asset|-c|{"Args":[]}|--as|@Org1MSP`, exitUsage, `--as: "" is no name of a client`},
		{`query|-n|asset|-c|{"Args":[]}|--attr|role=registrar`, exitUsage, "--as alice --attr role=registrar"},
		{`query|-n|asset|-c|{"Args":[]}|--as|alice|--attr|role`, exitUsage, `--attr "role": want name=value`},
		{`query|-n|asset|-c|{"Args":[]}|--as|alice|--attr|=x`, exitUsage, "want name=value"},
		{`query|-n|asset|-c|{"Args":[]}|--as|alice|--attr|a=1|--attr|a=2`, exitUsage, "each name once"},
		{`query|-n|asset|-c|{"Args":[]}|--api|nonsense`, exitUsage, "want host:port or unix:///path"},
		{`query|-n|asset|-c|{"Args":[]}|-r|-x`, exitUsage, "not compatible"},
		{`query|-n|asset|-c|{"Args":[]}|--api|` + nowhere, exitFailed, `start one with "ccpeer serve"`},
		{`chaincode|invoke|-n|asset|-c|{"Args":[]}|--api|` + nowhere, exitFailed, `start one with "ccpeer serve"`},

		{"block|x", exitUsage, "want a number, or newest"},
		{"block|1|2", exitUsage, "at most 1 arg"},
		{"block|--api|nonsense", exitUsage, "want host:port or unix:///path"},
		{"block|--api|" + nowhere, exitFailed, `start one with "ccpeer serve"`},
		{"chaincode|list|asset", exitUsage, "asset"},
		{"chaincode|list|--api|" + nowhere, exitFailed, `start one with "ccpeer serve"`},
		{"tx", exitUsage, "want one transaction ID"},
		{"state|-n|asset", exitUsage, "want one key"},
		{"state|-n|asset|a1|a2", exitUsage, "want one key"},
		{"state|a1", exitUsage, "-n asset"},
		{"state|-n|asset|a1|--history|-1", exitUsage, "less than 0"},
		{"env|--api|" + nowhere, exitFailed, `start one with "ccpeer serve"`},
		{"events|--api|" + nowhere, exitFailed, `start one with "ccpeer serve"`},
		{"events|--from|x", exitUsage, "--from"},
		{"explain|-n|asset", exitUsage, "want one query"},
		{"explain|{}", exitUsage, "-n asset"},

		{"serve|--ledger|disk", exitUsage, "want " + ledgerForms},
		{"demo|--ledger|disk:/tmp", exitUsage, "want " + ledgerForms},
		{"serve|--ledger|pebble:", exitUsage, "want " + ledgerForms},
		{"serve|--ledger|postgres:nonsense", exitUsage, ledgerForms},
		{"serve|--ledger|etcd:localhost", exitUsage, "want host:port"},
		{"serve|--indexes|asset", exitUsage, "want name=folder"},
		{"serve|--indexes|asset=/nowhere", exitFailed, `indexes of chaincode "asset": stat /nowhere: no such file`},
		{"serve|--indexes|asset=.", exitFailed, "META-INF/statedb/couchdb/indexes/*.json"},
		{"serve|--indexes|a=.|--indexes|a=.", exitUsage, "two of that name"},
		{"serve|--collections-config|asset=", exitUsage, "want name=file"},
		{"serve|--collections-config|asset=/nowhere", exitFailed, `collections of chaincode "asset": open /nowhere`},
		{"serve|--collections-config|asset=main.go", exitFailed, `collections of chaincode "asset": main.go: `},

		{"serve|--plaintext|--listen|0.0.0.0:7052", exitUsage, "this peer speaks plaintext"},
		{"serve|--plaintext|--listen|:7052", exitUsage, "127.0.0.1:7052, or unix:///path"},
		{"serve|--dev|--listen|192.0.2.1:7052", exitUsage, "can be reached from the network"},
		{"serve|--listen|0.0.0.0:7052", exitUsage, "name it with --advertise HOST"},
		{"serve|--listen|:7052", exitUsage, "name it with --advertise HOST"},
		{"serve|--advertise|0.0.0.0", exitUsage, `--advertise: "0.0.0.0" is nothing that can be dialled`},
		{"serve|--advertise|[::]:1", exitUsage, "want HOST or HOST:PORT"},
		{"serve|--advertise|a b", exitUsage, "want HOST or HOST:PORT"},
		{"serve|--advertise|host:0", exitUsage, "no port that can be dialled"},
		{"serve|--advertise|host:", exitUsage, "no port that can be dialled"},
		{"serve|--plaintext|--advertise|host", exitUsage, "--advertise: chaincode that connects in plaintext"},
		{"serve|--listen|unix:///s|--advertise|host", exitUsage, "a Unix socket, which has no other address"},
		{"serve|--dev|--api|0.0.0.0:0", exitUsage, "--api"},
		{"serve|--gateway|0.0.0.0:7051", exitUsage, "name it with --advertise HOST"},
		{"serve|--gateway-tls|yes", exitUsage, "want on, mutual or off"},
		{"serve|--listen|unix://", exitUsage, "has no path"},
		{"serve|--config|/nowhere", exitFailed, "read the configuration file: open /nowhere"},
		{"serve|--config|main.go", exitFailed, "main.go: this is not YAML: "},
		{"serve|--config|ccpeer.yaml|--chaincode|a=b", exitUsage, "--chaincode and --config exclude each other"},
		{"serve|--log-level|loud", exitUsage, "want debug, info, warn or error"},
		{"serve|--output-level|fatal", exitUsage, "want debug, info, warn or error"},
		{"serve|--chaincode|asset", exitUsage, "want name=path"},
		{"serve|--chaincode|asset= ", exitUsage, `want name=path or "name=path argument…"`},
		{"serve|--chaincode|as:set=" + self, exitUsage, "want name=path"},
		{"serve|--chaincode|a=" + self + "|--chaincode|a=" + self, exitUsage, "two of that name"},
		{"serve|--chaincode|asset=/nowhere", exitFailed, "/nowhere: no such file"},
		{"serve|--chaincode|asset=/", exitFailed, "/ is not a program"},
		{"serve|-C|", exitUsage, "name a channel"},
		{"serve", exitFailed, "go build -o"},
		{"demo|--chaincode-dir|/nowhere", exitFailed, "go build -o /nowhere/ ./chaincode/asset"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var args []string
			if c.args != "" {
				args = strings.Split(c.args, "|")
			}
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a peer that starts ends with it
			defer cancel()
			status := run(ctx, args, &stdout, &stderr)
			result{stdout.String(), stderr.String(), status}.check(t, c.status, c.want)
		})
	}
}

func TestParseCtor(t *testing.T) {
	for _, c := range []struct {
		ctor string
		want []string
	}{
		{`{"Args":["Create","a1"]}`, []string{"Create", "a1"}},
		{`{"args":["Create","a1"]}`, []string{"Create", "a1"}},
		{`{"function":"Create","Args":["a1"]}`, []string{"Create", "a1"}},
		{`{"Function":"Create"}`, []string{"Create"}},
		{` { "Args" : [ "\u00e9\u0000" , "" ] } `, []string{"é\x00", ""}},
		{`{"Args":[]}`, nil},
	} {
		args, err := parseCtor(c.ctor)
		if err != nil {
			t.Errorf("%s: %v", c.ctor, err)
		}
		got := make([]string, len(args))
		for i, a := range args {
			got[i] = string(a)
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") || len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %q", c.ctor, got, c.want)
		}
	}
}
