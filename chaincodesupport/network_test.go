package chaincodesupport_test

import (
	"context"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// network is a peer with two channels, ch1 and ch2, and chaincodes in process, whose IDs are their names.
type network struct {
	*chaincodesupport.ChaincodeSupport
	t       *testing.T
	ledgers map[string]*kvledger.Ledger
	watched map[string]*ledgertest.Faulty // the same, watched: what chaincode runs on

	transactions int // that next has numbered
}

func newNetwork(t *testing.T, cfg chaincodesupport.Config, chaincodes map[string]function) *network {
	t.Helper()
	n := &network{t: t, ledgers: map[string]*kvledger.Ledger{}, watched: map[string]*ledgertest.Faulty{}}
	s := memory.New()
	t.Cleanup(func() {
		for _, w := range n.watched {
			w.Check(t)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	provider := kvledger.NewProvider(s)
	for _, channelID := range []string{"ch1", "ch2"} {
		l, err := provider.Open(t.Context(), channelID)
		if err != nil {
			t.Fatal(err)
		}
		n.ledgers[channelID], n.watched[channelID] = l, ledgertest.NewFaulty(l)
	}
	cfg.Ledgers = handler.LedgersFunc(func(_ context.Context, channelID string) (ledger.Ledger, error) {
		if w := n.watched[channelID]; w != nil {
			return w, nil
		}
		return nil, handler.ErrUnknownChannel
	})
	if cfg.ACL == nil {
		cfg.ACL = handler.InsecureAllowAll{}
	}
	if cfg.Runtimes == nil {
		cfg.Runtimes = inProcess(t, chaincodes)
	}
	n.ChaincodeSupport = newSupport(t, cfg)
	return n
}

// simulate opens a simulation on ch1, which ends with the test.
func (n *network) simulate(txID string) *handler.Simulation {
	n.t.Helper()
	sim, err := n.watched["ch1"].NewSimulator(n.t.Context(), txID)
	if err != nil {
		n.t.Fatal(err)
	}
	s := handler.NewSimulation(sim)
	n.t.Cleanup(s.Done)
	return s
}

// run executes a transaction with a simulation on ch1.
func (n *network) run(ctx context.Context, chaincodeID, txID string, args ...string) (*chaincodesupport.Result, error) {
	n.t.Helper()
	p := n.params(txID)
	r, err := n.ExecuteID(ctx, chaincodeID, p, input(args...))
	if err != nil {
		return nil, err
	}
	n.commit(p)
	return r, nil
}

// params are those of a transaction on ch1 with a simulation and a proposal.
func (n *network) params(txID string) handler.TxParams {
	n.t.Helper()
	return handler.TxParams{ChannelID: "ch1", TxID: txID, Simulation: n.simulate(txID), SignedProposal: proposed(n.t)}
}

func proposed(t testing.TB) *pb.SignedProposal {
	t.Helper()
	p, err := identity.NewProposal(identity.ProposalParams{Chaincode: "any", Creator: []byte("creator")})
	if err != nil {
		t.Fatal(err)
	}
	return p.Signed
}

// commit commits what a transaction has simulated, which must be valid.
func (n *network) commit(p handler.TxParams) {
	n.t.Helper()
	tx, err := kvledger.TransactionOf(n.t.Context(), p.Simulation.Simulator(), p.TxID, time.Time{})
	if err != nil {
		n.t.Fatal(err)
	}
	code, err := n.ledgers["ch1"].CommitTx(context.Background(), tx)
	if err != nil || code != kvledger.Valid {
		n.t.Errorf("commit %s: %s, %v", p.TxID, code, err)
	}
}

// wantResult runs a transaction that must answer status and text: the message of a failure, or else the payload.
func (n *network) wantResult(chaincodeID, txID string, status int32, text string, args ...string) {
	n.t.Helper()
	r, err := n.run(n.t.Context(), chaincodeID, txID, args...)
	if err != nil {
		n.t.Errorf("Execute: %v", err)
		return
	}
	if got := string(r.Payload) + r.Message; r.Status != status || got != text {
		n.t.Errorf("got %d %q, want %d %q", r.Status, got, status, text)
	}
}
