package envelopes_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/policies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newConfig(t *testing.T) envelopes.Config {
	t.Helper()
	issue := func(msp *identity.MSP, unit string) *identity.Identity {
		id, err := msp.Issue(identity.Config{CommonName: unit, OUs: []string{unit}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	var msps []*identity.MSP
	for _, id := range []string{"Org1MSP", "Org2MSP"} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		msps = append(msps, msp)
	}
	return envelopes.Config{
		ChannelID: "mychannel", Both: "asset", Either: "market", Version: "1.0",
		Client: issue(msps[0], "client"), Peer1: issue(msps[0], "peer"), Peer2: issue(msps[1], "peer"),
	}
}

// The rows have names, and a code for each envelope. What is to be valid can be read, apart from what only looks wrong.
func TestTable(t *testing.T) {
	cfg := newConfig(t)
	rows, err := envelopes.Table(cfg)
	if err != nil {
		t.Fatal(err)
	}
	names, codes := map[string]bool{}, map[string]int{}
	for _, r := range rows {
		if names[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		names[r.Name] = true
		for _, s := range r.Steps {
			if len(s.Envelopes) != len(s.Want) || len(s.Want) == 0 {
				t.Errorf("%s: %d envelopes have %d codes", r.Name, len(s.Envelopes), len(s.Want))
			}
			for _, code := range s.Want {
				codes[code]++
			}
		}
	}
	if len(rows) < 100 || len(codes) != 19 || codes[""] != 0 {
		t.Errorf("%d rows with %d codes", len(rows), len(codes))
	}
	tx, err := block.ParseTransaction(rows[0].Steps[0].Envelopes[0])
	if err != nil || tx.ChannelID != "mychannel" || tx.Chaincode != "asset" || len(tx.Endorsements) != 2 || rows[0].Steps[0].Want[0] != "VALID" {
		t.Errorf("the first row is %s, with %+v, %v", rows[0].Name, tx, err)
	}
	for _, policy := range []string{cfg.BothPolicy(), cfg.EitherPolicy(), cfg.FirstPolicy()} {
		if _, err := policies.Parse(policy); err != nil {
			t.Error(err)
		}
	}
}

// A layer can be replaced, and only that one is.
func TestWith(t *testing.T) {
	cfg := newConfig(t)
	for _, l := range envelopes.Layers() {
		replaced := 0
		b, err := envelopes.With(cfg, l, func(b []byte) []byte { replaced++; return b })
		if err != nil || replaced != 1 {
			t.Errorf("%s is replaced %d times, %v", l, replaced, err)
		}
		if tx, err := block.ParseTransaction(b); err != nil || len(tx.Endorsements) != 2 {
			t.Errorf("%s: %v, %v", l, tx, err)
		}
	}
	if _, err := envelopes.With(envelopes.Config{}, "Envelope", nil); err == nil {
		t.Error("a configuration without anything is accepted")
	}
}

func TestTableRefuses(t *testing.T) {
	for want, change := range map[string]func(*envelopes.Config){
		"Config.ChannelID is missing": func(c *envelopes.Config) { c.ChannelID = "" },
		"Config.Peer2 is missing":     func(c *envelopes.Config) { c.Peer2 = nil },
		"are both of Org1MSP":         func(c *envelopes.Config) { c.Peer2 = c.Peer1 },
	} {
		cfg := newConfig(t)
		change(&cfg)
		if rows, err := envelopes.Table(cfg); rows != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d rows, %v, want %s", len(rows), err, want)
		}
	}
}
