package clients_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

// words is the chaincode that clients call: it does what its function says, with the arguments that follow. It is deployed under
// the names of chaincodes.
type words struct {
	differs  atomic.Int64
	meetings sync.Map // of a key: when two transactions have read it
	// stop, when it is closed, ends the transactions that wait.
	stop <-chan struct{}
}

type word func(stub shim.ChaincodeStubInterface, args []string) *pb.Response

func (*words) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (w *words) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	name, args := stub.GetFunctionAndParameters()
	known, ok := map[string]struct {
		n  int // how many arguments it needs
		do word
	}{
		"put": {2, put}, "get": {1, get}, "named:get": {1, get}, "add": {1, add}, "meet": {1, w.meet}, "differ": {1, w.differ}, "wait": {0, w.wait},
		"fail": {2, fail}, "event": {3, event}, "who": {0, who}, "transient": {0, transient}, "large": {1, large},
		"hide": {2, hide}, "reveal": {2, reveal}, "hash": {2, hash}, "purge": {2, purge}, "own": {2, own},
		"create": {2, create}, "describe": {2, describe}, "asset": {1, readAsset}, "agree": {1, agree}, "verify": {1, verify}, "transfer": {2, transfer},
	}[name]
	if !ok || len(args) < known.n {
		return shim.Error(fmt.Sprintf("there is no function %s of %d arguments", name, len(args)))
	}
	return known.do(stub, args)
}

// answer is success with a value, unless there is an error.
func answer(value []byte, err error) *pb.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// put KEY VALUE… returns what was there before. Without a value it writes the empty one.
func put(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	before, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	return answer(before, stub.PutState(args[0], []byte(args[1])))
}

func get(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return answer(stub.GetState(args[0]))
}

// add KEY makes what is there longer.
func add(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	before, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	return answer(before, stub.PutState(args[0], append(before, '+')))
}

// meet KEY waits until another transaction has read the key, too, and writes it. So one of them is invalid.
func (w *words) meet(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	m, _ := w.meetings.LoadOrStore(args[0], &meeting{both: make(chan struct{})})
	before, err := stub.GetState(args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	if m := m.(*meeting); m.there.Add(1) == 2 {
		close(m.both)
	}
	select {
	case <-m.(*meeting).both:
	case <-w.stop:
	}
	return answer(before, stub.PutState(args[0], append(before, '+')))
}

// meeting is of two transactions.
type meeting struct {
	there atomic.Int64
	both  chan struct{}
}

// differ KEY writes something else each time.
func (w *words) differ(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return answer(nil, stub.PutState(args[0], strconv.AppendInt(nil, w.differs.Add(1), 10)))
}

// wait takes longer than its caller has patience.
func (w *words) wait(shim.ChaincodeStubInterface, []string) *pb.Response {
	t := time.NewTimer(3 * time.Second)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.stop:
	}
	return shim.Success(nil)
}

// fail STATUS MESSAGE answers with a status, which may be one of success.
func fail(_ shim.ChaincodeStubInterface, args []string) *pb.Response {
	status, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil {
		return shim.Error(err.Error())
	}
	return &pb.Response{Status: int32(status), Message: args[1], Payload: []byte("a payload")}
}

// event NAME PAYLOAD KEY writes a key and tells of it.
func event(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	if err := stub.PutState(args[2], []byte(args[1])); err != nil {
		return shim.Error(err.Error())
	}
	return answer([]byte(args[0]), stub.SetEvent(args[0], []byte(args[1])))
}

// who returns whose transaction it is.
func who(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	id, err := cid.New(stub)
	if err != nil {
		return shim.Error(err.Error())
	}
	cert, err := id.GetX509Certificate()
	if err != nil {
		return shim.Error(err.Error())
	}
	mspID, err := id.GetMSPID()
	return answer([]byte(mspID+" "+cert.Subject.CommonName), err)
}

func transient(stub shim.ChaincodeStubInterface, _ []string) *pb.Response {
	return answer(secret(stub, "value"))
}

// secret is a part of the transient data.
func secret(stub shim.ChaincodeStubInterface, name string) ([]byte, error) {
	all, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	if len(all[name]) == 0 {
		return nil, errors.Errorf("there is no transient data %q", name)
	}
	return all[name], nil
}

// large N returns so many bytes.
func large(_ shim.ChaincodeStubInterface, args []string) *pb.Response {
	n, err := strconv.Atoi(args[0])
	return answer(bytes.Repeat([]byte("x"), n), err)
}

// hide COLLECTION KEY writes transient data to a collection.
func hide(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	value, err := secret(stub, "value")
	if err != nil {
		return shim.Error(err.Error())
	}
	return answer(nil, stub.PutPrivateData(args[0], args[1], value))
}

func reveal(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return answer(stub.GetPrivateData(args[0], args[1]))
}

// hash COLLECTION KEY returns what everybody knows of private data.
func hash(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	h, err := stub.GetPrivateDataHash(args[0], args[1])
	return answer(fmt.Appendf(nil, "%x", h[:min(4, len(h))]), err)
}

func purge(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return answer(nil, stub.PurgePrivateData(args[0], args[1]))
}

// own KEY ORGANIZATION… has a key endorsed by peers of all these organizations from now on.
func own(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	return answer(nil, giveTo(stub, args[0], args[1:]...))
}

func giveTo(stub shim.ChaincodeStubInterface, key string, mspIDs ...string) error {
	var peers []string
	for _, id := range mspIDs {
		peers = append(peers, "'"+id+".peer'")
	}
	p, err := policies.Parse("AND(" + strings.Join(peers, ", ") + ")")
	if err != nil {
		return err
	}
	b, err := p.Marshal()
	if err != nil {
		return err
	}
	return stub.SetStateValidationParameter(key, b)
}

// asset is something that organizations trade. What it is like is in the implicit collection of its owner, under its name.
type asset struct {
	Owner       string `json:"owner"`
	Description string `json:"description"`
}

func implicit(mspID string) string { return "_implicit_org_" + mspID }

func caller(stub shim.ChaincodeStubInterface) (mspID string, err error) {
	id, err := cid.New(stub)
	if err != nil {
		return "", err
	}
	return id.GetMSPID()
}

// create NAME DESCRIPTION makes an asset of the caller's organization, with transient properties.
func create(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	mspID, err := caller(stub)
	if err != nil {
		return shim.Error(err.Error())
	}
	properties, err := secret(stub, "properties")
	if err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.PutPrivateData(implicit(mspID), args[0], properties); err != nil {
		return shim.Error(err.Error())
	}
	if err := writeAsset(stub, args[0], asset{mspID, args[1]}); err != nil {
		return shim.Error(err.Error())
	}
	return answer(nil, giveTo(stub, args[0], mspID))
}

func writeAsset(stub shim.ChaincodeStubInterface, name string, a asset) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return stub.PutState(name, b)
}

func read(stub shim.ChaincodeStubInterface, name string) (a asset, err error) {
	b, err := stub.GetState(name)
	if err != nil {
		return a, err
	}
	return a, errors.Wrapf(json.Unmarshal(b, &a), "read asset %s", name)
}

func readAsset(stub shim.ChaincodeStubInterface, args []string) *pb.Response { return get(stub, args) }

// describe NAME DESCRIPTION changes what is said of an asset. Who may do so is only the key's policy's business.
func describe(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	a, err := read(stub, args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	a.Description = args[1]
	return answer(nil, writeAsset(stub, args[0], a))
}

func priceOf(name string) string { return "price of " + name }

// agree NAME keeps the price that the caller's organization agrees to.
func agree(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	mspID, err := caller(stub)
	if err != nil {
		return shim.Error(err.Error())
	}
	price, err := secret(stub, "price")
	if err != nil {
		return shim.Error(err.Error())
	}
	return answer(nil, stub.PutPrivateData(implicit(mspID), priceOf(args[0]), price))
}

// verify NAME says whether transient properties are those of the asset.
func verify(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	a, err := read(stub, args[0])
	if err != nil {
		return shim.Error(err.Error())
	}
	return answer([]byte("true"), same(stub, a.Owner, args[0], "properties"))
}

// same compares transient data with what an organization has under a key.
func same(stub shim.ChaincodeStubInterface, mspID, key, name string) error {
	value, err := secret(stub, name)
	if err != nil {
		return err
	}
	want, err := stub.GetPrivateDataHash(implicit(mspID), key)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(value); !bytes.Equal(got[:], want) {
		return errors.Errorf("%s has another %s under %q", implicit(mspID), name, key)
	}
	return nil
}

// transfer NAME BUYER gives an asset to another organization, if both have agreed to the price.
func transfer(stub shim.ChaincodeStubInterface, args []string) *pb.Response {
	name, buyer := args[0], args[1]
	a, err := read(stub, name)
	if err != nil {
		return shim.Error(err.Error())
	}
	switch mspID, err := caller(stub); {
	case err != nil:
		return shim.Error(err.Error())
	case mspID != a.Owner:
		return shim.Error(fmt.Sprintf("%s can't sell what %s owns", mspID, a.Owner))
	}
	for _, check := range []func() error{
		func() error { return same(stub, a.Owner, name, "properties") },
		func() error { return same(stub, a.Owner, priceOf(name), "price") },
		func() error { return same(stub, buyer, priceOf(name), "price") },
	} {
		if err := check(); err != nil {
			return shim.Error(err.Error())
		}
	}
	return answer(nil, move(stub, name, a, buyer))
}

// move writes what a transfer changes.
func move(stub shim.ChaincodeStubInterface, name string, a asset, buyer string) error {
	properties, err := secret(stub, "properties")
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return writeAsset(stub, name, asset{buyer, a.Description}) },
		func() error { return giveTo(stub, name, buyer) },
		func() error { return stub.DelPrivateData(implicit(a.Owner), name) },
		func() error { return stub.DelPrivateData(implicit(a.Owner), priceOf(name)) },
		func() error { return stub.DelPrivateData(implicit(buyer), priceOf(name)) },
		func() error { return stub.PutPrivateData(implicit(buyer), name, properties) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
