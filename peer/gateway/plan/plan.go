// Package plan finds out whose endorsements a transaction needs, as Fabric's gateway does by discovery (internal/pkg/gateway;
// discovery/endorsement).
//
//	p, err := plan.New(ctx, policies, tx, plan.Sort(peers, "Org1MSP"))
//	more, ok := p.Next(endorsed, failed) // who is to be asked now
//
// What is needed follows from the ChaincodeInterest that the first endorser has answered with: the policies of chaincodes, of
// collections and of keys.
package plan

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Endorser runs proposals. It returns when ctx ends.
type Endorser interface {
	ProcessProposal(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error)
}

// Evaluator is what an Endorser may be besides: it leaves out the endorsement, which a client that only evaluates doesn't get.
type Evaluator interface {
	Evaluate(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error)
}

// Peer is a peer that is on a channel. It is only read.
type Peer struct {
	// Address is where the peer is. Clients are told it if the peer fails.
	Address string
	// Identity is who the peer is. It is what policies judge.
	Identity *identity.Verified
	// Height is how many blocks the peer has committed. Peers with more blocks are preferred.
	Height uint64
	// Host says that it is the peer whose gateway it is. Among peers of the same height it is preferred.
	Host bool
	// Runs reports whether the peer can run a chaincode, given its name.
	Runs func(chaincode string) bool
	// Endorser runs proposals there. It may be an Evaluator.
	Endorser Endorser
}

// MSPID returns the ID of the peer's organization.
func (p *Peer) MSPID() string { return p.Identity.MSPID() }

// Policies is what must be known of a channel's chaincodes.
type Policies interface {
	// Endorsement returns the endorsement policy of a chaincode, or nil if the channel doesn't have the chaincode.
	Endorsement(ctx context.Context, chaincode string) (policies.Policy, error)
	// Collection returns the endorsement policy that a collection has of its own, or nil if the chaincode's counts.
	Collection(ctx context.Context, chaincode, collection string) (policies.Policy, error)
	// MayHave reports whether a peer may have the data of a collection.
	MayHave(ctx context.Context, chaincode, collection string, who *identity.Verified) (bool, error)
}

// Transaction is what endorsements are needed for.
type Transaction struct {
	// Channel is the channel's ID, and Chaincode the name of the chaincode that is called.
	Channel, Chaincode string
	// Interest is what the first endorser has answered with. If it is nil or empty, it is the chaincode alone.
	Interest *pb.ChaincodeInterest
	// Transient says that the proposal has transient data. It isn't shown to peers that may not have the collections' data.
	Transient bool
}

// Plan knows whose endorsements are enough for a transaction. It is not modified once it is made.
type Plan struct {
	peers  []*Peer // who may be asked, the preferred ones first
	needed []policies.Policy
	orgs   []string // of each of which one peer is needed, in place of policies
}

// New returns a plan by policies. The peers are in the order in which they are preferred. The error has the text that Fabric's
// clients get.
func New(ctx context.Context, p Policies, tx Transaction, peers []*Peer) (*Plan, error) {
	calls, protected := tx.calls()
	plan, err := newPlan(ctx, p, tx, calls, peers)
	if err == nil {
		return plan, nil
	}
	if len(protected) > 0 { // without our caution it might have been possible
		if _, err = newPlan(ctx, p, tx, tx.Interest.GetChaincodes(), peers); err == nil {
			return nil, errors.Errorf("requires endorsement from organisation(s) that are not in the distribution policy of the private data "+
				"collection(s): %v; retry specifying trusted endorsing organizations to protect transient data", protected)
		}
	}
	return nil, errors.WithMessage(err, "no combination of peers can be derived which satisfy the endorsement policy")
}

// calls are the parts of the interest. If there is transient data, it is as if all collections had been read. Those that were not
// are protected.
func (tx Transaction) calls() (calls []*pb.ChaincodeCall, protected []string) {
	if len(tx.Interest.GetChaincodes()) == 0 {
		return []*pb.ChaincodeCall{{Name: tx.Chaincode}}, nil
	}
	for _, c := range tx.Interest.GetChaincodes() {
		if tx.Transient && c.GetNoPrivateReads() {
			protected = append(protected, c.GetCollectionNames()...)
			c = &pb.ChaincodeCall{
				Name: c.GetName(), CollectionNames: c.GetCollectionNames(), KeyPolicies: c.GetKeyPolicies(), DisregardNamespacePolicy: c.GetDisregardNamespacePolicy(),
			}
		}
		calls = append(calls, c)
	}
	return calls, protected
}

func newPlan(ctx context.Context, p Policies, tx Transaction, calls []*pb.ChaincodeCall, peers []*Peer) (*Plan, error) {
	n := &needs{policies: p, tx: tx, calls: calls}
	if err := n.collect(ctx); err != nil {
		return nil, err
	}
	plan := &Plan{needed: n.all}
	for _, peer := range peers {
		ok, err := n.trusts(ctx, peer.Identity)
		if err != nil {
			return nil, err
		}
		if ok {
			plan.peers = append(plan.peers, peer)
		}
	}
	if !plan.enough(plan.peers) {
		return nil, errors.New("no peer combination can satisfy the endorsement policy")
	}
	plan.peers = slices.DeleteFunc(plan.peers, func(peer *Peer) bool { return !n.runnable(peer) })
	if !plan.enough(plan.peers) {
		return nil, errors.New("required chaincodes are not installed on sufficient peers")
	}
	return plan, nil
}

// ForOrganizations returns a plan that needs a peer of each of some organizations, which the client has chosen. No policy is
// asked. The error has the text that Fabric's clients get.
func ForOrganizations(tx Transaction, mspIDs []string, peers []*Peer) (*Plan, error) {
	p := &Plan{}
	for _, peer := range peers {
		if slices.Contains(mspIDs, peer.MSPID()) && peer.Runs(tx.Chaincode) {
			p.peers = append(p.peers, peer)
		}
	}
	var missing []string
	for _, mspID := range mspIDs {
		switch {
		case !slices.ContainsFunc(p.peers, func(peer *Peer) bool { return peer.MSPID() == mspID }):
			missing = append(missing, mspID)
		case !slices.Contains(p.orgs, mspID):
			p.orgs = append(p.orgs, mspID)
		}
	}
	if missing != nil {
		return nil, errors.Errorf("failed to find any endorsing peers for org(s): %s", strings.Join(missing, ", "))
	}
	return p, nil
}

// Peers are those who may be asked, the preferred ones first. They must not be modified.
func (p *Plan) Peers() []*Peer { return p.peers }

// enough reports whether the endorsements of peers are enough.
func (p *Plan) enough(endorsed []*Peer) bool {
	if p.orgs != nil {
		return p.missing(endorsed) == nil
	}
	if len(endorsed) == 0 {
		return false // somebody must sign, even if the policies want nobody
	}
	var signers []*identity.Verified
	for _, peer := range endorsed {
		signers = append(signers, peer.Identity)
	}
	signers = policies.Unique(signers)
	for _, policy := range p.needed {
		if policy.Evaluate(signers) != nil {
			return false
		}
	}
	return true
}

// missing are the organizations of which no peer has endorsed.
func (p *Plan) missing(endorsed []*Peer) []string {
	var missing []string
	for _, mspID := range p.orgs {
		if !slices.ContainsFunc(endorsed, func(peer *Peer) bool { return peer.MSPID() == mspID }) {
			missing = append(missing, mspID)
		}
	}
	return missing
}

// Counts returns those of the peers that have endorsed whose endorsements belong into the transaction. It leaves out peers who may
// not be asked, as the first endorser may be one, and the first endorser if the others are enough.
func (p *Plan) Counts(endorsed []*Peer) []*Peer {
	var counts []*Peer
	for _, peer := range endorsed {
		if slices.Contains(p.peers, peer) {
			counts = append(counts, peer)
		}
	}
	if len(counts) > 1 && p.enough(counts[1:]) {
		return counts[1:]
	}
	return counts
}

// Sort returns peers in the order in which they are preferred, in a new slice: those of an organization first, of these and of the
// others those with more blocks, and among equals the host.
func Sort(peers []*Peer, mspID string) []*Peer {
	sorted := slices.Clone(peers)
	slices.SortStableFunc(sorted, func(a, b *Peer) int {
		return first(
			order(a.MSPID() == mspID, b.MSPID() == mspID),
			order(a.Height > b.Height, b.Height > a.Height),
			order(a.Host, b.Host),
		)
	})
	return sorted
}

// order is negative if only the first is true.
func order(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

func first(orders ...int) int {
	for _, o := range orders {
		if o != 0 {
			return o
		}
	}
	return 0
}
