package peer_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// runs has a function as a chaincode, in the process.
func runs(invoke func(shim.ChaincodeStubInterface) *pb.Response) runtime.Runtime {
	return inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
		return shim.StartInProc(id, s, chaincode(invoke))
	})
}

type chaincode func(shim.ChaincodeStubInterface) *pb.Response

func (c chaincode) Init(stub shim.ChaincodeStubInterface) *pb.Response   { return c(stub) }
func (c chaincode) Invoke(stub shim.ChaincodeStubInterface) *pb.Response { return c(stub) }

// functions are those of asset.
var functions = map[string]func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error){
	"put": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		if _, err := stub.GetState(args[0]); err != nil {
			return nil, err
		}
		if err := stub.SetEvent("Put", []byte(args[0])); err != nil {
			return nil, err
		}
		return []byte("done"), stub.PutState(args[0], []byte(args[1]))
	},
	"get": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) { return stub.GetState(args[0]) },
	"putPrivate": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		transient, err := stub.GetTransient()
		if err != nil {
			return nil, err
		}
		value, ok := transient["value"]
		if !ok {
			value = []byte("known to all")
		}
		return nil, stub.PutPrivateData(args[0], args[1], value)
	},
	"getPrivate": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return stub.GetPrivateData(args[0], args[1])
	},
	// What is public becomes private. It isn't a read that can conflict, as it is of history.
	"putPrivateTwice": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		history, err := stub.GetHistoryForKey("public")
		if err != nil {
			return nil, err
		}
		last, err := history.Next()
		if err != nil {
			return nil, err
		}
		if err := history.Close(); err != nil {
			return nil, err
		}
		return nil, stub.PutPrivateData(args[0], args[1], last.GetValue())
	},
	"policy": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		p, err := policies.Parse(args[1])
		if err != nil {
			return nil, err
		}
		b, err := p.Marshal()
		if err != nil {
			return nil, err
		}
		return nil, stub.SetStateValidationParameter(args[0], b)
	},
	"add": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		old, err := stub.GetState(args[0])
		if err != nil {
			return nil, err
		}
		return nil, stub.PutState(args[0], append(old, '|'))
	},
	// It is not deterministic.
	"count": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return nil, stub.PutState(args[0], []byte(strconv.Itoa(int(counted.Add(1)))))
	},
	"call": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		r := stub.InvokeChaincode(args[0], [][]byte{[]byte(args[2]), []byte(args[3]), []byte("called")}, args[1])
		return []byte(r.GetMessage() + string(r.GetPayload())), nil
	},
}

var counted atomic.Int64

// asset is a chaincode with a function for each thing that the tests need.
func asset(stub shim.ChaincodeStubInterface) *pb.Response {
	name, args := stub.GetFunctionAndParameters()
	if function := functions[name]; function != nil {
		b, err := function(stub, args)
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(b)
	}
	return &pb.Response{Status: 404, Message: "no function " + name}
}

func newNetwork(t testing.TB, cfg peer.NetworkConfig) *peer.Network {
	t.Helper()
	n, err := peer.NewNetwork(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func deploy(t testing.TB, n *peer.Network, cc peer.Chaincode) {
	t.Helper()
	if err := n.Deploy(t.Context(), "", cc); err != nil {
		t.Fatal(err)
	}
}

func client(t testing.TB, n *peer.Network, name string) *identity.Identity {
	t.Helper()
	id, err := n.Client(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// call is a call of asset.
func call(function string, args ...string) peer.Call {
	c := peer.Call{Chaincode: "asset", Args: [][]byte{[]byte(function)}}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	return c
}

func propose(t testing.TB, who identity.Signer, c peer.Call) *identity.Proposal {
	t.Helper()
	p, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: "mychannel", Chaincode: c.Chaincode, Args: c.Args, Transient: c.Transient, Signer: who,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// endorsed is the envelope of a proposal that some peers endorse.
func endorsed(t testing.TB, p *peer.Peer, who identity.Signer, proposal *identity.Proposal) []byte {
	t.Helper()
	r, err := p.ProcessProposal(t.Context(), proposal.Signed)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{r}, who)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}
