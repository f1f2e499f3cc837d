//go:build unix

package chaincodesupport_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// The plays of a chaincode with faults: mute is faulty, but doesn't register before it is told to go on.
const (
	playFaulty = "faulty"
	playMute   = "mute"
)

// servedVar makes a chaincode with faults a server, which listens on the file descriptor that it inherits.
const servedVar = "CHAINCODESUPPORT_TEST_SERVED"

// The signals by which a chaincode with faults ends, or goes on where it holds. The system's own are good for others.
const (
	exit0  = syscall.SIGUSR1
	exit1  = syscall.SIGUSR2
	panics = syscall.SIGHUP
	goOn   = syscall.SIGCONT
)

// faulty is a chaincode that tells the test, on its standard output, where it is.
type faulty struct {
	id      string
	resumed chan struct{} // has room for one
	mute    atomic.Bool   // it doesn't register before it is told to go on
}

// playWithFaults is the main function of chaincodes with faults. It returns false if play is none of them.
func playWithFaults(play string) bool {
	if play != playFaulty && play != playMute {
		return false
	}
	f := &faulty{id: os.Getenv("CORE_CHAINCODE_ID_NAME"), resumed: make(chan struct{}, 1)}
	f.mute.Store(play == playMute)
	f.play()
	return true
}

func (f *faulty) play() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, exit0, exit1, panics, goOn)
	go f.obey(signals)
	f.say("pid " + strconv.Itoa(os.Getpid()))
	start := func() error { return shim.Start(function(f.invoke)) }
	switch {
	case os.Getenv(servedVar) != "":
		start = f.serve
	case f.mute.Load():
		start = f.registerWhenTold
	}
	fmt.Fprintln(os.Stderr, start())
}

// serve is what a chaincode does that is a server. It has inherited its listener.
func (f *faulty) serve() error {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	srv := grpc.NewServer()
	pbgrpc.RegisterChaincodeServer(srv, f)
	return srv.Serve(l)
}

// Connect implements pbgrpc.ChaincodeServer. A stream that ends doesn't end a server.
func (f *faulty) Connect(s pbgrpc.Chaincode_ConnectServer) error {
	if f.mute.Swap(false) {
		f.say("is mute")
		<-f.resumed
	}
	return shim.Chat(s, shim.Config{ChaincodeID: f.id}, function(f.invoke))
}

func (f *faulty) obey(signals <-chan os.Signal) {
	for s := range signals {
		switch s {
		case exit0:
			os.Exit(0)
		case exit1:
			os.Exit(1)
		case panics:
			panic("out of luck")
		case goOn:
			select {
			case f.resumed <- struct{}{}:
			default:
			}
		}
	}
}

// say writes a line to the standard output, under the chaincode's ID.
func (f *faulty) say(text string) { fmt.Println(f.id, text) }

// hold tells that it holds, and waits until it is to go on.
func (f *faulty) hold() {
	select {
	case <-f.resumed: // somebody else was told
	default:
	}
	f.say("holds")
	<-f.resumed
}

// registerWhenTold opens a stream, and registers when it is told to go on. A stream that ends before that ends the process,
// as it does with every shim.
func (f *faulty) registerWhenTold() error {
	address := flag.String("peer.address", "", "address of the peer")
	flag.Parse()
	conn, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	s, err := pbgrpc.DialChaincodeSupport(context.Background(), conn)
	if err != nil {
		return err
	}
	ahead := &readAhead{ClientStream: s, first: make(chan *msg, 1)}
	go ahead.read()
	<-f.resumed
	return shim.Chat(ahead, shim.Config{ChaincodeID: f.id}, function(f.invoke))
}

// readAhead is a stream whose first message is received before anybody asks for it.
type readAhead struct {
	pb.ClientStream
	first chan *msg // closed behind the message
}

func (r *readAhead) read() {
	m, err := r.ClientStream.Recv()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
	r.first <- m
	close(r.first)
}

func (r *readAhead) Recv() (*msg, error) {
	if m, ok := <-r.first; ok {
		return m, nil
	}
	return r.ClientStream.Recv()
}

// invoke is the chaincode.
func (f *faulty) invoke(s stub) *shim.Response {
	name, args := s.GetFunctionAndParameters()
	payload, err := f.call(s, name, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

func (f *faulty) call(s stub, name string, args []string) ([]byte, error) {
	switch name {
	case "ping":
		return []byte("pong"), nil
	case "hold":
		f.hold()
		return []byte(strings.Join(args, " ")), nil
	case "get":
		f.say("gets")
		return s.GetState("k")
	case "put":
		size, err := strconv.Atoi(args[0])
		if err != nil {
			return nil, err
		}
		return nil, s.PutState("k", make([]byte, size))
	case "fill":
		return nil, fill(s)
	case "range":
		return f.count(s)
	case "call":
		var in [][]byte
		for _, a := range args[1:] {
			in = append(in, []byte(a))
		}
		r := s.InvokeChaincode(args[0], in, "")
		return []byte(r.Message + string(r.Payload)), nil
	}
	return nil, fmt.Errorf("no function %q", name)
}

// many is more records than a page has.
const many = 150

// fill writes so many records that an iterator over them has to ask for more.
func fill(s stub) error {
	s.StartWriteBatch()
	for i := range many {
		if err := s.PutState(fmt.Sprintf("r%03d", i), []byte("v")); err != nil {
			return err
		}
	}
	return s.FinishWriteBatch()
}

// count counts them, and holds after the first one.
func (f *faulty) count(s stub) ([]byte, error) {
	it, err := s.GetStateByRange("r", "s")
	if err != nil {
		return nil, err
	}
	n := 0
	for ; it.HasNext(); n++ {
		if _, err := it.Next(); err != nil {
			return nil, err
		}
		if n == 0 {
			f.hold()
		}
	}
	return []byte(strconv.Itoa(n)), it.Close()
}
