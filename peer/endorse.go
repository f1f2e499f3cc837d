package peer

import (
	"bytes"
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/committer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Endorsed is a transaction that peers have endorsed, and that was not ordered yet.
type Endorsed struct {
	// Result is the chaincode's answer.
	Result
	// Channel is the channel's ID.
	Channel string
	// Envelope is what is to be ordered, a marshalled Envelope that the client has signed. block.ParseTransaction takes it apart.
	Envelope []byte
	// RWSet is what was read and written, a marshalled TxReadWriteSet.
	RWSet []byte
	// PrivateRWSet is what was written to collections, as far as the first endorser may have it: a marshalled TxPvtReadWriteSet,
	// or nil.
	PrivateRWSet []byte
	// Peers are the names of those who have endorsed.
	Peers []string
}

// Endorse has a call endorsed by as many peers as the policies need, those of the chaincode and of keys, and compares what they
// answer. Nothing is ordered. The error is a *RefusedError, a *ProposalError or a *MismatchError, or says that there are not enough
// peers.
func (n *Network) Endorse(ctx context.Context, who identity.Signer, call Call) (*Endorsed, error) {
	call.Channel = n.channelOr(call.Channel)
	proposal, err := call.propose(who)
	if err != nil {
		return nil, err
	}
	answers, err := n.collect(ctx, who, call, proposal)
	if err != nil {
		return nil, err
	}
	responses, e := []*pb.ProposalResponse(nil), &Endorsed{Result: answers[0].result, Channel: call.Channel, RWSet: answers[0].rwset}
	for _, a := range answers {
		responses, e.Peers = append(responses, a.response), append(e.Peers, a.peer.Name())
	}
	wanted, err := committer.CollectionHashes(ctx, e.RWSet)
	if err != nil {
		return nil, err
	}
	if len(wanted) > 0 {
		if e.PrivateRWSet, err = answers[0].channel.private.PrivateRWSet(ctx, e.TxID, wanted); err != nil {
			return nil, err
		}
	}
	e.Envelope, err = block.NewTransaction(proposal.Signed, responses, who)
	return e, errors.WithMessagef(err, "make transaction %s", e.TxID)
}

// Evaluate runs a call on one peer, and orders nothing. The error is a *RefusedError or a *ProposalError.
func (n *Network) Evaluate(ctx context.Context, who identity.Signer, call Call) (*Result, error) {
	call.Channel = n.channelOr(call.Channel)
	proposal, err := call.propose(who)
	if err != nil {
		return nil, err
	}
	candidates, err := n.candidates(who, call)
	if err != nil {
		return nil, err
	}
	a, err := ask(ctx, candidates[0], proposal)
	if err != nil {
		return nil, err
	}
	return &a.result, nil
}

// collect asks endorsers until there are enough.
func (n *Network) collect(ctx context.Context, who identity.Signer, call Call, proposal *identity.Proposal) ([]*answer, error) {
	candidates, err := n.candidates(who, call)
	if err != nil {
		return nil, err
	}
	first, err := ask(ctx, candidates[0], proposal)
	if err != nil {
		return nil, err
	}
	more := candidates[1:]
	if len(call.Endorsers) == 0 {
		if more, err = others(ctx, call, first, candidates); err != nil {
			return nil, err
		}
	}
	answers, failures := make([]*answer, len(more)+1), make([]error, len(more))
	answers[0] = first
	var asked sync.WaitGroup
	for i, c := range more {
		asked.Go(func() { answers[i+1], failures[i] = ask(ctx, c, proposal) })
	}
	asked.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return answers, compare(answers)
}

// ask has a peer run a proposal. It is an error if it doesn't endorse.
func ask(ctx context.Context, c candidate, proposal *identity.Proposal) (*answer, error) {
	response, cause, err := c.peer.endorser.Endorse(ctx, proposal.Signed)
	if err != nil {
		return nil, &ProposalError{Peer: c.peer.Name(), TxID: proposal.TxID, Message: err.Error(), Cause: err}
	}
	a := &answer{candidate: c, response: response, cause: cause}
	return a, a.read(proposal.TxID)
}

// compare returns a *MismatchError unless all have endorsed the same.
func compare(answers []*answer) error {
	e := &MismatchError{TxID: answers[0].result.TxID}
	same := true
	for _, a := range answers {
		e.Peers, e.Payloads = append(e.Peers, a.peer.Name()), append(e.Payloads, a.response.GetPayload())
		same = same && bytes.Equal(a.response.GetPayload(), answers[0].response.GetPayload())
	}
	if same {
		return nil
	}
	return e
}
