package attach_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// childVar makes the test binary a chaincode, or a peer.
const childVar = "ATTACH_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "talker":
		fmt.Fprintln(os.Stderr, runtimetest.Dial(context.Background(), os.Getenv("CORE_PEER_ADDRESS"), os.Getenv("CORE_CHAINCODE_ID_NAME")))
		os.Exit(1)
	case "chaincode":
		fmt.Fprintln(os.Stderr, shim.Start(whoami{}))
		os.Exit(1)
	case "peer":
		fmt.Fprintln(os.Stderr, runAsPeer(os.Args[1]))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// runAsPeer is a peer that waits for chaincode, to be killed. It says on standard output which file a shell is to source, and
// then that the chaincode is there.
func runAsPeer(dir string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	auth, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return err
	}
	rt, err := attach.New(attach.Config{ChaincodeID: "asset:1", PeerAddress: l.Addr().String(), TLS: auth, Dir: dir})
	if err != nil {
		return err
	}
	cs, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes: chaincodesupport.OneRuntime(rt), Credentials: auth.ServerCredentials(), Identify: auth.Identify,
	})
	if err != nil {
		return err
	}
	srv := grpc.NewServer(cs.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(srv, cs)
	go func() { _ = cs.Launch(context.Background(), "asset:1"); fmt.Println("it is there") }()
	fmt.Println(rt.EnvFile())
	return srv.Serve(l)
}

// whoami is a chaincode that answers with the ID of its process.
type whoami struct{}

func (whoami) Init(s shim.ChaincodeStubInterface) *shim.Response { return whoami{}.Invoke(s) }
func (whoami) Invoke(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte(strconv.Itoa(os.Getpid())))
}

// user is somebody who starts a chaincode in a shell.
type user struct {
	t      testing.TB
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

// start sources a file and starts the chaincode, as the package's documentation says. What is in between is up to the test.
func start(t testing.TB, envFile, between string) *user {
	t.Helper()
	return startPart(t, "chaincode", envFile, between)
}

// startPart is start for a chaincode that plays a part.
func startPart(t testing.TB, part, envFile, between string) *user {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, ended: make(chan struct{})}
	u.cmd = exec.Command("/bin/sh", "-c", `. "$1"; `+between+` exec "$2" -peer.address "$CORE_PEER_ADDRESS"`, "sh", envFile, self)
	u.cmd.Env = []string{childVar + "=" + part, "GORACE=atexit_sleep_ms=0"}
	u.cmd.Stderr = &u.stderr
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(u.ended)
		_ = u.cmd.Wait() // how it ended is in its ProcessState
	}()
	t.Cleanup(u.kill)
	return u
}

// kill ends the chaincode, as Ctrl-C would.
func (u *user) kill() {
	_ = u.cmd.Process.Kill() // fails if it has ended
	<-u.ended
}

// last waits until the chaincode ends by itself, and returns what it said.
func (u *user) last() string {
	u.t.Helper()
	select {
	case <-u.ended:
	case <-time.After(patience):
		u.t.Fatal("the chaincode does not end")
	}
	return u.stderr.String()
}
