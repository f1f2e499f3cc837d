package handler

import (
	"context"
	"slices"
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

// invokeChaincode runs another chaincode within the caller's transaction, and answers with the callee's whole message. On
// the caller's channel the callee shares the caller's simulator. On another channel it gets a simulator of that channel,
// whose writes are not kept.
func (w *worker) invokeChaincode(ctx context.Context, req *pb.ChaincodeSpec) ([]byte, error) {
	switch {
	case req.ChaincodeId == nil || req.ChaincodeId.Name == "":
		return nil, errors.New("chaincode_id is missing: name the chaincode to call")
	case req.Input == nil:
		return nil, errors.New("input is missing: give the arguments of the call")
	case w.cfg.Invoker == nil:
		return nil, errors.New("execute failed: this peer does not run chaincode for chaincode")
	}
	to := parseCallee(req.ChaincodeId.Name, w.tx.ChannelID)
	if to.name == "" {
		return nil, errors.Errorf("chaincode_id %s has no name: name the chaincode to call", quoted(req.ChaincodeId.Name))
	}
	if err := w.may.checkCall(ctx, to); err != nil {
		return nil, err
	}
	p := w.tx.TxParams
	p.depth++
	p.Namespace = to.name
	if to.channelID != w.tx.ChannelID {
		p.ChannelID = to.channelID
		var err error
		if p.Simulation, err = w.simulateOn(ctx, to.channelID, w.tx.TxID); err != nil {
			return nil, err
		}
		defer p.Simulation.Done()
	}
	reply, err := w.cfg.Invoker.Invoke(ctx, p, to.name, req.Input)
	req.Input = nil // while the answer waits, it is what the transaction keeps, and not the input
	if err != nil {
		return nil, errors.WithMessage(err, "execute failed")
	}
	if reply == nil {
		return nil, errors.Errorf("execute failed: nil response from transaction %s", w.tx.TxID)
	}
	// The answer takes its room before it is encoded. Until then the reply is what the transaction keeps.
	size := proto.Size(reply)
	if err := w.call.resize("the answer of a call", size+w.encoded); err != nil {
		return nil, err
	}
	w.room.begin()
	if err := w.room.Reserve(ctx, size); err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(reply)
	if err != nil {
		return nil, errors.Wrap(err, "marshal the callee's answer")
	}
	return payload, nil
}

// errNoContext is the answer to a call of the peer's own chaincode that belongs to no transaction.
var errNoContext = errors.New("failed to get transaction context")

// callsBuiltin reports whether a message calls a chaincode of the peer's own without naming the caller's channel.
func callsBuiltin(builtins []string, msg *pb.ChaincodeMessage) bool {
	spec := new(pb.ChaincodeSpec)
	return needsNoSimulator(msg) && proto.Unmarshal(msg.Payload, spec) == nil &&
		slices.Contains(builtins, parseCallee(spec.GetChaincodeId().GetName(), "").name)
}

// simulateOn opens a simulator on another channel.
func (ws *workshop) simulateOn(ctx context.Context, channelID, txID string) (*Simulation, error) {
	notFound := "failed to find ledger for channel: " + channelID
	if ws.cfg.Ledgers == nil {
		return nil, errors.New(notFound)
	}
	l, err := ws.cfg.Ledgers.Ledger(ctx, channelID)
	switch {
	case err != nil:
		return nil, ofChannel(err, notFound)
	case l == nil:
		return nil, errors.New(notFound)
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
