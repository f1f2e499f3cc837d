// Package fabricshim deploys chaincode that is written against Fabric's own Go shim, or its contract API, to a network of package
// chaincodetest. The chaincode runs in the test's process, as it is, and talks to the peer by the shim's own code.
//
//	contract, err := contractapi.NewChaincode(new(Assets))
//	net := chaincodetest.New(t)
//	net.Deploy("basic", fabricshim.Chaincode(contract))
//
// It is a module of its own, since it requires the official shim.
//
// # What is different from a chaincode process
//
// A panic fails the test. In production it ends the process, and with it all transactions that are in flight. The shim runs each
// transaction in a goroutine, and this package catches what happens in that one. A panic in a goroutine that the chaincode
// starts by itself can't be caught by anybody, and ends the test's process.
//
// shim.GetMSPID reads the process's environment. So chaincode of two organizations' peers sees the same organization. Deploy the
// chaincode as a process (chaincodetest.GoPackage) where that matters.
//
// When the network ends while transactions are running, the shim would leave them waiting for ever. Here their requests fail, so
// that they can return.
package fabricshim

import (
	"context"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/chaincodetest/internal/guard"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Chaincode is a chaincode on Fabric's shim, to be deployed. What contractapi.NewChaincode returns is one.
func Chaincode(cc shim.Chaincode) chaincodetest.Chaincode {
	return chaincodetest.ChaincodeFunc(func(h chaincodetest.Host) (runtime.Runtime, error) {
		if cc == nil {
			return nil, errors.New("the chaincode is nil")
		}
		guarded := &guarded{cc: cc, fell: h.Fell}
		return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
			d := newDrained(pb.As[peer.ChaincodeMessage](s))
			defer d.leave()
			return shim.StartInProc(chaincodeID, d, guarded)
		}), nil
	})
}

// guarded is a chaincode whose panics are answered and reported.
type guarded struct {
	cc   shim.Chaincode
	fell func(chaincodetest.Fall)
}

// Init implements shim.Chaincode.
func (g *guarded) Init(stub shim.ChaincodeStubInterface) *peer.Response {
	r := g.call(stub, g.cc.Init)
	if r == nil { // Fabric's shim would panic, where nobody can catch it
		report := chaincodetest.Fall{ChannelID: stub.GetChannelID(), TxID: stub.GetTxID(), Value: "Init returned a nil response"}
		g.fell(report)
		return shim.Error(report.Text())
	}
	return r
}

// Invoke implements shim.Chaincode.
func (g *guarded) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	return g.call(stub, g.cc.Invoke)
}

func (g *guarded) call(stub shim.ChaincodeStubInterface, f func(shim.ChaincodeStubInterface) *peer.Response) (r *peer.Response) {
	fall := guard.Call(func() { r = f(stub) })
	if fall == nil {
		return r
	}
	report := chaincodetest.Fall{ChannelID: stub.GetChannelID(), TxID: stub.GetTxID(), Value: fall.Value, Exited: fall.Exited, Stack: fall.Stack}
	g.fell(report)
	return shim.Error(report.Text())
}
