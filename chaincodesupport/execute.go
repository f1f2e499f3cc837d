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

// Err returns nil for a success, and otherwise an error that says with which status and message the chaincode failed.
func (r *Result) Err() error {
	if r.Status < failed {
		return nil
	}
	return errors.Errorf("chaincode failed with status %d: %s", r.Status, r.Message)
}

// failed is the lowest status of a transaction that must not be committed (Fabric: shim.ERRORTHRESHOLD).
const failed = 400

// Event is an event that a chaincode set.
type Event struct {
	ChaincodeID string // the name under which the chaincode ran
	TxID        string
	Name        string
	Payload     []byte
}

// Execute runs one transaction on a chaincode, which is launched if it isn't running, and returns what it answered,
// whatever the status. It knows the chaincode by its ID and asks no Definitions: see Call. Errors are those of Launch and
// handler.Handler.Execute, and the texts of Fabric's peer when the chaincode answered with an error or with something that
// is not a Response. The caller keeps p.Simulation, reads its results after success, and calls its Done in any case.
func (cs *ChaincodeSupport) Execute(ctx context.Context, chaincodeID string, p handler.TxParams, in Input) (_ *Result, err error) {
	if err := cs.begin(); err != nil {
		return nil, executionError(p, err)
	}
	defer cs.executing.Done()
	defer cs.confine(&err)
	return cs.execute(ctx, chaincodeID, p, in)
}

func executionError(p handler.TxParams, err error) error {
	return errors.WithMessagef(err, "failed to execute transaction %s", p.TxID)
}

// execute is Execute for a transaction that has been counted.
func (cs *ChaincodeSupport) execute(ctx context.Context, chaincodeID string, p handler.TxParams, in Input) (*Result, error) {
	if len(cs.cfg.Decorators) > 0 {
		var err error
		if in.Decorations, err = cs.decorate(ctx, p, in); err != nil {
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

// Invoke is Execute, but with messages: typ is INIT or TRANSACTION, and the answer COMPLETED or ERROR.
func (cs *ChaincodeSupport) Invoke(ctx context.Context, chaincodeID string, p handler.TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (_ *pb.ChaincodeMessage, err error) {
	if err := cs.begin(); err != nil {
		return nil, err
	}
	defer cs.executing.Done()
	defer cs.confine(&err)
	return cs.invoke(ctx, chaincodeID, p, typ, in)
}

// invoke is Invoke for a transaction that has been counted. What keeps a chaincode that runs from answering is "error
// sending", as in Fabric.
func (cs *ChaincodeSupport) invoke(ctx context.Context, chaincodeID string, p handler.TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	h, err := cs.handler(ctx, chaincodeID)
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
		return nil, errors.Errorf("transaction returned with failure: %s", reply.Payload)
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
		result.Event = &Event{ChaincodeID: e.ChaincodeId, TxID: e.TxId, Name: e.EventName, Payload: e.Payload}
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
	chaincodeID, err := i.cs.checkInvocation(ctx, p, in.IsInit)
	if err != nil {
		return nil, err
	}
	typ := pb.ChaincodeMessage_TRANSACTION
	if in.IsInit {
		typ = pb.ChaincodeMessage_INIT
	}
	return i.cs.invoke(ctx, chaincodeID, p, typ, in)
}
