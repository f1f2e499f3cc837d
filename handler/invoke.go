package handler

import (
	"context"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// callee is what the name in INVOKE_CHAINCODE says: name[:version][/channel]. The version is obsolete and ignored.
type callee struct{ name, channelID string }

func parseCallee(s, callerChannel string) callee {
	name, channelID, _ := strings.Cut(s, "/")
	name, _, _ = strings.Cut(name, ":")
	if channelID == "" {
		channelID = callerChannel
	}
	return callee{name: name, channelID: channelID}
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

// simulateOn opens a simulator on another channel.
func (h *Handler) simulateOn(ctx context.Context, channelID, txID string) (*Simulation, error) {
	if h.cfg.Ledgers == nil {
		return nil, errors.Errorf("failed to find ledger for channel: %s", channelID)
	}
	l := h.cfg.Ledgers(channelID)
	if l == nil {
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
