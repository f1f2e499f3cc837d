package peer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// newMSP is an organization's CA.
func newMSP(t *testing.T, mspID string) *identity.MSP {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
	if err != nil {
		t.Fatal(err)
	}
	return msp
}

func issue(t *testing.T, msp *identity.MSP, name string, role identity.Role) *identity.Identity {
	t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: name, OUs: []string{string(role)}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Who may not write to a channel can't ask for what is there by chaincode on another channel.
func TestACL(t *testing.T) {
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	orderer, err := ordering.New(ordering.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer orderer.Close()
	p, err := peer.New(peer.Config{Name: "peer0", Signer: issue(t, org1, "peer0", identity.Peer), Store: memory.New(), Orderer: orderer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for id, members := range map[string][]identity.Organization{"mychannel": {org1.Organization(), org2.Organization()}, "secret": {org1.Organization()}} {
		if err := orderer.AddChannel(ordering.Channel{ID: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Join(t.Context(), peer.ChannelConfig{ID: id, Organizations: members}); err != nil {
			t.Fatal(err)
		}
		if err := p.Deploy(t.Context(), id, peer.Chaincode{Name: "asset", ID: id, Runtime: runs(asset)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		who  *identity.Identity
		want string
	}{
		"a member":                {issue(t, org1, "alice", identity.Client), ""},
		"of another organization": {issue(t, org2, "bob", identity.Client), "Failed evaluating policy on signed data during check policy on channel [secret] with policy [/Channel/Application/Writers]: [implicit policy evaluation failed"},
	} {
		r, err := p.ProcessProposal(t.Context(), propose(t, tc.who, call("call", "asset", "secret", "get", "k")).Signed)
		if err != nil || r.GetResponse().GetStatus() != 200 {
			t.Fatalf("%s: %v, %v", name, r, err)
		}
		if got := string(r.GetResponse().GetPayload()); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s gets %q, want %q", name, got, tc.want)
		}
	}
	// A peer may endorse, and not write.
	r, err := p.ProcessProposal(t.Context(), propose(t, issue(t, org1, "peer1", identity.Peer), call("get", "k")).Signed)
	if err == nil || r.GetEndorsement() != nil {
		t.Errorf("a peer proposes: %v, %v", r, err)
	}
}

// F238: a channel's configuration has policies and ACLs of its own. The peer goes by them, and not by those that are usual.
func TestACLOfConfiguration(t *testing.T) {
	org := newMSP(t, "Org1MSP")
	orderer, err := ordering.New(ordering.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer orderer.Close()
	if err := orderer.AddChannel(ordering.Channel{ID: "mychannel"}); err != nil {
		t.Fatal(err)
	}
	p, err := peer.New(peer.Config{Name: "peer0", Signer: issue(t, org, "peer0", identity.Peer), Store: memory.New(), Orderer: orderer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	c, err := p.Join(t.Context(), peer.ChannelConfig{ID: "mychannel", Organizations: []identity.Organization{org.Organization()}})
	if err != nil {
		t.Fatal(err)
	}
	alice, admin := issue(t, org, "alice", identity.Client), issue(t, org, "admin", identity.Admin)
	check := func(who identity.Signer, resource, want string) {
		t.Helper()
		signature, err := who.Sign([]byte("data"))
		if err != nil {
			t.Fatal(err)
		}
		err = p.ACL().Check(t.Context(), acl.Request{Resource: resource, ChannelID: "mychannel", Data: []byte("data"), Identity: who.Creator(), Signature: signature})
		if got := fmt.Sprint(err); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", resource, got, want)
		}
	}
	check(alice, "event/Block", "<nil>")
	check(alice, "qscc/GetChainInfo", "<nil>")
	propose := func(who *identity.Identity, want string) {
		t.Helper()
		made, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Signer: who})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.ProcessProposal(t.Context(), made.Signed)
		if got := fmt.Sprint(r.GetResponse().GetMessage(), err); !strings.Contains(got, want) {
			t.Errorf("propose: %s, want %s", got, want)
		}
	}
	propose(alice, "chaincode asset not found")

	member := channelconfig.Organization{MSP: org.Organization(), Policies: channelconfig.MemberPolicies("Org1MSP")}
	for _, name := range []string{channelconfig.Readers, channelconfig.Writers} {
		member.Policies[name] = member.Policies[channelconfig.Admins]
	}
	says := channelconfig.Channel{Application: channelconfig.Application{
		Organizations: []channelconfig.Organization{member}, ACLs: map[string]string{"qscc/GetChainInfo": "/Channel/Application/Admins", "gateway/CommitStatus": "Nobody"},
	}}
	config, err := says.Config()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := channelconfig.Envelope("mychannel", config, admin)
	if err != nil {
		t.Fatal(err)
	}
	blocks := c.Blocks(0)
	defer blocks.Close()
	if err := orderer.Configure(t.Context(), envelope); err != nil {
		t.Fatal(err)
	}
	if b, err := blocks.Next(t.Context()); err != nil || b.Transactions[0].Code != kvledger.Valid {
		t.Fatalf("%+v, %v", b, err)
	}
	check(alice, "event/Block", "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Readers]: ")
	check(alice, "qscc/GetChainInfo", "failed evaluating policy on signed data during check policy [/Channel/Application/Admins]: ")
	propose(alice, "with policy [/Channel/Application/Writers]: ")
	propose(admin, "chaincode asset not found")
	check(admin, "event/Block", "<nil>")
	check(admin, "qscc/GetChainInfo", "<nil>")
	check(admin, "gateway/CommitStatus", "failed evaluating policy on signed data during check policy [/Channel/Application/Nobody]: [policy /Channel/Application/Nobody not found]")
}
