package script

import (
	"slices"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// steps are all that a client does.
func steps() []step {
	return slices.Concat(
		evaluateSteps(), evaluateStatusSteps(), evaluateWhoSteps(), evaluateTargetSteps(), stateSteps(),
		endorseSteps(), endorseTargetSteps(), preparedSteps(), proposalSteps(), requestSteps(),
		submitSteps(), conflictSteps(), envelopeSteps(), statusSteps(), offlineSteps(),
		keyPolicySteps(), privateSteps(), privateWriteSteps(), callSteps(),
		eventSteps(), replaySteps(), eventRequestSteps(),
		seekSteps(), seekWrongSteps(), seekContentSteps(), blockEventSteps(), blockEventMoreSteps(), ordererSeekSteps(),
		endorserSteps(), endorserWhoSteps(), broadcastSteps(),
		qsccSteps(), qsccWrongSteps(), csccSteps(), discoverySteps(),
	)
}

// args are a call's arguments. Each that begins with a $ is a key that only the step uses.
func (r *doing) args(all []string) []string {
	var given []string
	for _, a := range all {
		if name, ok := strings.CutPrefix(a, "$"); ok {
			a = r.key(name)
		}
		given = append(given, a)
	}
	return given
}

// evaluate is a step that evaluates a transaction.
func evaluate(name, chaincode, function string, args ...string) step {
	return step{"evaluate: " + name, func(r *run) any { return r.evaluate(chaincode, function, args...) }}
}

func (r caller) evaluate(chaincode, function string, args ...string) any {
	return r.answer(r.contract(chaincode).EvaluateWithContext(r.ctx, function, client.WithArguments(r.args(args)...)))
}

// submit is a step that submits a transaction.
func submit(name, chaincode, function string, args ...string) step {
	return step{"submit: " + name, func(r *run) any { return r.submit(chaincode, function, args...) }}
}

// submit submits a transaction, and says what came of it.
func (r caller) submit(chaincode, function string, args ...string) any {
	return r.submitBy(r.contract(chaincode), function, client.WithArguments(r.args(args)...))
}

func (r caller) submitBy(contract *client.Contract, function string, options ...client.ProposalOption) any {
	payload, commit, err := contract.SubmitAsyncWithContext(r.ctx, function, options...)
	if err != nil {
		return r.failure(err)
	}
	said := r.status(commit)
	said["payload"] = r.bytes(payload)
	return said
}

// status waits for a transaction's commit.
func (r caller) status(commit *client.Commit) say {
	st, err := commit.StatusWithContext(r.ctx)
	if err != nil {
		return r.failure(err)
	}
	return say{"validation": st.Code.String(), "successful": st.Successful, "block": r.block(st.BlockNumber), "txID": st.TransactionID == commit.TransactionID()}
}

// put submits a transaction that has to be valid.
func (r caller) put(chaincode, function string, args ...string) {
	r.putBy(r.contract(chaincode), function, client.WithArguments(r.args(args)...))
}

func (r caller) putBy(contract *client.Contract, function string, options ...client.ProposalOption) (txID string) {
	_, commit, err := contract.SubmitAsyncWithContext(r.ctx, function, options...)
	r.must(err)
	st, err := commit.StatusWithContext(r.ctx)
	r.must(err)
	if st.Code != peer.TxValidationCode_VALID {
		r.t.Fatalf("step %q: %s %s", r.name, function, st.Code)
	}
	return commit.TransactionID()
}

// settle waits until all that the orderer has taken is committed.
func (r caller) settle() { r.put(program.Other, "put", "settled", "v") }

// endorsed is a transaction that has to be endorsed.
func (r caller) endorsed(contract *client.Contract, function string, options ...client.ProposalOption) *client.Transaction {
	p, err := contract.NewProposal(function, options...)
	r.must(err)
	tx, err := p.EndorseWithContext(r.ctx)
	r.must(err)
	return tx
}

// send submits an endorsed transaction, and says what came of it.
func (r caller) send(tx *client.Transaction) any {
	commit, err := tx.SubmitWithContext(r.ctx)
	if err != nil {
		return r.failure(err)
	}
	return r.status(commit)
}

// table is a step for each name.
func table[T any](prefix string, rows []row[T], do func(*run, T) any) []step {
	var all []step
	for _, row := range rows {
		all = append(all, step{prefix + row.name, func(r *run) any { return do(r, row.with) }})
	}
	return all
}

type row[T any] struct {
	name string
	with T
}
