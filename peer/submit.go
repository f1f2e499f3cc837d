package peer

import (
	"context"
	"crypto/sha256"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// Committed is a transaction that is in a block.
type Committed struct {
	// Result is the chaincode's answer.
	Result
	// Outcome is what became of it.
	Outcome Outcome
}

// Submit has a call endorsed and ordered, and waits until all peers of the channel have committed it. If the transaction isn't
// valid, the error is an *InvalidError, and the Committed is there, too. Other errors are those of Endorse and Order.
func (n *Network) Submit(ctx context.Context, who identity.Signer, call Call) (*Committed, error) {
	e, err := n.Endorse(ctx, who, call)
	if err != nil {
		return nil, err
	}
	outcomes, err := n.Order(ctx, e.Envelope)
	if err != nil {
		return nil, err
	}
	return &Committed{e.Result, outcomes[0]}, outcomes[0].Err()
}

// Order has envelopes ordered, and waits until all peers of the channel have committed them. Several envelopes are one block. The
// outcomes are in their order; an Outcome may be that of an invalid transaction. If there is an error, it is an *UnknownError if the
// envelopes may have been ordered. After any other one they were not: it is an *ordering.Error if the orderer has refused.
func (n *Network) Order(ctx context.Context, envelopes ...[]byte) ([]Outcome, error) {
	if len(envelopes) == 0 {
		return nil, nil
	}
	channelID := channelHeaderOf(envelopes[0]).GetChannelId()
	return n.pass(ctx, channelID, envelopes, func() error { return order(ctx, n.orderer, envelopes) })
}

// pass has envelopes ordered by a function, and waits for them as Order does.
func (n *Network) pass(ctx context.Context, channelID string, envelopes [][]byte, do func() error) ([]Outcome, error) {
	g := n.gates[channelID]
	if g == nil {
		return nil, errors.Errorf("channel '%s' not found", channelID)
	}
	var expected []*expectation
	defer func() {
		for _, x := range expected {
			x.leave()
		}
	}()
	if err := g.pass(ctx, len(envelopes), func() (err error) {
		if expected, err = expect(n.peers, channelID, envelopes); err != nil {
			return err
		}
		return do()
	}); err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for _, x := range expected {
		o, err := x.wait(ctx)
		if err != nil {
			return nil, &UnknownError{TxID: x.txID, Cause: err}
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

func order(ctx context.Context, by *ordering.Orderer, envelopes [][]byte) error {
	if len(envelopes) == 1 {
		return by.Broadcast(ctx, envelopes[0])
	}
	return by.BroadcastTogether(ctx, envelopes)
}

// expectation is a transaction that all peers of a channel are going to commit.
type expectation struct {
	txID     string
	hash     envelopeHash
	channels []*Channel
	outcomes []<-chan Outcome
	leaves   []func()
}

// expect must be called before the transactions are ordered, so that nothing is missed. After an error, too, those that it returns
// must leave.
func expect(by []*Peer, channelID string, envelopes [][]byte) (all []*expectation, err error) {
	for _, envelope := range envelopes {
		x := &expectation{txID: txIDOf(envelope), hash: sha256.Sum256(envelope)}
		all = append(all, x)
		for _, p := range by {
			if c := p.Channel(channelID); c != nil {
				if err := x.join(c); err != nil {
					return all, err
				}
			}
		}
	}
	return all, nil
}

func (x *expectation) join(c *Channel) error {
	outcome, leave, err := c.waiting.join(x.hash)
	if err != nil {
		return err
	}
	x.channels, x.outcomes, x.leaves = append(x.channels, c), append(x.outcomes, outcome), append(x.leaves, leave)
	return nil
}

func (x *expectation) leave() {
	for _, leave := range x.leaves {
		leave()
	}
}

// wait returns what the first peer says, after all peers have committed. They must say the same.
func (x *expectation) wait(ctx context.Context) (first Outcome, err error) {
	for i := range x.outcomes {
		o, err := x.outcomeOf(ctx, i)
		if err != nil {
			return Outcome{}, err
		}
		if i == 0 {
			first = o
		}
		if o.Code != first.Code {
			return Outcome{}, errors.Errorf("peers disagree about transaction %s in block %d: it is %s at %s, and %s at %s",
				x.txID, o.Block, first.Code, x.channels[0].peer.Name(), o.Code, x.channels[i].peer.Name())
		}
	}
	return first, nil
}

// outcomeOf waits for what a peer says. If that is there, it counts, also if ctx has ended.
func (x *expectation) outcomeOf(ctx context.Context, i int) (Outcome, error) {
	select {
	case o, ok := <-x.outcomes[i]:
		return x.checked(i, o, ok)
	default:
	}
	select {
	case o, ok := <-x.outcomes[i]:
		return x.checked(i, o, ok)
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

func (x *expectation) checked(i int, o Outcome, ok bool) (Outcome, error) {
	if !ok {
		return Outcome{}, x.channels[i].waiting.cause()
	}
	o.TxID = x.txID
	return o, nil
}
