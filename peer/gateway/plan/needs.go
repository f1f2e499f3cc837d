package plan

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// needs are the policies that a transaction must fulfil. Whether it fulfils all of them in the end is the committer's to say.
type needs struct {
	policies Policies
	tx       Transaction
	calls    []*pb.ChaincodeCall

	all        []policies.Policy
	chaincodes []string // whose policies are among them
}

// collect finds the policies (Fabric: discovery/endorsement, computePrincipalSets).
func (n *needs) collect(ctx context.Context) error {
	for _, call := range n.calls {
		policy, err := n.policies.Endorsement(ctx, call.GetName())
		if err != nil {
			return err
		}
		if policy == nil {
			return errors.Errorf("No metadata was found for chaincode %s in channel %s", call.GetName(), n.tx.Channel)
		}
	}
	calledIsThere := false
	for _, call := range n.calls {
		calledIsThere = calledIsThere || call.GetName() == n.tx.Chaincode
		if err := n.add(ctx, call); err != nil {
			return err
		}
	}
	if calledIsThere {
		return nil
	}
	return n.addChaincode(ctx, n.tx.Chaincode) // the committer asks for it, even if nothing is written there
}

func (n *needs) add(ctx context.Context, call *pb.ChaincodeCall) error {
	for _, e := range call.GetKeyPolicies() {
		policy, err := policies.FromEnvelope(e)
		if err != nil {
			return errors.WithMessage(err, "read policy of a key")
		}
		n.all = append(n.all, policy)
	}
	if len(call.GetCollectionNames()) == 0 {
		if !call.GetDisregardNamespacePolicy() {
			return n.addChaincode(ctx, call.GetName())
		}
		if len(call.GetKeyPolicies()) == 0 {
			return errors.Errorf("requested to disregard chaincode %s's policy but key and collection policies are missing, either "+
				"disable DisregardNamespacePolicy or specify at least one key policy or at least one collection policy", call.GetName())
		}
	}
	for _, name := range call.GetCollectionNames() {
		policy, err := n.policies.Collection(ctx, call.GetName(), name)
		if err != nil {
			return err
		}
		if policy != nil {
			n.all = append(n.all, policy)
		} else if err := n.addChaincode(ctx, call.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func (n *needs) addChaincode(ctx context.Context, name string) error {
	if slices.Contains(n.chaincodes, name) {
		return nil
	}
	policy, err := n.policies.Endorsement(ctx, name)
	if err != nil || policy == nil {
		return err
	}
	n.chaincodes, n.all = append(n.chaincodes, name), append(n.all, policy)
	return nil
}

// trusts reports whether a peer may have all private data that the transaction has read.
func (n *needs) trusts(ctx context.Context, who *identity.Verified) (bool, error) {
	for _, call := range n.calls {
		if call.GetNoPrivateReads() {
			continue
		}
		for _, name := range call.GetCollectionNames() {
			if ok, err := n.policies.MayHave(ctx, call.GetName(), name, who); err != nil || !ok {
				return false, err
			}
		}
	}
	return true, nil
}

// runnable reports whether a peer has all chaincodes of the transaction.
func (n *needs) runnable(p *Peer) bool {
	return p.Runs(n.tx.Chaincode) && !slices.ContainsFunc(n.calls, func(c *pb.ChaincodeCall) bool { return !p.Runs(c.GetName()) })
}
