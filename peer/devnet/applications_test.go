package devnet_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/internal/gatewayclient"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// notes is a chaincode that notes something, and has an event for it.
type notes struct{}

func (notes) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (notes) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	note := stub.GetStringArgs()[0]
	if err := stub.PutState(note, []byte(note)); err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.SetEvent("noted", []byte(note)); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte(note))
}

// clientOf returns a client of an organization's peer.
func clientOf(t testing.TB, n *peer.Network, r *devnet.Running, mspID string) *gatewayclient.Client {
	t.Helper()
	alice, err := n.Client("alice@"+mspID, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := r.Endpoint(mspID)
	conn, err := gatewayclient.Dial(at.Address, at.TLSRoot, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &gatewayclient.Client{Conn: conn, ChannelID: peer.DefaultChannel, Signer: alice}
}

// Applications of two organizations work on a network, each at its own peer, and hear of each other's transactions.
func TestApplications(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	run := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error { return shim.StartInProc(id, s, notes{}) })
	if err := n.Deploy(t.Context(), peer.DefaultChannel, peer.Chaincode{Name: "notes", Runtime: run, Endorsement: "AND('Org1MSP.peer', 'Org2MSP.peer')"}); err != nil {
		t.Fatal(err)
	}
	r := start(t, n, devnet.Config{})
	const each = 20
	var (
		mu        sync.Mutex
		submitted []string
		working   sync.WaitGroup
	)
	for _, mspID := range []string{"Org1MSP", "Org2MSP"} {
		c := clientOf(t, n, r, mspID)
		if got, err := c.Evaluate(t.Context(), "notes", []byte("a question")); err != nil || string(got) != "a question" {
			t.Errorf("%q, %v", got, err)
		}
		heard, err := c.Events(t.Context(), "notes", 0, "")
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			for i := range each {
				tx, err := c.Submit(t.Context(), "notes", []byte(mspID), []byte{byte(i)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				submitted = append(submitted, tx.TxID)
				mu.Unlock()
			}
		})
		working.Go(func() {
			for got := 0; got < 2*each; {
				m, err := heard.Recv()
				if err != nil {
					t.Error(err)
					return
				}
				got += len(m.GetEvents())
			}
		})
	}
	working.Wait()
	slices.Sort(submitted)
	if all := slices.Compact(submitted); len(all) != 2*each {
		t.Errorf("%d transactions were submitted, want %d", len(all), 2*each)
	}
}
