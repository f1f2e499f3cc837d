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
	// Args are the arguments, the function's name first by convention. They are only read.
	Args [][]byte
	// Decorations are what the peer adds to the call, by name. They are only read.
	Decorations map[string][]byte
	// IsInit calls Init instead of Invoke.
	IsInit bool
}

// Result is what a chaincode answered.
type Result struct {
	// Status is 200 by convention. One below 400 is a success; from 400 on the transaction has failed and must not be
	// committed: see Err.
	Status  int32
	Message string
	Payload []byte
	// Event is what the chaincode set, or nil.
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
// the status. The chaincode is launched if it isn't running.
//
// Config.Definitions is asked for the chaincode's ID. An init is checked and noted in the state (handler.InitializedKey) as
// Fabric's peer does, so that it happens once for each version; p.Namespace is set to name. Without Definitions the name is
// the chaincode ID: see ExecuteID.
//
// The caller keeps p.Simulation, reads its results after success, and calls its Done in any case. The errors are those of
// ExecuteID, and what keeps the chaincode from being called.
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

// ExecuteID is Execute for the chaincode that registers as chaincodeID, whatever it is called. No Definitions are asked, and
// nothing is checked or noted of an init. Without p.Namespace, the namespace is the part of the ID before the first colon.
//
// The errors are those of Launch and of handler.Handler.Execute. A chaincode that answered with ERROR is a *ChaincodeError.
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

// execute is ExecuteID for a transaction whose caller has been counted.
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

// invoke is execute with messages: typ is INIT or TRANSACTION, and the answer COMPLETED or ERROR. What keeps a chaincode that
// runs from answering is "error sending", as in Fabric.
func (cs *ChaincodeSupport) invoke(ctx context.Context, chaincodeID string, p handler.TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	h, err := cs.launcher.handler(ctx, chaincodeID)
	if err != nil {
		return nil, err
	}
	reply, err := h.Execute(ctx, p, typ, in)
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

// invoker runs chaincode for chaincode. It works while the ChaincodeSupport drains: the calling transaction is one
// that Close waits for.
type invoker struct{ cs *ChaincodeSupport }

var _ handler.Invoker = invoker{}

func (i invoker) Invoke(ctx context.Context, p handler.TxParams, name string, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	p.Namespace = name
	in.Decorations = nil // which are the peer's to make
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
