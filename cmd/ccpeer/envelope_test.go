package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestServeUnendorsed goes on with a ledger of before transactions were endorsed. It has nothing to say of who made them.
func TestServeUnendorsed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	store, err := pebble.Open(pebble.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	l, err := kvledger.NewProvider(store).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := l.NewSimulator(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.SetState(t.Context(), "probe", "k", []byte("blue")); err != nil {
		t.Fatal(err)
	}
	tx, err := kvledger.TransactionOf(t.Context(), sim, "old", time.Now())
	sim.Done()
	if err != nil {
		t.Fatal(err)
	}
	if code, err := l.CommitTx(t.Context(), tx); err != nil || code != kvledger.Valid {
		t.Fatal(code, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	s := servePeer(t, append(anyPort, "--ledger", "pebble:"+dir)...)
	for _, c := range []struct{ args, want string }{ // separated by |
		{"tx|old", "Z\nprobe\n  write  k = blue\n"},
		{"block|0", "Z  VALID\n  hash "},
		{`query|-n|probe|-c|{"Args":["get","k"]}`, "blue\n"},
		{`invoke|-n|probe|-c|{"Args":["put","k","red"]}`, "(VALID)"},
		{"block|1", "VALID  client@Org1MSP  probe put\n"},
	} {
		ccpeer(t, append(strings.Split(c.args, "|"), "--api", s.api)...).check(t, exitOK, c.want)
	}
	first, second := ccpeer(t, "block", "0", "--api", s.api), ccpeer(t, "block", "1", "--api", s.api)
	_, hash, _ := strings.Cut(first.stdout, "hash ")
	if hash = strings.TrimSpace(hash); len(hash) != 64 || !strings.Contains(second.stdout, "previous "+hash) {
		t.Errorf("block 1 doesn't follow block 0:\n%s\n%s", first.stdout, second.stdout)
	}
	s.stop(t)
}

// endorsed returns the envelope of a transaction.
func endorsed(t testing.TB) []byte {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := msp.Issue(identity.Config{CommonName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: "ch", Chaincode: "cc", Args: [][]byte{[]byte("f"), {0xff}}, Signer: alice})
	if err != nil {
		t.Fatal(err)
	}
	var proposal pb.Proposal
	if err := proto.Unmarshal(p.Signed.GetProposalBytes(), &proposal); err != nil {
		t.Fatal(err)
	}
	hash, err := block.ProposalHash(&proposal)
	if err != nil {
		t.Fatal(err)
	}
	action := marshal(t, &pb.ChaincodeAction{
		Response: &pb.Response{Status: 200, Message: "\x1b", Payload: []byte("p")}, Results: marshal(t, &pb.TxReadWriteSet{}),
		Events: marshal(t, &pb.ChaincodeEvent{ChaincodeId: "cc", TxId: p.TxID, EventName: "e\n"}), ChaincodeId: &pb.ChaincodeID{Name: "cc"},
	})
	payload := marshal(t, &pb.ProposalResponsePayload{ProposalHash: hash, Extension: action})
	b, err := block.NewTransaction(p.Signed, []*pb.ProposalResponse{{
		Version: 1, Response: &pb.Response{Status: 200}, Payload: payload, Endorsement: &pb.Endorsement{Endorser: alice.Creator(), Signature: []byte("s")},
	}}, alice)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPrintEnvelope(t *testing.T) {
	tx := &txJSON{RWSet: []namespaceRWSet{}}
	tx.blockTxJSON, tx.envelopeJSON = describeTx(&kvledger.CommittedTransaction{Envelope: endorsed(t)})
	var b strings.Builder
	tx.printEnvelope(&b)
	const want = `  creator   alice@Org1MSP
  call      cc f 0xff
  response  200 0x1b, p
  event     "e\n" = ""
  endorser  alice@Org1MSP
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	for creator, want := range map[string]string{
		"\xff": "somebody unreadable",
		string(marshal(t, &pb.SerializedIdentity{Mspid: "A\x1b", IdBytes: []byte("x")})): `"somebody@A\x1b"`,
	} {
		if got := memberOf([]byte(creator)).String(); got != want {
			t.Errorf("%q is shown as %s, want %s", creator, got, want)
		}
	}
}

// FuzzPrintEnvelope prints whatever may be in a block, as what a terminal shows as it is.
func FuzzPrintEnvelope(f *testing.F) {
	f.Add(endorsed(f))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		tx := &txJSON{RWSet: []namespaceRWSet{}}
		tx.blockTxJSON, tx.envelopeJSON = describeTx(&kvledger.CommittedTransaction{Envelope: b})
		var text strings.Builder
		tx.print(&text, false)
		(&blockJSON{Transactions: []blockTxJSON{tx.blockTxJSON}}).print(&text, false)
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q is printed as %q", b, text.String())
		}
	})
}
