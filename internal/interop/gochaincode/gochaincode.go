// Package gochaincode is a chaincode on Fabric's official Go shim that does what it is told: its arguments are calls
// of the stub's methods, in words, separated by ";".
//
//	PutState k v ; GetState k
//
// The payload of its response has a line for each call that returned something. The first call that fails ends the
// transaction, with status 500 and the error's text.
package gochaincode

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
)

// Chaincode is the chaincode. Its zero value is ready for use.
type Chaincode struct {
	mu      sync.Mutex
	signals map[string]chan struct{}
}

var _ shim.Chaincode = (*Chaincode)(nil)

type stub = shim.ChaincodeStubInterface

// call calls a method of the stub and says what it returned.
type call func(s stub, args []string) (string, error)

// function is a call with the number of its arguments; calls that take any number more have that of the least.
type function struct {
	args     int
	variadic bool
	call     call
}

// Init does the same as Invoke.
func (c *Chaincode) Init(s stub) *peer.Response { return c.Invoke(s) }

// Invoke makes the calls.
func (c *Chaincode) Invoke(s stub) *peer.Response { return c.Do(s, s.GetStringArgs()) }

// Do makes the calls that the words say, for chaincode that gets them in another way.
func (c *Chaincode) Do(s stub, program []string) *peer.Response {
	functions := c.functions()
	var said []string
	for words := range sentences(program) {
		name, args := words[0], words[1:]
		if name == "Return" && len(args) == 3 {
			return response(args)
		}
		f, ok := functions[name]
		if !ok || len(args) < f.args || len(args) > f.args && !f.variadic {
			return shim.Error("there is no call " + strconv.Quote(strings.Join(words, " ")))
		}
		text, err := f.call(s, args)
		if err != nil {
			return shim.Error(err.Error())
		}
		if text != "" {
			said = append(said, text)
		}
	}
	return shim.Success([]byte(strings.Join(said, "\n")))
}

// sentences yields what stands between the words ";".
func sentences(words []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		start := 0
		for i := 0; i <= len(words); i++ {
			if i < len(words) && words[i] != ";" {
				continue
			}
			if i > start && !yield(words[start:i]) {
				return
			}
			start = i + 1
		}
	}
}

// response is "Return status message payload", which ends the transaction.
func response(args []string) *peer.Response {
	status, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil {
		return shim.Error(err.Error())
	}
	return &peer.Response{Status: int32(status), Message: args[1], Payload: []byte(args[2])}
}

// signal returns the channel that "Signal name" closes.
func (c *Chaincode) signal(name string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signals == nil {
		c.signals = map[string]chan struct{}{}
	}
	if c.signals[name] == nil {
		c.signals[name] = make(chan struct{})
	}
	return c.signals[name]
}

// wait is "Wait name": it returns when another transaction has said "Signal name", which may be said once.
func (c *Chaincode) wait(_ stub, args []string) (string, error) {
	<-c.signal(args[0])
	return "", nil
}

func (c *Chaincode) send(_ stub, args []string) (string, error) {
	close(c.signal(args[0]))
	return "", nil
}

// kill is "Kill": SIGKILL, of the process that the chaincode runs in.
func kill(stub, []string) (string, error) {
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		return "", errors.Wrap(err, "find own process")
	}
	if err := p.Kill(); err != nil {
		return "", errors.Wrap(err, "kill own process")
	}
	select {}
}
