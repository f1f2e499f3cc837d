package committer

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// signers are those whose endorsements are good, each once.
type signers []*identity.Verified

// endorsers returns who has endorsed a transaction. Those who can't be identified, and signatures that are wrong, are overlooked: there
// may be enough others (Fabric: policies.SignatureSetToValidIdentities). It is an error only if the context ends.
func (e *envelope) endorsers(ctx context.Context, members *identity.Verifier) (signers, error) {
	type who struct{ mspID, certificate string }
	seen := map[who]bool{}
	var good signers
	payload := e.action.GetAction().GetProposalResponsePayload()
	for _, endorsement := range e.action.GetAction().GetEndorsements() {
		if err := ctx.Err(); err != nil {
			return nil, err // there may be thousands
		}
		m, err := members.Identify(endorsement.GetEndorser())
		if err != nil {
			continue
		}
		id := who{m.MSPID(), string(m.Certificate().Raw)}
		if !seen[id] && m.Verify(slices.Concat(payload, endorsement.GetEndorser()), endorsement.GetSignature()) == nil {
			seen[id] = true
			good = append(good, m)
		}
	}
	return good, nil
}

// prepare reads what must be known to judge namespaces: the definitions of their chaincodes, and the policies of the keys that are
// written, as they were before the block.
func (v *validation) prepare(ctx context.Context, namespaces []*namespace) error {
	for _, ns := range namespaces {
		var err error
		if ns.definition, err = v.definitions.of(ctx, ns.name); err != nil {
			return err
		}
		if ns.definition == nil {
			return refuse(kvledger.InvalidChaincode, "chaincode %.64q is not defined", ns.name)
		}
	}
	for _, ns := range namespaces {
		if err := ns.writes.each(ctx, func(w *write) (err error) {
			w.parameter, err = v.parameter(ctx, w.keyID)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// parameter returns the policy that a key has, or nil.
func (v *validation) parameter(ctx context.Context, key keyID) (policies.Policy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var metadata map[string][]byte
	var err error
	if key.collection == "" {
		metadata, err = v.committer.cfg.Ledger.KeyMetadata(ctx, key.namespace, key.key)
	} else {
		metadata, err = v.committer.cfg.Ledger.PrivateKeyMetadata(ctx, key.namespace, key.collection, []byte(key.key))
	}
	if parameter := metadata[ledger.ValidationParameter]; err == nil && len(parameter) > 0 {
		return readParameter(parameter), nil
	}
	return nil, err
}

// readParameter returns the policy that chaincode has written as a key's parameter. If it can't be decoded, nobody fulfils it. Its
// version doesn't matter, as in Fabric.
func readParameter(b []byte) policies.Policy {
	var envelope pb.SignaturePolicyEnvelope
	if err := proto.Unmarshal(b, &envelope); err != nil {
		return nobody{errors.Wrap(err, "decode the key's policy")}
	}
	envelope.Version = 0
	p, err := policies.FromEnvelope(&envelope)
	if err != nil {
		return nobody{errors.WithMessage(err, "decode the key's policy")}
	}
	return p
}

// nobody is a policy that nobody fulfils.
type nobody struct{ reason error }

var _ policies.Policy = nobody{}

// Evaluate implements policies.Policy.
func (p nobody) Evaluate([]*identity.Verified) error { return p.reason }

// A key's policy can change in the very block in which the key is written. Whoever endorsed the second transaction didn't know the new
// policy, and the old one is no longer true. So the second one fails, whatever its endorsements are. Whether the first one has a
// conflict, which would make it change nothing, isn't known yet, and doesn't count. But an endorsement that it lacks does.

// endorsed decides whether a transaction has the endorsements that it needs, and notes which policies it would change. It looks at all
// namespaces even if one fails, because each may change policies for itself (Fabric: core/common/validation/statebased).
func (v *validation) endorsed(ctx context.Context, tx *transaction) error {
	var failed error
	for _, ns := range tx.namespaces {
		e := evaluation{committer: v.committer, namespace: ns, signers: tx.signers}
		if err := e.run(ctx, v.changed); err != nil {
			if ended := ctx.Err(); ended != nil {
				return ended
			}
			if failed == nil {
				failed = refuseBecause(kvledger.EndorsementPolicyFailure, err)
			}
			continue
		}
		if err := ns.writes.each(ctx, func(w *write) error {
			if w.metadata {
				v.changed[w.keyID] = true
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return failed
}

// evaluation decides whether those who have signed may write what they have written in a namespace.
type evaluation struct {
	committer *Committer
	namespace *namespace
	signers   signers
	// fulfilled are the policies of the chaincode, under "", and of its collections that are fulfilled. Each is asked once.
	fulfilled map[string]bool
	any       bool // policy was asked, and is fulfilled
}

// run returns an error if they may not. changed are the keys whose policies an earlier transaction of the block changes.
func (e *evaluation) run(ctx context.Context, changed map[keyID]bool) error {
	e.fulfilled = map[string]bool{}
	if err := e.namespace.writes.each(ctx, func(w *write) error {
		if changed[w.keyID] {
			return errors.Errorf("the policy of %s is changed by a transaction before it in the block", w)
		}
		if w.parameter == nil {
			return e.collection(w.collection)
		}
		if err := w.parameter.Evaluate(e.signers); err != nil {
			return errors.WithMessagef(err, "policy of %s", w)
		}
		e.any = true
		return nil
	}); err != nil || e.any {
		return err
	}
	return e.chaincode() // one must sign even if nothing is written
}

// collection decides about keys without a policy of their own.
func (e *evaluation) collection(name string) error {
	if name == "" {
		return e.chaincode()
	}
	if e.fulfilled[name] {
		return nil
	}
	p, err := e.committer.collectionPolicy(e.namespace.definition, name)
	if err != nil {
		return err
	}
	if err := p.Evaluate(e.signers); err != nil {
		return errors.WithMessagef(err, "policy of collection %.64q of chaincode %.64q", name, e.namespace.name)
	}
	e.fulfilled[name], e.any = true, true
	return nil
}

func (e *evaluation) chaincode() error {
	if e.fulfilled[""] {
		return nil
	}
	if err := e.namespace.definition.Endorsement.Evaluate(e.signers); err != nil {
		return errors.WithMessagef(err, "policy of chaincode %.64q", e.namespace.name)
	}
	e.fulfilled[""], e.any = true, true
	return nil
}

// collectionPolicy returns the policy of a collection.
func (c *Committer) collectionPolicy(d *Definition, name string) (policies.Policy, error) {
	if mspID, implicit := strings.CutPrefix(name, ledger.ImplicitCollectionPrefix); implicit {
		if p := c.cfg.Organizations[mspID]; p != nil {
			return p, nil
		}
		if !slices.Contains(c.cfg.Verifier.MSPIDs(), mspID) {
			return nil, errors.Errorf("no org found in channel with MSPID '%.64s'", mspID)
		}
		return policies.SignedBy(identity.Principal{MSPID: mspID, Role: identity.Member}), nil
	}
	p, ok := d.Collections[name]
	switch {
	case !ok && !d.AnyCollection:
		return nil, errors.Errorf("no such collection '%.64s'", name)
	case p == nil:
		return d.Endorsement, nil
	}
	return p, nil
}
