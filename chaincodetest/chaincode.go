package chaincodetest

import (
	"context"
	"fmt"
	"io"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodetest/internal/guard"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// Chaincode is something that can be deployed. InProcess, Mock, GoPackage, Command and Server make one, and so does package
// fabricshim.
type Chaincode interface {
	// Runtime returns what runs the chaincode on a peer. It is called once for each Deploy and peer. An error fails the test.
	Runtime(h Host) (runtime.Runtime, error)
}

// ChaincodeFunc is a function that implements Chaincode.
type ChaincodeFunc func(h Host) (runtime.Runtime, error)

// Runtime implements Chaincode.
func (f ChaincodeFunc) Runtime(h Host) (runtime.Runtime, error) { return f(h) }

// Host is what a Chaincode is told of the peer that it will run on.
type Host struct {
	// MSPID is the ID of the peer's organization.
	MSPID string
	// PeerAddress returns the address that a process dials to find the peer. The first call makes the peer listen.
	PeerAddress func() (string, error)
	// Fell is to be called, before the transaction is answered, when the chaincode's code has panicked or ended its
	// goroutine.
	Fell func(Fall)
	// Output gets what a process prints.
	Output io.Writer
	// Clock returns the name of a file that a process may look at for its clock. Its eight bytes, in the machine's order, say how many
	// seconds the clock is ahead. They change while a transaction runs again to be compared. It is nil if nothing is compared.
	Clock func() (string, error)
}

// Fall says that chaincode has panicked, or has ended its goroutine, instead of returning.
type Fall struct {
	// ChannelID and TxID identify the transaction.
	ChannelID, TxID string
	// Value is what it panicked with.
	Value any
	// Exited says that it ended its goroutine and didn't panic. A call of t.Fatal does that.
	Exited bool
	// Stack is the stack at that moment, as debug.Stack prints it.
	Stack []byte
}

// Text says in a few words what happened. It is what the transaction is answered with.
func (f Fall) Text() string {
	if f.Exited {
		return "the chaincode's goroutine ended without returning (runtime.Goexit, t.FailNow)"
	}
	return fmt.Sprintf("panic: %v", f.Value)
}

// InProcess is chaincode written against this library's shim. It runs in the test's process.
func InProcess(cc shim.Chaincode) Chaincode {
	return ChaincodeFunc(func(h Host) (runtime.Runtime, error) {
		if cc == nil {
			return nil, errors.New("the chaincode is nil")
		}
		guarded := guarded{Chaincode: cc, fell: h.Fell}
		return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
			defer func() { _ = s.CloseSend() }()
			return shim.Chat(s, shim.Config{ChaincodeID: chaincodeID}, guarded)
		}), nil
	})
}

// guarded is a chaincode whose panics are answered and reported.
type guarded struct {
	shim.Chaincode
	fell func(Fall)
}

func (g guarded) Init(stub shim.ChaincodeStubInterface) *shim.Response {
	return g.call(stub, g.Chaincode.Init)
}

func (g guarded) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	return g.call(stub, g.Chaincode.Invoke)
}

func (g guarded) call(stub shim.ChaincodeStubInterface, f func(shim.ChaincodeStubInterface) *shim.Response) (r *shim.Response) {
	fall := guard.Call(func() { r = f(stub) })
	if fall == nil {
		return r
	}
	report := Fall{ChannelID: stub.GetChannelID(), TxID: stub.GetTxID(), Value: fall.Value, Exited: fall.Exited, Stack: fall.Stack}
	g.fell(report)
	return shim.Error(report.Text())
}
