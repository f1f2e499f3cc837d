package realfabric_test

import (
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
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

// newTable makes two organizations, tells them to Fabric, with a channel of theirs, and returns the rows for it.
func newTable(t *testing.T, f *fabric) []envelopes.Row {
	t.Helper()
	cfg := envelopes.Config{ChannelID: "mychannel", Both: "both", Either: "either", Version: "1.0"}
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
	rows, err := envelopes.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rows
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
	compared := 0
	for _, row := range newTable(t, f) {
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
