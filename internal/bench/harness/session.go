package harness

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/bench/child"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// startTimeout limits the launch of the chaincode, stopTimeout the end of its streams.
const (
	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// peer is a peer process. Its ledger has rangeRows keys, which no transaction changes: transactions are simulated, and
// neither are their results read nor are they committed. They carry no proposal.
type peer struct {
	support  *chaincodesupport.ChaincodeSupport
	ledger   ledger.Ledger
	recorder *recorder
}

// attached is the runtime of a chaincode that the harness starts, and that dials the peer.
type attached struct{}

var _ runtime.Runtime = attached{}

// Run implements runtime.Runtime.
func (attached) Run(ctx context.Context, _ string, _ runtime.StreamHandler) error {
	<-ctx.Done()
	return nil
}

func newPeer(rt runtime.Runtime) (*peer, error) {
	support, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes:       chaincodesupport.OneRuntime(rt),
		DevMode:        true, // the chaincode may be there before the first transaction
		StartupTimeout: startTimeout,
		StopTimeout:    stopTimeout,
	})
	if err != nil {
		return nil, err
	}
	l, err := newLedger()
	if err != nil {
		return nil, err
	}
	return &peer{support: support, ledger: l, recorder: newRecorder()}, nil
}

func (p *peer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return p.support.Close(ctx)
}

// servePeer is peerRole: a peer that listens as listen says.
func servePeer(args []string) (child.Service, error) {
	p, err := newPeer(attached{})
	if err != nil {
		return child.Service{}, err
	}
	listener, target, err := listen(args)
	if err != nil {
		return child.Service{}, err
	}
	served := make(chan error, 1)
	go func() { served <- p.support.Serve(listener) }()
	stop := func() error {
		err := p.close()
		if serveErr := <-served; err == nil {
			err = serveErr
		}
		return err
	}
	return child.Service{Address: target, Run: p.run, Close: stop}, nil
}

// runInProcess is inProcessRole: a peer that runs the chaincode itself. It takes no arguments.
func runInProcess([]string) (child.Service, error) {
	p, err := newPeer(inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, newChaincode())
	}))
	if err != nil {
		return child.Service{}, err
	}
	return child.Service{Run: p.run, Close: p.close}, nil
}

func (p *peer) run(l child.Load) (func() child.Sample, error) {
	in := chaincodesupport.Input{Args: [][]byte{[]byte(l.Op), []byte(strconv.Itoa(l.Requests))}}
	txIDs := make([]string, l.Callers) // a caller's transactions follow one another, so they can share an ID
	for i := range txIDs {
		n := strconv.Itoa(i)
		txIDs[i] = strings.Repeat("0", txIDLength-len(n)) + n
	}
	err := p.recorder.drive(l, func(caller int) error { return p.transact(txIDs[caller], in) })
	return p.recorder.sample, err
}

func (p *peer) transact(txID string, in chaincodesupport.Input) error {
	ctx := context.Background()
	simulator, err := p.ledger.NewSimulator(ctx, txID)
	if err != nil {
		return errors.WithMessage(err, "begin transaction")
	}
	simulation := handler.NewSimulation(simulator)
	defer simulation.Done()
	result, err := p.support.Execute(ctx, chaincodeID, handler.TxParams{ChannelID: channelID, TxID: txID, Simulation: simulation}, in)
	if err != nil {
		return err
	}
	if result.Status != shim.OK {
		return errors.Errorf("chaincode answered %d %q", result.Status, result.Message)
	}
	return nil
}

// newLedger returns a ledger in memory with rangeRows keys in the chaincode's namespace.
func newLedger() (ledger.Ledger, error) {
	ctx := context.Background()
	l, err := kvledger.NewProvider(memory.New()).Open(ctx, channelID)
	if err != nil {
		return nil, err
	}
	const txID = "fill"
	simulator, err := l.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	defer simulator.Done()
	namespace, _, _ := strings.Cut(chaincodeID, ":")
	for i := range rangeRows {
		if err := simulator.SetState(ctx, namespace, key(i), []byte(value)); err != nil {
			return nil, err
		}
	}
	tx, err := kvledger.TransactionOf(ctx, simulator, txID, time.Now())
	if err != nil {
		return nil, err
	}
	code, err := l.CommitTx(ctx, tx)
	if err == nil && code != kvledger.Valid {
		err = errors.Errorf("the transaction that fills the ledger is invalid: %s", code)
	}
	return l, err
}
