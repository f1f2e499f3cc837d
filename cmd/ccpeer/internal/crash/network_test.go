//go:build unix

// Package crash_test kills a network again and again while clients work, and compares what they were told with what is left. Its long
// form ("CCPEER_LONG") does so at 100 points.
package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// dirVar is what makes the test's program a network, in that folder.
const dirVar = "CCPEER_CRASH_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(dirVar)
	if dir == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := serve(context.Background(), dir, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err)
		os.Exit(1)
	}
}

// entrance is how clients get in.
type entrance struct {
	Address                   string
	TLSRoot, Certificate, Key []byte
}

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
	return shim.Success(nil)
}

// serve is the process that is a network. It lasts until in ends, or until it is killed.
func serve(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	n, err := peer.NewNetwork(ctx, peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Folder: filepath.Join(dir, "network"),
		Store: func(name string) (store.Store, error) {
			return pebble.Open(pebble.Config{Dir: filepath.Join(dir, name), MinFree: -1})
		},
	})
	if err != nil {
		return err
	}
	if err := n.Deploy(ctx, peer.DefaultChannel, peer.Chaincode{
		Name: "notes", Version: "1.0", Endorsement: "AND('Org1MSP.peer', 'Org2MSP.peer')",
		Runtime: inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
			return shim.StartInProc(chaincodeID, s, notes{})
		}),
	}); err != nil {
		return err
	}
	running, err := devnet.Start(ctx, n, devnet.Config{})
	if err != nil {
		return err
	}
	alice, err := n.Client("alice@Org1MSP", nil)
	if err != nil {
		return err
	}
	key, err := alice.KeyPEM()
	if err != nil {
		return err
	}
	at := running.Endpoint("Org1MSP")
	if err := json.NewEncoder(out).Encode(entrance{at.Address, at.TLSRoot, alice.CertificatePEM(), key}); err != nil {
		return errors.WithStack(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return errors.WithStack(err)
	}
	if err := running.Close(ctx); err != nil {
		return err
	}
	return n.Close(ctx)
}
