package process_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
)

// childVar makes the test binary play a chaincode: its value names one of children, or is talker.
const childVar = "PROCESS_TEST_CHILD"

// talker is the chaincode of the suite.
const talker = "talker"

// quickExit spares a child built with -race the second that it would wait before it exits.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	part := os.Getenv(childVar)
	if play, ok := children()[part]; ok {
		play()
		os.Exit(0)
	}
	if part == talker {
		must(runtimetest.Dial(context.Background(), os.Getenv("CORE_PEER_ADDRESS"), os.Getenv("CORE_CHAINCODE_ID_NAME")))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func config(t testing.TB, child, address string) process.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return process.Config{Command: self, Env: []string{childVar + "=" + child, quickExit}, PeerAddress: address}
}

func newRuntime(t testing.TB, cfg process.Config) *process.Runtime {
	t.Helper()
	r, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSuite(t *testing.T) {
	runtimetest.Run(t, runtimetest.Fixture{
		New: func(t testing.TB, _, address string) runtime.Runtime {
			return newRuntime(t, config(t, talker, address))
		},
		NewBroken: func(t testing.TB, _, address string) runtime.Runtime {
			cfg := config(t, talker, address)
			cfg.Env = append(cfg.Env, "A=\x00")
			return newRuntime(t, cfg)
		},
		Texts: runtimetest.Texts{
			Leaves: "container exited with 0",
			Fails:  "container exited with 99: no such database",
			Panics: "container exited with 2: panic: out of memory",
			Broken: "error starting container: exec: environment variable contains NUL",
		},
	})
}
