package realfabric_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// channel and chaincode are those of program fabric.
type channel struct {
	ID         string
	Chaincodes map[string]chaincode
}

type chaincode struct {
	Policy      string
	Collections map[string]string `json:",omitempty"`
}

// newChannel makes two organizations and tells them to Fabric, with a channel of theirs.
func newChannel(t *testing.T, f *fabric) (cfg envelopes.Config, known []identity.Organization) {
	t.Helper()
	cfg = envelopes.Config{ChannelID: "mychannel", Both: "both", Either: "either", Version: "1.0"}
	var organizations []organization
	for _, org := range []struct {
		id    string
		peer  **identity.Identity
		alice **identity.Identity
	}{{"Org1MSP", &cfg.Peer1, &cfg.Client}, {"Org2MSP", &cfg.Peer2, new(*identity.Identity)}} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: org.id})
		if err != nil {
			t.Fatal(err)
		}
		organizations = append(organizations, organization{MSPID: org.id, Root: msp.CertificatePEM()})
		known = append(known, msp.Organization())
		for unit, id := range map[string]**identity.Identity{"peer": org.peer, "client": org.alice} {
			if *id, err = msp.Issue(identity.Config{CommonName: unit, OUs: []string{unit}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.ask(question{Organizations: organizations})
	f.ask(question{Channel: &channel{ID: cfg.ChannelID, Chaincodes: map[string]chaincode{
		cfg.Both: {cfg.BothPolicy(), map[string]string{
			envelopes.SharedCollection: "", envelopes.FirstCollection: cfg.FirstPolicy(),
		}},
		cfg.Either: {Policy: cfg.EitherPolicy()}, "_lifecycle": {Policy: cfg.BothPolicy()},
	}}})
	return cfg, known
}

// commit commits the next block, and returns the names of Fabric's codes, or the error that stops it.
func (f *fabric) commit(envelopes [][]byte) (codes []string, err string) {
	f.t.Helper()
	a := f.ask(question{Commit: marshal(f.t, &pb.Block{
		Header: &pb.BlockHeader{}, Data: &pb.BlockData{Data: envelopes},
		Metadata: &pb.BlockMetadata{Metadata: make([][]byte, len(pb.BlockMetadataIndex_name))},
	})})
	for _, code := range a.Codes {
		codes = append(codes, kvledger.ValidationCode(code).String())
	}
	return codes, a.Error
}

// elsewhere are rows in which Fabric's validator looks at something that it isn't given here: who is a member of another channel.
func elsewhere() map[string]bool {
	return map[string]bool{"other channel": true, "no channel": true}
}

// TestEnvelopes holds that the codes in the table of envelopes are those of Fabric's validator and ledger. That they are also those of
// package committer is held there.
func TestEnvelopes(t *testing.T) {
	f := startFabric(t)
	cfg, _ := newChannel(t, f)
	rows, err := envelopes.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, row := range rows {
		if row.Danger == envelopes.Panics || elsewhere()[row.Name] {
			continue
		}
		halted := false
		for i, step := range row.Steps {
			codes, err := f.commit(step.Envelopes)
			if halted = halted || err != ""; halted && row.Danger == envelopes.Halts {
				continue
			}
			if !slices.Equal(codes, step.Want) {
				t.Errorf("%s, step %d: Fabric gives %v, %s, the table has %v", row.Name, i, codes, err, step.Want)
			}
			compared += len(codes)
		}
		if halted != (row.Danger == envelopes.Halts) {
			t.Errorf("%s: Fabric stops is %t, want %t", row.Name, halted, !halted)
		}
	}
	t.Logf("compared %d codes", compared)
	if compared < 200 {
		t.Errorf("compared %d codes only", compared)
	}
}

// newCommitter is a committer of package committer that knows of a channel what newChannel tells Fabric. Block 0 is there.
func newCommitter(t *testing.T, cfg envelopes.Config, known []identity.Organization) (*committer.Committer, *pb.BlockHeader) {
	t.Helper()
	parse := func(text string) policies.Policy {
		p, err := policies.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	members, err := identity.NewVerifier(known...)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := kvledger.NewProvider(memory.New()).Open(t.Context(), cfg.ChannelID)
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]*committer.Definition{
		cfg.Both: {Endorsement: parse(cfg.BothPolicy()), Collections: map[string]policies.Policy{
			envelopes.SharedCollection: nil, envelopes.FirstCollection: parse(cfg.FirstPolicy()),
		}},
		cfg.Either: {Endorsement: parse(cfg.EitherPolicy())},
	}
	organizations := map[string]policies.Policy{}
	for _, o := range known {
		organizations[o.MSPID] = parse("OR('" + o.MSPID + ".peer')")
	}
	c, err := committer.New(committer.Config{
		ChannelID: cfg.ChannelID, Verifier: members, Ledger: ledger, Organizations: organizations,
		Configs:     committer.ConfigsFunc(func(context.Context, *pb.Block, int, *pb.Payload) error { return nil }),
		Definitions: committer.DefinitionsFunc(func(_ context.Context, name string) (*committer.Definition, error) { return defined[name], nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	header := marshal(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_CONFIG), ChannelId: cfg.ChannelID})
	b, err := block.New(0, nil, [][]byte{marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{
		Header: &pb.Header{ChannelHeader: header}, Data: []byte("configuration"),
	})})})
	if err != nil {
		t.Fatal(err)
	}
	if codes, err := c.Commit(t.Context(), b); err != nil || codes[0] != kvledger.Valid {
		t.Fatal(codes, err)
	}
	return c, b.GetHeader()
}

// TestRandomEnvelopes compares the codes of random blocks.
func TestRandomEnvelopes(t *testing.T) {
	f := startFabric(t)
	cfg, known := newChannel(t, f)
	c, last := newCommitter(t, cfg, known)
	blocks, err := envelopes.Random(cfg, rand.New(rand.NewPCG(*seed, 4)), 300) //nolint:gosec // a test is to be repeatable
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, envelopes := range blocks {
		b, err := block.New(last.GetNumber()+1, last, envelopes)
		if err != nil {
			t.Fatal(err)
		}
		last = b.GetHeader()
		codes, err := c.Commit(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		theirs, failed := f.commit(envelopes)
		var ours []string
		for _, code := range codes {
			ours = append(ours, code.String())
			seen[code.String()]++
		}
		if !slices.Equal(ours, theirs) {
			t.Fatalf("block %d: ours are %v, Fabric's %v, %s", last.GetNumber(), ours, theirs, failed)
		}
	}
	t.Log(seen)
	for _, code := range []kvledger.ValidationCode{kvledger.Valid, kvledger.EndorsementPolicyFailure, kvledger.MVCCReadConflict, kvledger.DuplicateTxID} {
		if seen[code.String()] < 5 {
			t.Errorf("%d are %v", seen[code.String()], code)
		}
	}
}
