package interop_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// TestNodeClock has chaincode on fabric-shim use the machine's clock, which chaincodetest finds whatever the unit.
func TestNodeClock(t *testing.T) {
	install(t)
	net := chaincodetest.New(t)
	net.Deploy("clock", chaincodetest.Command{
		Path: command(t, "node"), Args: []string{"day.js", "start", "--peer.address", "{{.PeerAddress}}"}, Dir: projectDir(t, "shim25"),
	})
	wantNoDay(t, net, "clock")
}

// TestGoClock does so with a program in Go that was built for it.
func TestGoClock(t *testing.T) {
	net := chaincodetest.New(t)
	net.Deploy("program", chaincodetest.GoPackage("../../chaincodetest/testdata/program", chaincodetest.ShiftClock()))
	wantNoDay(t, net, "program")
}

// wantNoDay submits what is the same every day, and what isn't.
func wantNoDay(t *testing.T, net *chaincodetest.Net, name string) {
	t.Helper()
	alice := net.As("alice@Org1MSP")
	alice.Submit(name, "Put", "k").OK()
	alice.Evaluate(name, "Day").OK()
	said := make(chan string, 1)
	go func() {
		defer close(said)
		alice.In(net.In(&failing{TB: t, said: said})).Submit(name, "Day")
	}()
	if said := <-said; !strings.Contains(said, name+".Day by alice@Org1MSP (transaction 3) isn't deterministic") {
		t.Errorf("it says %s", said)
	}
}

// failing is a testing.TB that tells how it was failed. It fails nothing.
type failing struct {
	testing.TB
	said chan<- string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.said <- fmt.Sprintf(format, args...)
	runtime.Goexit()
}
