package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

// probe is a chaincode that does what the tests need.
type probe struct{ meeting sync.WaitGroup }

func newProbe() *probe {
	p := new(probe)
	p.meeting.Add(2)
	return p
}

// playProbe is the main function of the chaincode.
func playProbe(cfg shim.Config, err error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err == nil {
		err = shim.Run(ctx, cfg, newProbe())
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (p *probe) Init(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte("initialized"))
}

func (p *probe) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	function, args := stub.GetFunctionAndParameters()
	switch {
	case function == "put" && len(args) == 2:
		return outcome(nil, stub.PutState(args[0], []byte(args[1])))
	case function == "get" && len(args) == 1:
		return outcome(stub.GetState(args[0]))
	case function == "meet" && len(args) == 1:
		return p.meet(stub, args[0])
	case function == "bytes":
		return shim.Success([]byte{0, 0xff, '\n'})
	case function == "transient":
		return transient(stub)
	case function == "creator":
		return creator(stub)
	case function == "attribute" && len(args) == 1:
		return attribute(stub, args[0])
	case function == "tell" && len(args) == 1:
		if err := stub.SetEvent("Told", []byte(args[0])); err != nil {
			return shim.Error(err.Error())
		}
		return &shim.Response{Status: 200, Message: "careful", Payload: []byte("told")}
	case function == "hide" && len(args) == 2:
		return outcome(nil, stub.PutPrivateData("secrets", args[0], []byte(args[1])))
	case function == "hideElsewhere" && len(args) == 1:
		return outcome(nil, stub.PutPrivateData(args[0], "k", []byte("gold")))
	case function == "seek" && len(args) == 1:
		return outcome(stub.GetPrivateData("secrets", args[0]))
	case function == "write":
		return outcome(nil, write(stub))
	case function == "read":
		return outcome(nil, read(stub))
	case function == "pid":
		return shim.Success([]byte(strconv.Itoa(os.Getpid())))
	case function == "arguments":
		return shim.Success([]byte(strings.Join(os.Args[1:], " ")))
	case function == "warn":
		return &shim.Response{Status: 399, Message: "careful"}
	case function == "wait" && len(args) == 1:
		return outcome(os.ReadFile(args[0])) // a pipe: until its writer closes it
	case function == "crash":
		os.Exit(3)
	}
	return shim.Error("no function " + function)
}

// meet reads a key and writes it when another transaction has read it too, so that one of the two is too late.
func (p *probe) meet(stub shim.ChaincodeStubInterface, key string) *shim.Response {
	if _, err := stub.GetState(key); err != nil {
		return shim.Error(err.Error())
	}
	p.meeting.Done()
	p.meeting.Wait()
	return outcome(nil, stub.PutState(key, []byte(stub.GetTxID())))
}

// write writes in every way that there is.
func write(stub shim.ChaincodeStubInterface) error {
	owner, err := stub.CreateCompositeKey("owner", []string{"tom", "a1"})
	return firstOf(err,
		stub.PutState(owner, []byte{0}),
		stub.PutState("bytes", []byte{0, 0xff}),
		stub.PutState("guarded", []byte("hello")),
		stub.SetStateValidationParameter("guarded", []byte("policy")),
		stub.PutPrivateData("secrets", "k", []byte("gold")),
		stub.DelState("gone"))
}

func firstOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads in every way that is noted.
func read(stub shim.ChaincodeStubInterface) error {
	_, err := stub.GetState("absent")
	_, hashErr := stub.GetPrivateDataHash("secrets", "k")
	owners, ownersErr := stub.GetStateByPartialCompositeKey("owner", []string{"tom"})
	all, allErr := stub.GetStateByRange("", "")
	if err := firstOf(err, hashErr, ownersErr, allErr); err != nil {
		return err
	}
	for _, it := range []shim.StateQueryIteratorInterface{owners, all} {
		for it.HasNext() {
			if _, err := it.Next(); err != nil {
				return err
			}
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}

// creator returns who the proposal is from: an MSP's ID and a certificate's subject.
func creator(stub shim.ChaincodeStubInterface) *shim.Response {
	b, err := stub.GetCreator()
	if err != nil {
		return shim.Error(err.Error())
	}
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(b, &id); err != nil {
		return shim.Error(err.Error())
	}
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return shim.Error("no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte(id.GetMspid() + " " + cert.Subject.String()))
}

// attribute returns an attribute of whoever calls.
func attribute(stub shim.ChaincodeStubInterface, name string) *shim.Response {
	value, found, err := cid.GetAttributeValue(stub, name)
	if err == nil && !found {
		return shim.Success([]byte("none"))
	}
	return outcome([]byte(value), err)
}

func transient(stub shim.ChaincodeStubInterface) *shim.Response {
	m, err := stub.GetTransient()
	text := ""
	for _, name := range slices.Sorted(maps.Keys(m)) {
		text += fmt.Sprintf("%s=%x ", name, m[name])
	}
	return outcome([]byte(text), err)
}

func outcome(payload []byte, err error) *shim.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}
