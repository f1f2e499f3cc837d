package fabricshim_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/chaincodetest/fabricshim"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accounts is a chaincode on Fabric's shim.
type accounts struct{ waiting, released chan struct{} }

func (*accounts) Init(stub shim.ChaincodeStubInterface) *peer.Response {
	if len(stub.GetArgs()) > 1 {
		return nil
	}
	return shim.Success(nil)
}

func (a *accounts) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	function, args := stub.GetFunctionAndParameters()
	var payload []byte
	var err error
	switch function {
	case "Open":
		err = open(stub, args[0])
	case "Who":
		var id string
		if id, err = cid.GetID(stub); err == nil {
			payload = []byte(id)
		}
	case "Day":
		payload = []byte(time.Now().Format(time.DateOnly))
	case "MSPID":
		var id string
		id, err = shim.GetMSPID()
		payload = []byte(id)
	case "Panic":
		payload = []byte(args[7])
	case "Exit":
		runtime.Goexit()
	case "Nil":
		return nil
	case "Wait":
		a.waiting <- struct{}{}
		<-a.released
		for range 3 {
			_, err = stub.GetState("x")
		}
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

func open(stub shim.ChaincodeStubInterface, name string) error {
	if old, err := stub.GetState(name); err != nil || len(old) > 0 {
		return errors.New("there is an account of " + name)
	}
	if err := stub.PutState(name, []byte("0")); err != nil {
		return err
	}
	return stub.SetEvent("Opened", []byte(name))
}

func TestOfficialShim(t *testing.T) {
	net := chaincodetest.New(t)
	net.Deploy("accounts", fabricshim.Chaincode(new(accounts)))
	alice := net.As("alice@Org1MSP")
	alice.Submit("accounts", "Open", "alice").OK().Reads("alice").Writes("alice", 0).Event("Opened", "alice")
	alice.Submit("accounts", "Open", "alice").Fails("there is an account of alice")
	alice.Evaluate("accounts", "Who").Returns(alice.ID())
	alice.Evaluate("accounts", "MSPID").Returns("Org1MSP")
	alice.Evaluate("accounts", "Nil").Fails("proposal response was not successful, error code 0")
}

// recorder is a testing.TB that notes how it was failed.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()           {}
func (r *recorder) Output() io.Writer { return io.Discard }
func (r *recorder) Fatalf(format string, args ...any) {
	r.said = strings.TrimSpace(format)
	for _, a := range args {
		if s, ok := a.(string); ok {
			r.said += "\n" + s
		}
	}
	runtime.Goexit()
}

// A panic fails its test with the stack, and nothing else: the chaincode and its process go on.
func TestPanic(t *testing.T) {
	net := chaincodetest.New(t)
	net.Deploy("accounts", fabricshim.Chaincode(new(accounts)), chaincodetest.InitRequired())
	alice := net.As("alice@Org1MSP")
	alice.AsInit().Submit("accounts", "Init").OK()
	for _, c := range []struct {
		function, want string
		client         *chaincodetest.Client
	}{
		{"Panic", "index out of range [7] with length 1", alice},
		{"Panic", "fabricshim_test.go:", alice},
		{"Exit", "the chaincode's goroutine ended", alice},
		{"Init", "Init returned a nil response", alice.AsInit()},
	} {
		if c.function == "Init" {
			net.Deploy("accounts", fabricshim.Chaincode(new(accounts)), chaincodetest.InitRequired())
		}
		r := &recorder{TB: t}
		var done sync.WaitGroup
		done.Go(func() { c.client.In(net.In(r)).Submit("accounts", c.function, "x") })
		done.Wait()
		if !strings.Contains(r.said, c.want) {
			t.Errorf("%s: the test fails with %q, want %q", c.function, r.said, c.want)
		}
	}
	alice.AsInit().Submit("accounts", "Init").OK()
	alice.Submit("accounts", "Open", "alice").OK()
}

// Chaincode on Fabric's shim sees another day when it runs again, in a bubble without waiting for it.
func TestRunsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := chaincodetest.New(t, chaincodetest.WithRunsApart(24*time.Hour))
		net.Deploy("accounts", fabricshim.Chaincode(new(accounts)))
		alice := net.As("alice@Org1MSP")
		alice.Submit("accounts", "Open", "alice").OK()
		r := &recorder{TB: t}
		var done sync.WaitGroup
		done.Go(func() { alice.In(net.In(r)).Submit("accounts", "Day") })
		done.Wait()
		if !strings.Contains(r.said, "accounts.Day by alice@Org1MSP (transaction 2) isn't deterministic") {
			t.Errorf("the test fails with %q", r.said)
		}
	})
}

// A stream that ends under transactions leaves no goroutine behind: their requests fail, so that they return.
func TestEndUnderTransactions(t *testing.T) {
	for range 20 {
		cc := &accounts{waiting: make(chan struct{}, 2), released: make(chan struct{})}
		rt, err := fabricshim.Chaincode(cc).Runtime(chaincodetest.Host{})
		if err != nil {
			t.Fatal(err)
		}
		err = rt.Run(t.Context(), "accounts:1", func(_ context.Context, s pb.Stream) error {
			if _, err := s.Recv(); err != nil { // REGISTER
				return err
			}
			for _, m := range []*pb.ChaincodeMessage{
				{Type: pb.ChaincodeMessage_REGISTERED}, {Type: pb.ChaincodeMessage_READY},
				wait(t, "tx1"), wait(t, "tx2"),
			} {
				if err := s.Send(m); err != nil {
					return err
				}
			}
			<-cc.waiting
			<-cc.waiting
			close(cc.released)
			_, err := s.Recv() // GET_STATE, which isn't answered
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wait is the start of a transaction that makes three requests when it may.
func wait(t *testing.T, txID string) *pb.ChaincodeMessage {
	b, err := proto.Marshal(&pb.ChaincodeInput{Args: [][]byte{[]byte("Wait")}})
	if err != nil {
		t.Fatal(err)
	}
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_TRANSACTION, Txid: txID, ChannelId: "ch", Payload: b}
}

func TestNilChaincode(t *testing.T) {
	net := chaincodetest.New(t)
	r := &recorder{TB: t}
	var done sync.WaitGroup
	done.Go(func() { net.In(r).Deploy("accounts", fabricshim.Chaincode(nil)) })
	done.Wait()
	if !strings.Contains(r.said, "the chaincode is nil") {
		t.Errorf("the test fails with %q", r.said)
	}
}
