package builder_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	"github.com/ccpeer/ccpeer/shim"
)

// childVar makes the test binary play a program: its value names one of children. Scripts set it.
const childVar = "BUILDER_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(childVar); ok {
		children[mode]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// children are the programs. Those that dial tell the test that they run, and by the end of the connection that they do no
// more.
var children = map[string]func(){
	"idle":     func() { waitForEnd(dialTest()) },
	"stubborn": func() { signal.Ignore(syscall.SIGTERM); waitForEnd(dialTest()) },
	"parent":   func() { fork("stubborn"); waitForEnd(dialTest()) },
	"leaver": func() {
		fork("stubborn")
		waitForEnd(dialTest())
		fmt.Fprintln(os.Stderr, "leaving")
		os.Exit(7)
	},
	"ending": func() { waitForEnd(dialTest()); os.Exit(7) },
	"client": runClient,
	"talker": runTalker,
	"server": runServer,
	"peer":   runPeer,
}

// dialTest dials the test, whose address is the program's first argument, and says who it is.
func dialTest() net.Conn {
	conn, err := net.Dial("tcp", os.Args[1])
	must(err)
	_, err = fmt.Fprintln(conn, os.Getenv(childVar), os.Getpid())
	must(err)
	return conn
}

// waitForEnd returns when the test closes the connection.
func waitForEnd(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func fork(mode string) {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), childVar+"="+mode)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	must(cmd.Start())
}

// function is a chaincode whose Init and Invoke are one function.
type function func(shim.ChaincodeStubInterface) *shim.Response

func (f function) Init(s shim.ChaincodeStubInterface) *shim.Response   { return f(s) }
func (f function) Invoke(s shim.ChaincodeStubInterface) *shim.Response { return f(s) }

func echo(s shim.ChaincodeStubInterface) *shim.Response {
	args := s.GetArgs()
	return shim.Success(args[len(args)-1])
}

// runTalker is the suite's chaincode, started with the path of a chaincode.json.
func runTalker() {
	m := runMetadataOf(os.Args[1])
	must(runtimetest.Dial(context.Background(), m["peer_address"], m["chaincode_id"]))
}

func runMetadataOf(path string) (m map[string]string) {
	text, err := os.ReadFile(path)
	must(err)
	must(json.Unmarshal(text, &m))
	return m
}

// runClient is chaincode that dials the peer, started with the path of a chaincode.json.
func runClient() {
	m := runMetadataOf(os.Args[1])
	cfg := shim.Config{ChaincodeID: m["chaincode_id"], PeerAddress: m["peer_address"]}
	if m["root_cert"] != "" {
		own, err := tls.X509KeyPair([]byte(m["client_cert"]), []byte(m["client_key"]))
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(m["root_cert"]))
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{own}}
	}
	fmt.Fprintln(os.Stderr, shim.Run(context.Background(), cfg, function(echo)))
}

// serverArgs is what the chaincode server is given, as JSON on its standard input.
type serverArgs struct {
	ID                    string
	Cert, Key, ClientCert []byte
}

// runServer is chaincode that is a server. It prints its address, and lives until its standard input ends.
func runServer() {
	var a serverArgs
	in := json.NewDecoder(os.Stdin)
	must(in.Decode(&a))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(l.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	must(shim.Serve(ctx, shim.ChaincodeServer{CCID: a.ID, Listener: l, CC: function(echo),
		TLSProps: shim.TLSProperties{Disabled: a.Key == nil, Cert: a.Cert, Key: a.Key, ClientCACerts: a.ClientCert}}))
}

// runPeer is a peer that runs a chaincode, to be killed. It is given a builder's folder, the folder for builds, and the
// chaincode's ID.
func runPeer() {
	rt, err := builder.New(builder.Config{Builders: []builder.Builder{{Name: "b", Path: os.Args[1]}}, Dir: os.Args[2], PeerAddress: "127.0.0.1:1"})
	must(err)
	must(rt.Run(context.Background(), os.Args[3], nil))
}
