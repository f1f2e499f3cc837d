package program

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func event(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result([]byte("told"), stub.SetEvent(args[0], []byte(args[1])))
}

func putEvent(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	if err := stub.PutState(args[0], []byte(args[1])); err != nil {
		return shim.Error(err.Error())
	}
	return event(stub, args[2:])
}

// failEvent sets an event, and fails with a status.
func failEvent(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	if err := stub.SetEvent("failed", nil); err != nil {
		return shim.Error(err.Error())
	}
	return answer(stub, append(args, ""))
}

// twoEvents sets two events, of which the second one counts.
func twoEvents(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	if err := stub.SetEvent("one", []byte("1")); err != nil {
		return shim.Error(err.Error())
	}
	return result(nil, stub.SetEvent("two", []byte("2")))
}

// answer answers with a status, a message and a payload.
func answer(_ shim.ChaincodeStubInterface, args []string) *pb.Response {
	status, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil {
		return shim.Error(err.Error())
	}
	return &pb.Response{Status: int32(status), Message: args[1], Payload: []byte(args[2])}
}

// differ answers something else each time.
func (c *chaincode) differ(shim.ChaincodeStubInterface, []string) *pb.Response {
	return shim.Success(strconv.AppendInt(nil, c.runs.Add(1), 10))
}

// differPut writes something else each time.
func (c *chaincode) differPut(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return result(nil, stub.PutState(args[0], strconv.AppendInt(nil, c.runs.Add(1), 10)))
}

// failBy succeeds once, and fails from then on, until it is asked by another name.
func (c *chaincode) failBy(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	if c.seen(args[0]) > 1 {
		return shim.Error("not again")
	}
	return result(nil, stub.PutState(args[0], []byte("once")))
}

func (c *chaincode) seen(name string) int64 {
	n, _ := c.names.LoadOrStore(name, new(counter))
	return n.(*counter).Add(1)
}

// call calls a function of a chaincode, of a channel.
func call(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	var given [][]byte
	for _, a := range args[2:] {
		given = append(given, []byte(a))
	}
	r := stub.InvokeChaincode(args[0], given, args[1])
	if r.GetStatus() >= shim.ERRORTHRESHOLD && r.GetMessage() == "" {
		r.Message = string(r.GetPayload()) // where shims have what the peer says
	}
	return r
}

// callPut calls, and writes what came under a key, which is its first argument.
func callPut(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	r := call(stub, args[1:])
	return result(nil, stub.PutState(args[0], fmt.Appendf(nil, "%d %s %s", r.GetStatus(), r.GetMessage(), r.GetPayload())))
}

// who answers who calls.
func who(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	creator, err := stub.GetCreator()
	if err != nil {
		return shim.Error(err.Error())
	}
	var id pb.SerializedIdentity
	err = proto.Unmarshal(creator, &id)
	return result(fmt.Appendf(nil, "%s on %s", id.GetMspid(), stub.GetChannelID()), err)
}

// attribute answers what the CA says about who calls.
func attribute(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	creator, err := stub.GetCreator()
	if err != nil {
		return shim.Error(err.Error())
	}
	cert, err := certificateOf(creator)
	if err != nil {
		return shim.Error(err.Error())
	}
	attributes, err := identity.Attributes(cert)
	return result([]byte(attributes[args[0]]), err)
}

// arguments answers what it was called with.
func arguments(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	var all []string
	for _, a := range stub.GetArgs() {
		all = append(all, strconv.Quote(string(a)))
	}
	return shim.Success([]byte(strings.Join(all, " ")))
}

// wait answers after some milliseconds.
func wait(_ shim.ChaincodeStubInterface, args []string) *pb.Response {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	<-time.After(time.Duration(ms) * time.Millisecond)
	return shim.Success([]byte("waited"))
}

// large answers some bytes.
func large(_ shim.ChaincodeStubInterface, args []string) *pb.Response {
	n, err := strconv.Atoi(args[0])
	return result(bytes.Repeat([]byte("x"), max(0, n)), err)
}

func certificateOf(creator []byte) (*x509.Certificate, error) {
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.WithStack(err)
	}
	b, _ := pem.Decode(id.GetIdBytes())
	if b == nil {
		return nil, errors.New("no certificate")
	}
	cert, err := x509.ParseCertificate(b.Bytes)
	return cert, errors.WithStack(err)
}
