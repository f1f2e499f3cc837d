package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/internal/golden"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// TestPage holds the page's program to this one. -update writes it.
func TestPage(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(source), "func run() error {")
	j := strings.Index(string(source), "// firstFile reads")
	if i < 0 || j < i {
		t.Fatal("main.go has no run and firstFile")
	}
	golden.Block(t, "../../docs/applications.md", "application", "```go\n"+string(source[i:j-1])+"```\n")
}

// store is a chaincode that keeps values.
type store struct{}

func (store) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (store) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	function, args := stub.GetFunctionAndParameters()
	if function == "Create" {
		if err := stub.PutState(args[0], []byte(args[1])); err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success([]byte(args[1]))
	}
	value, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// TestApplication runs the application against a network in this process, as whoever has done what the page says.
func TestApplication(t *testing.T) {
	ctx, folder := context.Background(), t.TempDir()
	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{Folder: folder, Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := network.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	run1 := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error { return shim.StartInProc(id, s, store{}) })
	if err := network.Deploy(ctx, peer.DefaultChannel, peer.Chaincode{Name: "asset", Runtime: run1}); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Client("User1@Org2MSP", nil); err != nil {
		t.Fatal(err)
	}
	running, err := devnet.Start(ctx, network, devnet.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := running.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	e := running.Endpoint("Org2MSP")
	msp := peer.OrganizationFolder(folder, e.MSPID, "users", "User1", "msp")
	for name, value := range map[string]string{
		"CHANNEL_NAME": peer.DefaultChannel, "MSP_ID": e.MSPID, "PEER_ENDPOINT": e.Address, "PEER_HOST_ALIAS": "localhost",
		"CERT_DIRECTORY_PATH": filepath.Join(msp, "signcerts"), "KEY_DIRECTORY_PATH": filepath.Join(msp, "keystore"),
		"TLS_CERT_PATH": peer.OrganizationFolder(folder, e.MSPID, "peers", e.Peer, "tls", "ca.crt"),
	} {
		t.Setenv(name, value)
	}
	if err := run(); err != nil {
		t.Error(err)
	}
}
