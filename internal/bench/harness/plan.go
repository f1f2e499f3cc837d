package harness

import (
	"fmt"
	"os"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/child"
)

// What the benchmark's transactions are made of.
const (
	chaincodeID = "bench:1"
	channelID   = "mychannel"
	txIDLength  = 64
	rangeRows   = 10_000
	slopeOver   = 100 // requests in the transaction whose time, less that of one without any, gives a request's
)

var value = strings.Repeat("v", 100)

func key(i int) string { return fmt.Sprintf("key%07d", i) }

// Names of setups, and of the operations that loads name.
const (
	floor     = "floor"
	session   = "our shim"
	inProcess = "in process"

	opEcho   = "echo"
	opNone   = "no-op"
	opGet    = "GET_STATE"
	opPut    = "PUT_STATE"
	opGetPut = "get+put"
	opRange  = "range of 10,000"
)

// processes are the two sides of a conversation, and which of them drives it. In process, chaincode is nil.
type processes struct {
	peer, chaincode, driver *child.Process
}

func (p *processes) close() error {
	// The chaincode first: its stream ends in good order only while the peer is there.
	var first error
	for _, proc := range []*child.Process{p.chaincode, p.peer} {
		if proc == nil {
			continue
		}
		if err := proc.Close(); first == nil {
			first = err
		}
	}
	return first
}

// setup is a pair of processes to measure, and what to measure of it.
type setup struct {
	name, network string
	start         func(network, folder string) (*processes, error)
	ops           []op
}

// op is an operation to measure.
type op struct {
	name    string
	callers []int
	// requests is 0, or the number of requests over which the slope is taken.
	requests int
	// trips is the number of messages that go each way in one operation (in one request, for a slope): what the
	// operation costs is compared with as many trips on the floor. 0 if their sizes are too different.
	trips int
}

// setups is the plan: to measure another shim, add a setup.
func setups() []setup {
	one, many := []int{1}, []int{1, 8, 64, 256}
	echoes := []op{{name: opEcho, callers: many, trips: 1}}
	transactions := []op{
		{name: opNone, callers: one, trips: 1},
		{name: opGet, callers: one, trips: 1, requests: slopeOver},
		{name: opPut, callers: one, trips: 1, requests: slopeOver},
		{name: opGetPut, callers: many, trips: 3},
		{name: opRange, callers: one},
	}
	return []setup{
		{name: floor, network: "tcp", start: startFloor, ops: echoes},
		{name: floor, network: "unix", start: startFloor, ops: echoes},
		{name: session, network: "tcp", start: startSession, ops: transactions},
		{name: session, network: "unix", start: startSession, ops: transactions},
		{name: inProcess, start: startInProcess, ops: transactions},
	}
}

func startFloor(network, folder string) (*processes, error) {
	p, err := startPair(echoRole, echoCallerRole, network, folder)
	if err != nil {
		return nil, err
	}
	p.driver = p.chaincode
	return p, nil
}

func startSession(network, folder string) (*processes, error) {
	p, err := startPair(peerRole, chaincodeRole, network, folder)
	if err != nil {
		return nil, err
	}
	p.driver = p.peer
	return p, nil
}

func startInProcess(string, string) (*processes, error) {
	p, err := child.StartSelf(inProcessRole)
	return &processes{peer: p, driver: p}, err
}

// startPair starts a peer, which is given the network and a folder of its own for its socket, and then a chaincode,
// which is given the peer's address.
func startPair(peerRole, chaincodeRole, network, folder string) (*processes, error) {
	folder, err := os.MkdirTemp(folder, "")
	if err != nil {
		return nil, errors.Wrap(err, "make folder for sockets")
	}
	peer, err := child.StartSelf(peerRole, network, folder)
	if err != nil {
		return nil, err
	}
	p := &processes{peer: peer}
	if p.chaincode, err = child.StartSelf(chaincodeRole, peer.Address); err != nil {
		_ = p.close() // that it did not start says more
		return nil, err
	}
	return p, nil
}
