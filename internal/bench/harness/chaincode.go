package harness

import (
	"context"
	"log/slog"
	"os"
	"strconv"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/child"
	"github.com/ccpeer/ccpeer/shim"
)

// chaincode is what the benchmark's transactions run: the first argument is the operation, the second how many
// requests it makes, for those where it varies.
type chaincode struct{ keys []string }

var _ shim.Chaincode = (*chaincode)(nil)

func newChaincode() *chaincode {
	c := &chaincode{keys: make([]string, slopeOver)}
	for i := range c.keys {
		c.keys[i] = key(i)
	}
	return c
}

// runChaincode is chaincodeRole: it takes the gRPC target of a peer.
func runChaincode(args []string) (child.Service, error) {
	if len(args) != 1 {
		return child.Service{}, errors.Errorf("want a gRPC target, got %q", args)
	}
	cfg := shim.Config{
		ChaincodeID: chaincodeID,
		PeerAddress: args[0],
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- shim.Run(ctx, cfg, newChaincode()) }()
	return child.Service{Close: func() error {
		cancel()
		return <-ended
	}}, nil
}

// Init implements shim.Chaincode.
func (c *chaincode) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke implements shim.Chaincode.
func (c *chaincode) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	args := stub.GetArgs()
	if len(args) != 2 {
		return shim.Error("want an operation and a number of requests")
	}
	requests, err := strconv.Atoi(string(args[1]))
	if err == nil {
		err = c.perform(stub, string(args[0]), requests)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

func (c *chaincode) perform(stub shim.ChaincodeStubInterface, op string, requests int) error {
	switch op {
	case opNone:
		return nil
	case opGet:
		return c.each(requests, func(key string) error { return get(stub, key) })
	case opPut:
		return c.each(requests, func(key string) error { return stub.PutState(key, []byte(value)) })
	case opGetPut:
		if err := get(stub, c.keys[0]); err != nil {
			return err
		}
		return stub.PutState(c.keys[0], []byte(value))
	case opRange:
		return readRange(stub)
	}
	return errors.Errorf("unknown operation %q", op)
}

func (c *chaincode) each(requests int, request func(key string) error) error {
	for _, key := range c.keys[:requests] {
		if err := request(key); err != nil {
			return err
		}
	}
	return nil
}

func get(stub shim.ChaincodeStubInterface, key string) error {
	got, err := stub.GetState(key)
	if err == nil && len(got) != len(value) {
		err = errors.Errorf("the value of %s has %d bytes, want %d", key, len(got), len(value))
	}
	return err
}

func readRange(stub shim.ChaincodeStubInterface) error {
	rows, err := stub.GetStateByRange("", "")
	if err != nil {
		return err
	}
	n := 0
	for ; rows.HasNext(); n++ {
		if _, err := rows.Next(); err != nil {
			return err
		}
	}
	if n != rangeRows {
		return errors.Errorf("the range has %d rows, want %d", n, rangeRows)
	}
	return rows.Close()
}
