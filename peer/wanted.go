package peer

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// wanted is what a transaction needs.
type wanted struct {
	channel     *Channel
	policies    []policies.Policy
	chaincodes  []string       // whose policies are among them
	collections []nsCollection // whose data must be shown to nobody else
}

type nsCollection struct{ namespace, name string }

// wants finds out which policies a transaction must fulfil, by what its first endorser says: those of chaincodes, of their
// collections, and of keys. The policy of the chaincode that was called counts unless it has written only keys with other ones.
// Whether all of them are fulfilled in the end is the committer's to say.
func wants(c *Channel, call Call, interest *pb.ChaincodeInterest) (*wanted, error) {
	w := &wanted{channel: c}
	calledIsThere := false
	for _, part := range interest.GetChaincodes() {
		calledIsThere = calledIsThere || part.GetName() == call.Chaincode
		for _, e := range part.GetKeyPolicies() {
			p, err := policies.FromEnvelope(e)
			if err != nil {
				return nil, errors.WithMessage(err, "read policy of a key")
			}
			w.policies = append(w.policies, p)
		}
		if len(part.GetCollectionNames()) == 0 && !part.GetDisregardNamespacePolicy() {
			w.addChaincode(part.GetName())
		}
		for _, name := range part.GetCollectionNames() {
			w.addCollection(nsCollection{part.GetName(), name})
			if !part.GetNoPrivateReads() || len(call.Transient) > 0 {
				w.collections = append(w.collections, nsCollection{part.GetName(), name})
			}
		}
	}
	if !calledIsThere { // somebody must sign even if nothing is written
		w.addChaincode(call.Chaincode)
	}
	return w, nil
}

// addCollection adds the policy that a collection's keys are under, which is the chaincode's, or that of an organization for its own
// collection.
func (w *wanted) addCollection(coll nsCollection) {
	if mspID, ok := strings.CutPrefix(coll.name, ledger.ImplicitCollectionPrefix); ok {
		w.policies = append(w.policies, organizationPolicy(mspID, rolesOf[endorsement]))
		return
	}
	w.addChaincode(coll.namespace)
}

func (w *wanted) addChaincode(name string) {
	if d := w.channel.definitions.find(name); d != nil && !slices.Contains(w.chaincodes, name) {
		w.chaincodes, w.policies = append(w.chaincodes, name), append(w.policies, d.policy)
	}
}

// trusts reports whether a peer may have all private data that the transaction is about. Only such a peer is asked.
func (w *wanted) trusts(ctx context.Context, who *identity.Verified) (bool, error) {
	for _, coll := range w.collections {
		if ok, err := w.channel.mayHave(ctx, coll.namespace, coll.name, who); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// enough reports whether peers fulfil all policies.
func (w *wanted) enough(chosen []candidate) bool {
	var signers []*identity.Verified
	for _, c := range chosen {
		signers = append(signers, c.channel.self)
	}
	for _, p := range w.policies {
		if p.Evaluate(signers) != nil {
			return false
		}
	}
	return true
}

func (w *wanted) collectionNames() string {
	var names []string
	for _, coll := range w.collections {
		names = append(names, coll.name)
	}
	return strings.Join(names, ", ")
}
