//go:build linux

// Package hostile_test attacks a peer that is a process of its own, whose memory is limited to 1 GiB, as chaincode would that
// wants it dead. Whatever is done, the peer lives, and an honest chaincode is served before, during and after.
//
// That moves gigabytes, so make hostile does it. Otherwise the same is done at a sixteenth of the size, limits included.
package hostile_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// peerVar is set for the process that is the peer.
const peerVar = "CCPEER_HOSTILE_PEER"

// long reports whether the attacks have their real size.
func long() bool { return os.Getenv("CCPEER_LONG") != "" }

// mib is what a MiB is in the attacks and in the peer's limits.
func mib() int {
	if long() {
		return 1 << 20
	}
	return 1 << 16
}

// memoryLimit is how many bytes the peer may use. A program needs some whatever it does, so a sixteenth wouldn't do.
func memoryLimit() int {
	if long() {
		return 1 << 30
	}
	return 1<<30/16 + 64<<20
}

// collectorLimit is what its garbage collector is told (GOMEMLIMIT). It is less, as Go's documentation advises: the collector
// runs beside the program, which goes on allocating meanwhile.
func collectorLimit() int { return memoryLimit() / 4 * 3 }

// limits are the peer's. The sizes are the defaults. No time is so short that a busy machine could use it up: the attacks are
// on memory.
func limits() handler.Limits {
	return handler.Limits{
		MaxBytes:            512 * mib(),
		MaxTransactionBytes: 256 * mib(),
		MaxSendMsgSize:      100 * mib(),
		MaxPageBytes:        4 * mib(),
		ExecuteTimeout:      patience,
		RegisterTimeout:     patience,
		SendTimeout:         patience,
	}
}

// channel is the peer's only channel.
const channel = "ch"

func TestMain(m *testing.M) {
	if os.Getenv(peerVar) != "" {
		if err := playPeer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// raced reports whether this is a program of go test -race. Such a one needs much more memory.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			return true
		}
	}
	return false
}

// server is the peer, in its own process.
type server struct {
	*chaincodesupport.ChaincodeSupport
	ledger *kvledger.Ledger
	out    sync.Mutex
}

// playPeer is the peer's process. It says where it listens. For each line "chaincode transaction [argument ...]" that it
// reads it runs a transaction, and says "transaction outcome". It ends when there is nothing more to read.
func playPeer() error {
	if long() && !raced() {
		// The system limits addresses. Go gives memory back, but keeps its addresses, and the holes between large values are
		// addresses too. So this is more than what may be used, which end checks; it is there to keep the machine alive.
		addresses := uint64(memoryLimit() / 2 * 3)
		limit := syscall.Rlimit{Cur: addresses, Max: addresses}
		if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
			return errors.Wrap(err, "limit memory")
		}
	}
	ctx := context.Background()
	l, err := kvledger.NewProvider(copying{memory.New()}).Open(ctx, channel)
	if err != nil {
		return err
	}
	cs, err := chaincodesupport.New(chaincodesupport.Config{
		DevMode: true,
		Limits:  limits(),
		Hooks: handler.Hooks{
			ACL:     handler.InsecureAllowAll{},
			Ledgers: handler.LedgersFunc(func(context.Context, string) (ledger.Ledger, error) { return l, nil }),
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- cs.Serve(listener) }()
	s := &server{ChaincodeSupport: cs, ledger: l}
	s.say(listener.Addr().String())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		go func() { s.say(words[1] + " " + s.run(words[0], words[1], words[2:])) }()
	}
	ending, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := cs.Close(ending); err != nil {
		return err
	}
	return <-served
}

func (s *server) say(line string) {
	s.out.Lock()
	defer s.out.Unlock()
	_, _ = fmt.Fprintln(os.Stdout, strings.ReplaceAll(line, "\n", " "))
}

// run runs a transaction, commits it, and returns its outcome in a line.
func (s *server) run(chaincodeID, txID string, args []string) string {
	ctx := context.Background()
	sim, err := s.ledger.NewSimulator(ctx, txID)
	if err != nil {
		return err.Error()
	}
	p := handler.TxParams{ChannelID: channel, TxID: txID, Simulation: handler.NewSimulation(sim)}
	defer p.Simulation.Done()
	in := chaincodesupport.Input{}
	for _, a := range args {
		in.Args = append(in.Args, []byte(a))
	}
	r, err := s.ExecuteID(ctx, chaincodeID, p, in)
	if err != nil {
		return err.Error()
	}
	if r.Status != 200 {
		return fmt.Sprint(r.Status, " ", r.Message)
	}
	tx, err := kvledger.TransactionOf(p.Simulation.Simulator(), txID, time.Time{})
	if err != nil {
		return err.Error()
	}
	code, err := s.ledger.CommitTx(ctx, tx)
	if err != nil || code != kvledger.Valid {
		return fmt.Sprint(code, " ", err)
	}
	return fmt.Sprint(r.Status, " ", string(r.Payload))
}
