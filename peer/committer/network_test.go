package committer_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a channel of two organizations, and a committer of its blocks.
type network struct {
	t         testing.TB
	cfg       committer.Config
	committer *committer.Committer
	ledger    *kvledger.Ledger
	table     envelopes.Config
	last      *pb.BlockHeader
	refusals  []committer.Refusal
}

func newNetwork(t testing.TB, change func(*network)) *network {
	t.Helper()
	n := &network{t: t}
	var msps []*identity.MSP
	var organizations []identity.Organization
	for _, id := range []string{"Org1MSP", "Org2MSP"} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		msps, organizations = append(msps, msp), append(organizations, msp.Organization())
	}
	n.table = envelopes.Config{
		ChannelID: "mychannel", Both: "both", Either: "either", Version: "1.0",
		Client: n.issue(msps[0], "client"), Peer1: n.issue(msps[0], "peer"), Peer2: n.issue(msps[1], "peer"),
	}
	verifier, err := identity.NewVerifier(organizations...)
	if err != nil {
		t.Fatal(err)
	}
	if n.ledger, err = kvledger.NewProvider(memory.New()).Open(t.Context(), "mychannel"); err != nil {
		t.Fatal(err)
	}
	n.cfg = committer.Config{
		ChannelID: "mychannel", Verifier: verifier, Ledger: n.ledger, Definitions: n.definitions(),
		Organizations: map[string]policies.Policy{"Org1MSP": n.parse("OR('Org1MSP.peer')"), "Org2MSP": n.parse("OR('Org2MSP.peer')")},
		Refused:       func(r committer.Refusal) { n.refusals = append(n.refusals, r) },
	}
	if change != nil {
		change(n)
	}
	if n.committer, err = committer.New(n.cfg); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) issue(msp *identity.MSP, unit string) *identity.Identity {
	n.t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: unit, OUs: []string{unit}})
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

func (n *network) parse(policy string) policies.Policy {
	n.t.Helper()
	p, err := policies.Parse(policy)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// definitions are those that the table wants.
func (n *network) definitions() committer.Definitions {
	defined := map[string]*committer.Definition{
		"both": {Endorsement: n.parse(n.table.BothPolicy()), Collections: map[string]policies.Policy{
			envelopes.SharedCollection: nil, envelopes.FirstCollection: n.parse(n.table.FirstPolicy()),
		}},
		"either":     {Endorsement: n.parse(n.table.EitherPolicy())},
		"_lifecycle": {Endorsement: n.parse("AND('Org1MSP.peer', 'Org2MSP.peer')")},
	}
	return committer.DefinitionsFunc(func(_ context.Context, name string) (*committer.Definition, error) { return defined[name], nil })
}

// block makes the next block.
func (n *network) block(envelopes ...[]byte) *pb.Block {
	n.t.Helper()
	number := uint64(0)
	if n.last != nil {
		number = n.last.GetNumber() + 1
	}
	b, err := block.New(number, n.last, envelopes)
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

// commit commits a block.
func (n *network) commit(envelopes ...[]byte) []kvledger.ValidationCode {
	n.t.Helper()
	b := n.block(envelopes...)
	codes, err := n.committer.Commit(n.t.Context(), b)
	if err != nil {
		n.t.Fatal(err)
	}
	n.last = b.GetHeader()
	return codes
}

// rows is the table.
func (n *network) rows() []envelopes.Row {
	n.t.Helper()
	rows, err := envelopes.Table(n.table)
	if err != nil {
		n.t.Fatal(err)
	}
	return rows
}

// row is the row of a name.
func (n *network) row(name string) envelopes.Row {
	n.t.Helper()
	for _, r := range n.rows() {
		if r.Name == name {
			return r
		}
	}
	n.t.Fatalf("the table has no row %q", name)
	return envelopes.Row{}
}

// valid is the envelope of a valid transaction.
func (n *network) valid() []byte {
	n.t.Helper()
	return n.row("valid").Steps[0].Envelopes[0]
}
