package main

import (
	"context"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
)

// defaultClient is whose calls are that don't say whose they are.
const defaultClient = "client"

// invoke has a transaction endorsed, ordered and committed.
func (n *node) invoke(ctx context.Context, c call) (*answer, error) {
	who, call, err := n.propose(c)
	if err != nil {
		return nil, err
	}
	committed, err := n.network.Submit(ctx, who, call)
	var invalid *peer.InvalidError
	if err != nil && !errors.As(err, &invalid) {
		return answerOf(nil, err)
	}
	a, _ := answerOf(&committed.Result, nil) // without an error there is none
	a.Code = committed.Outcome.Code.String()
	if reason := committed.Outcome.Reason; reason != nil {
		a.Reason = reason.Error()
	}
	return a, nil
}

// query runs a transaction, and commits nothing.
func (n *node) query(ctx context.Context, c call) (*answer, error) {
	who, call, err := n.propose(c)
	if err != nil {
		return nil, err
	}
	return answerOf(n.network.Evaluate(ctx, who, call))
}

// answerOf is what a client is told. That a chaincode has refused is an answer.
func answerOf(r *peer.Result, err error) (*answer, error) {
	var (
		refused *peer.RefusedError
		broken  *peer.ProposalError
	)
	switch {
	case errors.As(err, &refused):
		r = &refused.Result
	case errors.As(err, &broken) && broken.Cause != nil:
		return nil, withoutPrefix(broken.Cause)
	case err != nil:
		return nil, err
	}
	return &answer{TxID: r.TxID, Status: r.Status, Message: r.Message, Payload: r.Payload}, nil
}

// withoutPrefix is an endorser's error without the words that tell clients of other machines that it is one.
func withoutPrefix(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "error in simulation: ") {
		return inner
	}
	return err
}

// propose returns who makes a call, and the call, if the peer has what it needs.
func (n *node) propose(c call) (*identity.Identity, peer.Call, error) {
	call := peer.Call{Channel: c.Channel, Chaincode: c.Chaincode, Args: c.Args, Transient: c.Transient, Init: c.IsInit}
	if _, err := n.channel(c.Channel); err != nil {
		return nil, call, err
	}
	if _, err := n.chaincodeID(c.Chaincode); err != nil {
		return nil, call, err
	}
	name, msp, err := n.cfg.memberNamed(c.As, defaultClient)
	if err != nil {
		return nil, call, err
	}
	who, err := n.network.Client(name+"@"+msp, c.Attributes)
	return who, call, err
}

// maxClient is how many characters the name of a client may have: a certificate has no room for more.
const maxClient = 64

// checkClient looks at the name of a client, which becomes that of a folder, and the common name of a certificate.
func checkClient(name string) error {
	if name == "" || len(name) > maxClient || strings.Contains(name, "@") || !isText(name) {
		return errors.Errorf("%s is no name of a client: want 1 to %d characters, and none of them @", quote(name), maxClient)
	}
	return nil
}

// valid says whether a transaction has changed the state.
func (a *answer) valid() bool { return a.Code == kvledger.Valid.String() }
