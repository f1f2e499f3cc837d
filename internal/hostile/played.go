//go:build linux

package hostile

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
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// peerVar is set for the process that is the peer, to the folder of its store.
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

// memoryLimit is how many bytes the peer may use. A program needs some whatever it does, so a sixteenth wouldn't do. A store on
// disk has caches, too, and what is read from it in portions has portions of 4 MiB in any form.
func memoryLimit(disk bool) int {
	switch {
	case long():
		return 1 << 30
	case disk:
		return 1<<30/16 + 160<<20
	}
	return 1<<30/16 + 64<<20
}

// collectorLimit is what its garbage collector is told (GOMEMLIMIT). It is less, as Go's documentation advises: the collector
// runs beside the program, which goes on allocating meanwhile.
func collectorLimit(disk bool) int { return memoryLimit(disk) / 4 * 3 }

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

// Main is for TestMain, with the store that the peer keeps its ledger in. The folder is for the store, and is gone with the
// test. It doesn't return.
func Main(m *testing.M, open func(dir string) (store.Store, error)) {
	dir := os.Getenv(peerVar)
	if dir == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := playPeer(dir, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
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
func playPeer(dir string, open func(dir string) (store.Store, error)) (err error) {
	if err := limitAddresses(); err != nil {
		return err
	}
	ctx := context.Background()
	kept, err := open(dir)
	if err != nil {
		return err
	}
	defer func() {
		if closed := kept.Close(); err == nil {
			err = closed
		}
	}()
	l, err := openLedger(ctx, kept)
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

// limitAddresses has the system limit addresses. Go gives memory back, but keeps its addresses, and the holes between large
// values are addresses too. So this is more than what may be used, which end checks; it is there to keep the machine alive.
func limitAddresses() error {
	if !long() || raced() {
		return nil
	}
	addresses := uint64(memoryLimit(true) / 2 * 3)
	return errors.Wrap(syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: addresses, Max: addresses}), "limit memory")
}

// openLedger opens the peer's ledger, where the villain has two indexes.
func openLedger(ctx context.Context, kept store.Store) (*kvledger.Ledger, error) {
	l, err := kvledger.NewProvider(kept).Open(ctx, channel)
	if err != nil {
		return nil, err
	}
	var d kvledger.Definition
	for _, field := range []string{"n", "c"} {
		x, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["` + field + `"]},"name":"` + field + `","type":"json"}`))
		if err != nil {
			return nil, err
		}
		d.Indexes = append(d.Indexes, x)
	}
	return l, l.Define(ctx, "hostile", d)
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
	tx, err := kvledger.TransactionOf(ctx, p.Simulation.Simulator(), txID, time.Time{})
	if err != nil {
		return err.Error()
	}
	code, err := s.ledger.CommitTx(ctx, tx)
	if err != nil || code != kvledger.Valid {
		return fmt.Sprint(code, " ", err)
	}
	return fmt.Sprint(r.Status, " ", string(r.Payload))
}
