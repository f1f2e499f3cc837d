package peer_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Somebody else may write the ID of a transaction into an envelope of their own, and have it ordered first, in the same block. That
// isn't what becomes of the transaction. The same envelope twice has two outcomes.
func TestClaimedID(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice, mallory := client(t, n, "alice@Org1MSP"), client(t, n, "mallory@Org2MSP")
	endorse := func(who *identity.Identity, key string) *peer.Endorsed {
		e, err := n.Endorse(t.Context(), who, call("put", key, "v"))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	hers, other := endorse(alice, "k"), endorse(mallory, "other")
	claiming := claim(t, mallory, other.Envelope, hers.TxID)
	outcomes, err := n.Order(t.Context(), claiming, hers.Envelope, hers.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []kvledger.ValidationCode{kvledger.BadProposalTxID, kvledger.Valid, kvledger.DuplicateTxID} {
		if outcomes[i].Code != want || outcomes[i].Position != i || outcomes[i].TxID != hers.TxID {
			t.Errorf("envelope %d has the outcome %+v, want %s", i, outcomes[i], want)
		}
	}
}

// claim gives an envelope another transaction's ID, and signs it.
func claim(t *testing.T, who *identity.Identity, envelope []byte, txID string) []byte {
	t.Helper()
	var (
		e       pb.Envelope
		payload pb.Payload
		header  pb.ChannelHeader
	)
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, err := range []error{
		proto.Unmarshal(envelope, &e), proto.Unmarshal(e.GetPayload(), &payload), proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	header.TxId = txID
	payload.Header.ChannelHeader = must(proto.Marshal(&header))
	e.Payload = must(proto.Marshal(&payload))
	e.Signature = must(who.Sign(e.Payload))
	return must(proto.Marshal(&e))
}
