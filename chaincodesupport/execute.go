package chaincodesupport

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Input is what a chaincode is called with.
type Input struct {
	// Args are the arguments. By convention the first one is the function's name. They are only read.
	Args [][]byte
	// Decorations are what the peer adds to the call, by name. They are only read.
	Decorations map[string][]byte
	// IsInit calls Init instead of Invoke.
	IsInit bool
}

// Result is what a chaincode answered.
type Result struct {
	// Status is 200 by convention. Below 400 the transaction has succeeded. From 400 on it has failed and must not be
	// committed, and Err returns an error.
	Status  int32
	Message string
	Payload []byte
	// Event is the event that the chaincode set, or nil.
	Event *Event
}

// Err returns nil for a success, and otherwise a *StatusError.
func (r *Result) Err() error {
	if r.Status < failed {
		return nil
	}
	return &StatusError{Status: r.Status, Message: r.Message}
}

// failed is the lowest status of a transaction that must not be committed (Fabric: shim.ERRORTHRESHOLD).
const failed = 400

// Event is an event that a chaincode set.
type Event struct {
	Chaincode string // the name under which the chaincode ran
	TxID      string
	Name      string
	Payload   []byte
}

// Execute runs one transaction on the chaincode that is called name on p.ChannelID, and returns what it answered, whatever
// the status. It launches the chaincode if that isn't running.
//
// Config.Definitions is asked for the chaincode's ID, and p.Namespace is set to name. As Fabric's peer does, Execute checks
// an init, and notes it in the state (handler.InitializedKey), so that it happens once for each version. Without Definitions
// the name is the chaincode ID, and Execute does what ExecuteID does.
//
// The caller keeps p.Simulation. It reads the simulation's results after success, and calls its Done in any case. The errors
// are those of ExecuteID, and those that say why the chaincode may not be called.
func (cs *ChaincodeSupport) Execute(ctx context.Context, name string, p handler.TxParams, in Input) (_ *Result, err error) {
	if err := cs.life.enter(); err != nil {
		return nil, executionError(p, err)
	}
	defer cs.life.leave()
	defer cs.log.confine(&err)
	chaincodeID := name
	if !namesAreIDs(cs.cfg.Definitions) {
		p.Namespace = name
		if chaincodeID, err = cs.policies.awaitCheck(ctx, p, in.IsInit); err != nil {
			return nil, executionError(p, err)
		}
	}
	return cs.execute(ctx, chaincodeID, p, in)
}

// ExecuteID runs one transaction on the chaincode that registers as chaincodeID, whatever it is called. It asks no
// Definitions, and neither checks nor notes an init. If p.Namespace is empty, the namespace is the part of the ID before the
// first colon.
//
// The errors are those of Launch and of handler.Handler.Execute. If the chaincode answers with ERROR, the error is a
// *ChaincodeError. If its stream ends, and the reason is known or becomes known within a moment, the error is a
// *TerminatedError.
func (cs *ChaincodeSupport) ExecuteID(ctx context.Context, chaincodeID string, p handler.TxParams, in Input) (_ *Result, err error) {
	if err := cs.life.enter(); err != nil {
		return nil, executionError(p, err)
	}
	defer cs.life.leave()
	defer cs.log.confine(&err)
	return cs.execute(ctx, chaincodeID, p, in)
}

func executionError(p handler.TxParams, err error) error {
	return errors.WithMessagef(err, "failed to execute transaction %s", p.TxID)
}

// execute does what ExecuteID does, for a transaction whose caller has been counted.
func (cs *ChaincodeSupport) execute(ctx context.Context, chaincodeID string, p handler.TxParams, in Input) (*Result, error) {
	if len(cs.cfg.Decorators) > 0 {
		var err error
		if in.Decorations, err = cs.policies.decorate(ctx, p, in); err != nil {
			return nil, executionError(p, err)
		}
	}
	typ := pb.ChaincodeMessage_TRANSACTION
	if in.IsInit {
		typ = pb.ChaincodeMessage_INIT
	}
	input, ok := cs.inputs.Get().(*pb.ChaincodeInput)
	if !ok {
		input = new(pb.ChaincodeInput)
	}
	input.Args, input.Decorations, input.IsInit = in.Args, in.Decorations, in.IsInit
	reply, err := cs.invoke(ctx, chaincodeID, p, typ, input)
	input.Reset()
	cs.inputs.Put(input)
	if err != nil {
		return nil, executionError(p, err)
	}
	return resultOf(reply, p.TxID)
}

// invoke does what execute does, but in messages: typ is INIT or TRANSACTION, and the answer COMPLETED or ERROR. If a
// chaincode runs but can't answer, the error is "error sending", as in Fabric.
func (cs *ChaincodeSupport) invoke(ctx context.Context, chaincodeID string, p handler.TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	run, h, err := cs.launcher.handler(ctx, chaincodeID)
	if err != nil {
		return nil, err
	}
	reply, err := h.Execute(ctx, p, typ, in)
	if err != nil && errors.Is(err, handler.ErrStreamTerminated) {
		err = run.whyTerminated(ctx, err)
	}
	return reply, errors.WithMessage(err, "error sending")
}

func resultOf(reply *pb.ChaincodeMessage, txID string) (*Result, error) {
	switch {
	case reply == nil:
		return nil, errors.Errorf("nil response from transaction %s", txID)
	case reply.Type == pb.ChaincodeMessage_ERROR:
		return nil, &ChaincodeError{Text: string(reply.Payload)}
	case reply.Type != pb.ChaincodeMessage_COMPLETED:
		return nil, errors.Errorf("unexpected response type %d for transaction %s", reply.Type, txID)
	}
	var r struct { // one allocation
		result   Result
		response pb.Response
	}
	if err := proto.Unmarshal(reply.Payload, &r.response); err != nil {
		return nil, errors.Wrapf(err, "failed to unmarshal response for transaction %s", txID)
	}
	result := &r.result
	result.Status, result.Message, result.Payload = r.response.Status, r.response.Message, r.response.Payload
	if e := reply.ChaincodeEvent; e != nil {
		result.Event = &Event{Chaincode: e.ChaincodeId, TxID: e.TxId, Name: e.EventName, Payload: e.Payload}
	}
	return result, nil
}

// invoker runs chaincode for chaincode. It works also while the ChaincodeSupport is closing, because Close waits for the
// calling transaction.
type invoker struct{ cs *ChaincodeSupport }

var _ handler.Invoker = invoker{}

func (i invoker) Invoke(ctx context.Context, p handler.TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	p.Namespace = name
	in.Decorations = nil // it is the peer that makes these
	chaincodeID, err := i.cs.policies.checkInvocation(ctx, p, in.IsInit)
	if err != nil {
		return nil, err
	}
	typ := pb.ChaincodeMessage_TRANSACTION
	if in.IsInit {
		typ = pb.ChaincodeMessage_INIT
	}
	return i.cs.invoke(ctx, chaincodeID, p, typ, in)
}
