// Package program is the chaincode that the script's steps call. It is one program under several names, which differ in their
// endorsement policies.
package program

import (
	"sync"
	"sync/atomic"

	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// The names of the chaincode, by who has to endorse it.
const (
	Both   = "both"   // a peer of each organization
	Either = "either" // a peer of one of them
	First  = "first"  // the first organization's
	Second = "second" // the second organization's
	Other  = "other"  // as Either; it is what others call
	Secret = "secret" // as Either; it has collections
)

// The collections of Secret.
const (
	Shared   = "shared"   // both organizations are members
	OfFirst  = "ofFirst"  // the first organization is
	OfSecond = "ofSecond" // the second organization is
	Guarded  = "guarded"  // the first organization is, and clients of the other can neither read nor write it
	Brief    = "brief"    // a value lives for two blocks
)

// Chaincodes are what a network that the script runs against has.
func Chaincodes() []network.Chaincode {
	const (
		first  = "OR('Org1MSP.peer')"
		second = "OR('Org2MSP.peer')"
		either = "OR('Org1MSP.peer', 'Org2MSP.peer')"
		both   = "AND('Org1MSP.peer', 'Org2MSP.peer')"
		all    = "OR('Org1MSP.member', 'Org2MSP.member')"
	)
	var chaincodes []network.Chaincode
	for _, c := range []struct{ name, endorsement string }{{Both, both}, {Either, either}, {First, first}, {Second, second}, {Other, either}} {
		chaincodes = append(chaincodes, network.Chaincode{Name: c.name, Endorsement: c.endorsement, Program: &chaincode{}})
	}
	return append(chaincodes, network.Chaincode{Name: Secret, Endorsement: either, Program: &chaincode{}, Collections: []ledger.CollectionConfig{
		{Name: Shared, Policy: all, MaxPeerCount: 1},
		{Name: OfFirst, Policy: "OR('Org1MSP.member')", MaxPeerCount: 1},
		{Name: OfSecond, Policy: "OR('Org2MSP.member')", MaxPeerCount: 1},
		{Name: Guarded, Policy: "OR('Org1MSP.member')", MaxPeerCount: 1, MemberOnlyRead: true, MemberOnlyWrite: true},
		{Name: Brief, Policy: all, MaxPeerCount: 1, BlockToLive: 2},
	}})
}

// chaincode calls one of its functions, by its first argument.
type chaincode struct {
	runs  atomic.Int64 // how often functions that differ were called
	names sync.Map     // *counter by names that failBy was called with
}

type counter = atomic.Int64

func (*chaincode) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (c *chaincode) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	name, args := stub.GetFunctionAndParameters()
	f, ok := c.functions()[name]
	switch {
	case !ok:
		return shim.Error("no function " + name)
	case len(args) < f.least:
		return shim.Error("too few arguments for " + name)
	}
	return f.call(stub, args)
}

type function struct {
	least int // how many arguments it needs
	call  func(shim.ChaincodeStubInterface, []string) *pb.Response
}

func (c *chaincode) functions() map[string]function {
	return map[string]function{
		"put": {0, put}, "get": {1, get}, "del": {1, del}, "range": {2, scan}, "rangeput": {4, scanAndPut}, "page": {4, page},
		"putcomposite": {3, putComposite}, "partial": {2, partial}, "history": {1, history}, "query": {1, query}, "move": {2, move},
		"event": {2, event}, "putevent": {4, putEvent}, "failevent": {2, failEvent}, "twoevents": {0, twoEvents},
		"answer": {3, answer}, "differ": {0, c.differ}, "differput": {1, c.differPut}, "failby": {1, c.failBy},
		"policy": {1, policy}, "getpolicy": {1, getPolicy}, "policyp": {2, policyPrivate},
		"putp": {3, putPrivate}, "getp": {2, getPrivate}, "hashp": {2, hashPrivate}, "delp": {2, delPrivate}, "purgep": {2, purgePrivate},
		"rangep": {3, scanPrivate}, "putt": {2, putTransient}, "transient": {0, transient},
		"call": {3, call}, "callput": {4, callPut}, "who": {0, who}, "attribute": {1, attribute}, "arguments": {0, arguments}, "wait": {1, wait},
		"large": {1, large},
	}
}
