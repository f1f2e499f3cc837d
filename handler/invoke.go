package handler

import (
	"context"
	"reflect"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// callee is what the name in INVOKE_CHAINCODE says: name[:version][/channel]. The version is obsolete and ignored.
type callee struct{ name, version, channelID string }

func parseCallee(s, callerChannel string) callee {
	name, channelID, _ := strings.Cut(s, "/")
	name, version, _ := strings.Cut(name, ":")
	if channelID == "" {
		channelID = callerChannel
	}
	return callee{name: name, version: version, channelID: channelID}
}

// String returns the callee as Fabric's peer writes it: channel.name#version (core/chaincode, ChaincodeInstance).
func (c callee) String() string {
	s := c.name
	if c.channelID != "" {
		s = c.channelID + "." + s
	}
	if c.version != "" {
		s += "#" + c.version
	}
	return s
}

// invokeChaincode runs another chaincode within the caller's transaction and answers with the callee's whole message.
// On the caller's channel the callee shares the caller's simulator. On another one it gets a simulator of that
// channel, whose writes are not kept.
func (h *Handler) invokeChaincode(ctx context.Context, tx *transactionContext, req *pb.ChaincodeSpec) ([]byte, error) {
	switch {
	case req.ChaincodeId == nil || req.ChaincodeId.Name == "":
		return nil, errors.New("chaincode_id is missing: name the chaincode to call")
	case req.Input == nil:
		return nil, errors.New("input is missing: give the arguments of the call")
	case h.cfg.Invoker == nil:
		return nil, errors.New("execute failed: this peer does not run chaincode for chaincode")
	}
	to := parseCallee(req.ChaincodeId.Name, tx.ChannelID)
	if to.name == "" {
		return nil, errors.Errorf("chaincode_id %s has no name: name the chaincode to call", quoted(req.ChaincodeId.Name))
	}
	if err := h.checkCall(ctx, tx, to); err != nil {
		return nil, err
	}
	p := tx.TxParams
	p.depth++
	p.Namespace = to.name
	if to.channelID != tx.ChannelID {
		p.ChannelID = to.channelID
		var err error
		if p.Simulation, err = h.simulateOn(ctx, to.channelID, tx.TxID); err != nil {
			return nil, err
		}
		defer p.Simulation.Done()
	}
	reply, err := h.cfg.Invoker.Invoke(ctx, p, to.name, req.Input)
	if err != nil {
		return nil, errors.WithMessage(err, "execute failed")
	}
	if reply == nil {
		return nil, errors.Errorf("execute failed: nil response from transaction %s", tx.TxID)
	}
	payload, err := proto.Marshal(reply)
	if err != nil {
		return nil, errors.Wrap(err, "marshal the callee's answer")
	}
	return payload, nil
}

// checkCall returns why the transaction must not call a chaincode, or nil.
func (h *Handler) checkCall(ctx context.Context, tx *transactionContext, to callee) error {
	switch {
	case h.cfg.Builtins.IsBuiltin(to.name):
		return nil
	case tx.Simulation == nil:
		return errors.New(noTransaction)
	case h.cfg.ACL == nil && to.channelID == tx.ChannelID, h.cfg.ACL == ACLProvider(AllowAll{}):
		return nil
	case h.cfg.ACL == nil:
		return errors.Errorf("access denied: this peer has no access control, so that %s must not be called from channel %s", quoted(to.String()), quoted(tx.ChannelID))
	case tx.SignedProposal == nil:
		return errors.Errorf("signed proposal must not be nil from caller [%s]", to)
	}
	return h.cfg.ACL.CheckACL(ctx, ChaincodeToChaincode, to.channelID, tx.SignedProposal)
}

// callsBuiltin says whether a message calls a chaincode of the peer's without naming the caller's channel. It is asked
// by the stream's goroutine, which the hook must not end.
func (h *Handler) callsBuiltin(msg *pb.ChaincodeMessage) (calls bool) {
	defer func() {
		if p := recover(); p != nil {
			h.logPanic(msg.Txid, p)
			calls = false
		}
	}()
	spec := new(pb.ChaincodeSpec)
	return needsNoSimulator(msg) && proto.Unmarshal(msg.Payload, spec) == nil &&
		h.cfg.Builtins.IsBuiltin(parseCallee(spec.GetChaincodeId().GetName(), "").name)
}

// simulateOn opens a simulator on another channel.
func (h *Handler) simulateOn(ctx context.Context, channelID, txID string) (*Simulation, error) {
	if h.cfg.Ledgers == nil {
		return nil, errors.Errorf("failed to find ledger for channel: %s", channelID)
	}
	l := h.cfg.Ledgers(channelID)
	if v := reflect.ValueOf(l); l == nil || v.Kind() == reflect.Pointer && v.IsNil() { // as a map of pointers has it
		return nil, errors.Errorf("failed to find ledger for channel: %s", channelID)
	}
	sim, err := l.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	if sim == nil {
		return nil, errors.Errorf("ledger of channel %s returned no simulator", channelID)
	}
	return NewSimulation(sim), nil
}
