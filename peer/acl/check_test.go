package acl_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/policies"
)

// world is a channel of two organizations, and a peer of the first.
type world struct {
	checker                         acl.Checker
	alice, bob, admin, peer, nobody *identity.Identity
}

func newWorld(t testing.TB, acls map[string]string) world {
	t.Helper()
	org1, org2, org3 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP"), newMSP(t, "Org3MSP")
	verifier, err := identity.NewVerifier(org1.Organization(), org2.Organization())
	if err != nil {
		t.Fatal(err)
	}
	local, err := identity.NewVerifier(org1.Organization())
	if err != nil {
		t.Fatal(err)
	}
	parsed := func(text string) policies.Policy {
		p, err := policies.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	known := map[string]policies.Policy{"/Channel/Application/OnlyOrg2": parsed("OR('Org2MSP.client')")}
	for name, roles := range map[string]string{"Readers": "OR('%[1]s.admin', '%[1]s.peer', '%[1]s.client')", "Writers": "OR('%[1]s.admin', '%[1]s.client')"} {
		known["/Channel/Application/"+name] = policies.ImplicitMeta{Rule: policies.AnyRule, Name: name, Policies: []policies.Policy{
			parsed(fmt.Sprintf(roles, "Org1MSP")), parsed(fmt.Sprintf(roles, "Org2MSP")),
		}}
	}
	ch := &acl.Channel{Verifier: verifier, Policy: func(path string) policies.Policy { return known[path] }, ACLs: acls}
	w := world{
		alice: issue(t, org1, "alice", identity.Client), bob: issue(t, org2, "bob", identity.Client), admin: issue(t, org1, "admin", identity.Admin),
		peer: issue(t, org1, "peer", identity.Peer), nobody: issue(t, org3, "mallory", identity.Client),
	}
	w.checker, err = acl.New(acl.Config{Local: local, Channel: func(id string) *acl.Channel {
		if id == "mychannel" {
			return ch
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newMSP(t testing.TB, id string) *identity.MSP {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return msp
}

func issue(t testing.TB, msp *identity.MSP, name string, role identity.Role) *identity.Identity {
	t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: name, OUs: []string{string(role)}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func request(t testing.TB, who *identity.Identity, resource, channelID string) acl.Request {
	t.Helper()
	data := []byte("what is asked for")
	signature, err := who.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	return acl.Request{Resource: resource, ChannelID: channelID, Data: data, Identity: who.Creator(), Signature: signature}
}

const (
	refusedReader = "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Readers]: " +
		"[implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Readers' sub-policies to be satisfied]"
	refusedWriter = "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Writers]: " +
		"[implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied]"
)

// The texts are those that Fabric's clients get.
func TestCheck(t *testing.T) {
	acls := map[string]string{
		"event/Block": "OnlyOrg2", "event/FilteredBlock": "/Channel/Application/Nowhere", "qscc/GetBlockByTxID": "",
		"somebody/Else": "/Channel/Application/Readers", "cscc/GetChannels": "OnlyOrg2",
	}
	w := newWorld(t, acls)
	for _, tc := range []struct {
		who               *identity.Identity
		resource, channel string
		want              string
	}{
		{w.alice, "gateway/CommitStatus", "mychannel", ""},
		{w.peer, "gateway/ChaincodeEvents", "mychannel", ""},
		{w.bob, "qscc/GetChainInfo", "mychannel", ""},
		{w.nobody, "gateway/CommitStatus", "mychannel", refusedReader},
		{w.nobody, "qscc/GetBlockByTxID", "mychannel", refusedReader},
		{w.alice, "peer/Propose", "mychannel", ""},
		{w.peer, "peer/Propose", "mychannel", refusedWriter},
		{w.alice, "gateway/CommitStatus", "other", "Failed to get policy manager for channel [other]"},
		{w.alice, "gateway/CommitStatus", "", "Invalid channel ID name during check policy on signed data. Name must be different from nil."},
		{w.alice, "gateway/Nothing", "mychannel", "Unmapped policy for gateway/Nothing"},
		// What the channel's configuration says comes first, and has texts of its own.
		{w.bob, "event/Block", "mychannel", ""},
		{w.alice, "event/Block", "mychannel", "failed evaluating policy on signed data during check policy [/Channel/Application/OnlyOrg2]: [signature set did not satisfy policy]"},
		{w.alice, "event/FilteredBlock", "mychannel", "failed evaluating policy on signed data during check policy [/Channel/Application/Nowhere]: [policy /Channel/Application/Nowhere not found]"},
		{w.alice, "somebody/Else", "mychannel", ""},
		// It has no say in the peer's own resources.
		{w.alice, "cscc/GetChannels", "", ""},
		{w.alice, "cscc/GetChannels", "mychannel", ""},
		{w.admin, "cscc/JoinChain", "", ""},
		{w.alice, "cscc/JoinChain", "", "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [Admins]: " +
			"[The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]]"},
		{w.bob, "cscc/GetChannels", "", `Failed deserializing proposal creator during channelless check policy with policy [Members]: [expected MSP ID Org1MSP, received Org2MSP]`},
	} {
		err := w.checker.Check(t.Context(), request(t, tc.who, tc.resource, tc.channel))
		if got := textOf(err); got != tc.want {
			t.Errorf("%s of %s on %q: %q, want %q", tc.resource, tc.who.ID(), tc.channel, got, tc.want)
		}
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whoever hasn't signed what is asked for is nobody.
func TestSignature(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(*acl.Request){
		"of other data": func(r *acl.Request) { r.Data = []byte("other") },
		"of another":    func(r *acl.Request) { r.Signature = request(t, w.bob, "", "").Signature },
		"missing":       func(r *acl.Request) { r.Signature = nil },
		"of nobody":     func(r *acl.Request) { r.Identity = nil },
	} {
		r := request(t, w.alice, "gateway/CommitStatus", "mychannel")
		change(&r)
		if got := textOf(w.checker.Check(t.Context(), r)); got != refusedReader {
			t.Errorf("signature %s: %q", name, got)
		}
		r.Resource = "cscc/GetChannels"
		if w.checker.Check(t.Context(), r) == nil {
			t.Errorf("signature %s is good enough for the peer's own resources", name)
		}
	}
}

func TestUnknownPolicy(t *testing.T) {
	w := newWorld(t, nil)
	checker, err := acl.New(acl.Config{Channel: func(string) *acl.Channel { return &acl.Channel{Policy: func(string) policies.Policy { return nil }} }})
	if err != nil {
		t.Fatal(err)
	}
	want := "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Readers]: [no such policy: 'Application/Readers']"
	if got := textOf(checker.Check(t.Context(), request(t, w.alice, "event/Block", "mychannel"))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := checker.Check(t.Context(), request(t, w.alice, "cscc/GetChannels", "")); err == nil {
		t.Error("a peer without an organization has members")
	}
	if _, err := acl.New(acl.Config{}); err == nil {
		t.Error("a checker without channels")
	}
}

// Every resource has a policy, and those of peers are told from those of channels.
func TestResources(t *testing.T) {
	all := acl.Resources()
	if len(all) != 39-2 { // lscc/Deploy and lscc/Upgrade have none in Fabric either
		t.Errorf("%d resources", len(all))
	}
	for resource, policy := range all {
		if !strings.Contains(resource, "/") || policy == "" {
			t.Errorf("%q has %q", resource, policy)
		}
	}
}

func FuzzCheck(f *testing.F) {
	w := newWorld(f, nil)
	good := request(f, w.alice, "event/Block", "mychannel")
	f.Add(good.Data, good.Identity, good.Signature)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add(good.Data, append([]byte{10, 200}, good.Identity...), good.Signature)
	f.Fuzz(func(t *testing.T, data, who, signature []byte) {
		r := acl.Request{Resource: "event/Block", ChannelID: "mychannel", Data: data, Identity: who, Signature: signature}
		err := w.checker.Check(context.Background(), r)
		if err == nil && string(data) != string(good.Data) {
			t.Errorf("nobody has signed %q", data)
		}
		if err != nil && err.Error() != refusedReader {
			t.Errorf("%q", err)
		}
	})
}
