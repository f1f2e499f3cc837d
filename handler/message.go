package handler

import (
	"context"
	"sync"

	"github.com/looplab/fsm"
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// State is where a stream is in its life, seen from the peer.
type State string

// The states of a stream.
const (
	// Created is the state in which a stream starts: only REGISTER is accepted.
	Created State = "created"
	// Established is the state after REGISTER was accepted. Until READY is on its way, only keepalives are accepted.
	Established State = "established"
	// Ready is the state in which transactions run.
	Ready State = "ready"
	// End is the state of a stream that has ended, for whatever reason.
	End State = "end"
)

// endEvent leads from every state to End. It is the only event that is not a message.
const endEvent = "END"

// Direction is which way a message goes, as the peer sees it.
type Direction uint8

// The two directions. A row of the table names the direction in which its message may go, or both.
const (
	// Received is a message of the chaincode.
	Received Direction = 1 << iota
	// Sent is a message of the peer.
	Sent
	eitherWay = Received | Sent
)

// String returns the direction in one word.
func (d Direction) String() string {
	switch d {
	case Received:
		return "received"
	case Sent:
		return "sent"
	case eitherWay:
		return "either way"
	default:
		return "neither way"
	}
}

// row is everything there is to know of one message type. The state machine, the dispatch and the state diagram are all made
// from the rows. A new type of message is one more row and one more method.
type row struct {
	typ pb.ChaincodeMessage_Type
	// way is the direction in which it may go.
	way Direction
	// in are the states in which it is accepted.
	in []State
	// to is the state that it leads to. "": the state stays.
	to State
	// payload returns an empty message of the type that its payload has. Nil: it has no payload, or one whose type depends
	// on what it answers.
	payload func() proto.Message
	// handle acts on a message of the chaincode that is not a request. It runs in the loop before the state changes, and
	// does not block. An error ends the stream.
	handle func(*loop, received) error
	// request says how the message is served, if it is a request.
	request *request

	event string // the name of typ, and of the state machine's event
}

// request says how the worker of a transaction serves a request of chaincode.
type request struct {
	// serve decodes the payload, waits until no other operation of the simulator runs, and returns the answer.
	serve func(w *worker, ctx context.Context, payload []byte) ([]byte, error)
	// kind tells two kinds of request apart. The answers to reads go straight to the sender. The others make the transaction
	// busy, and their answers go through nextState.
	kind kind
	// noContext is the reason given for a transaction that is unknown or has no simulator.
	noContext string
}

type kind uint8

const (
	read kind = iota
	write
	call
)

// rows are the protocol. A message type without a row is refused in every state.
var rows = []row{
	{typ: pb.ChaincodeMessage_REGISTER, way: Received, in: in(Created), to: Established, payload: of[pb.ChaincodeID], handle: (*loop).register},
	{typ: pb.ChaincodeMessage_REGISTERED, way: Sent, in: in(Established)},
	{typ: pb.ChaincodeMessage_READY, way: Sent, in: in(Established), to: Ready, payload: of[pb.ChaincodeAdditionalParams]},
	{typ: pb.ChaincodeMessage_KEEPALIVE, way: eitherWay, in: in(Established, Ready), handle: (*loop).keepaliveEcho},

	{typ: pb.ChaincodeMessage_INIT, way: Sent, in: in(Ready), payload: of[pb.ChaincodeInput]},
	{typ: pb.ChaincodeMessage_TRANSACTION, way: Sent, in: in(Ready), payload: of[pb.ChaincodeInput]},
	{typ: pb.ChaincodeMessage_COMPLETED, way: Received, in: in(Ready), payload: of[pb.Response], handle: (*loop).complete},
	{typ: pb.ChaincodeMessage_ERROR, way: eitherWay, in: in(Ready), handle: (*loop).complete},
	{typ: pb.ChaincodeMessage_RESPONSE, way: Sent, in: in(Ready)},

	reads(pb.ChaincodeMessage_GET_STATE, (*worker).getState),
	reads(pb.ChaincodeMessage_GET_STATE_MULTIPLE, (*worker).getStateMultiple),
	reads(pb.ChaincodeMessage_GET_STATE_METADATA, (*worker).getStateMetadata),
	reads(pb.ChaincodeMessage_GET_PRIVATE_DATA_HASH, (*worker).getPrivateDataHash),
	reads(pb.ChaincodeMessage_GET_STATE_BY_RANGE, (*worker).getStateByRange),
	reads(pb.ChaincodeMessage_GET_QUERY_RESULT, (*worker).getQueryResult),
	reads(pb.ChaincodeMessage_GET_HISTORY_FOR_KEY, (*worker).getHistoryForKey),
	reads(pb.ChaincodeMessage_QUERY_STATE_NEXT, (*worker).queryStateNext),
	reads(pb.ChaincodeMessage_QUERY_STATE_CLOSE, (*worker).queryStateClose),

	writes(pb.ChaincodeMessage_PUT_STATE, (*worker).putState),
	writes(pb.ChaincodeMessage_DEL_STATE, (*worker).delState),
	writes(pb.ChaincodeMessage_PUT_STATE_METADATA, (*worker).putStateMetadata),
	writes(pb.ChaincodeMessage_PURGE_PRIVATE_DATA, (*worker).purgePrivateData),
	writes(pb.ChaincodeMessage_WRITE_BATCH_STATE, (*worker).writeBatch),
	calls(pb.ChaincodeMessage_INVOKE_CHAINCODE, (*worker).invokeChaincode),
}

func in(states ...State) []State { return states }

// of returns an empty message of a type.
func of[T any, P message[T]]() proto.Message { return P(new(T)) }

// message is a pointer to a request's payload type T.
type message[T any] interface {
	*T
	proto.Message
}

// serveFunc is a worker's method that serves a request. What it returns is the RESPONSE's payload. It must not keep req,
// which is used again. It may keep what req points to.
type serveFunc[P any] func(w *worker, ctx context.Context, req P) ([]byte, error)

// noTransaction is the answer to a call that belongs to no transaction, or to one without a simulator.
const noTransaction = "could not get valid transaction"

func reads[T any, P message[T]](typ pb.ChaincodeMessage_Type, serve serveFunc[P]) row {
	return requestRow[T](typ, read, "no ledger context", serve)
}

func writes[T any, P message[T]](typ pb.ChaincodeMessage_Type, serve serveFunc[P]) row {
	return requestRow[T](typ, write, "no ledger context", serve)
}

func calls[T any, P message[T]](typ pb.ChaincodeMessage_Type, serve serveFunc[P]) row {
	return requestRow[T](typ, call, noTransaction, serve)
}

func requestRow[T any, P message[T]](typ pb.ChaincodeMessage_Type, k kind, noContext string, serve serveFunc[P]) row {
	decoded := sync.Pool{New: func() any { return P(new(T)) }}
	run := func(w *worker, ctx context.Context, payload []byte) ([]byte, error) {
		if k == call { // meanwhile a callee uses the simulator
			if err := w.tx.trust.err(); err != nil {
				return nil, err
			}
		} else {
			if err := w.tx.Simulation.begin(ctx); err != nil {
				return nil, err
			}
			defer w.tx.Simulation.end()
		}
		req := decoded.Get().(P)
		if err := proto.Unmarshal(payload, req); err != nil { // Unmarshal empties req first
			return nil, errors.Wrap(err, "unmarshal failed")
		}
		answer, err := serve(w, ctx, req)
		if k != call { // a callee may still hold it
			proto.Reset(req)
			decoded.Put(req)
		}
		return answer, err
	}
	return row{typ: typ, way: Received, in: in(Ready), payload: of[T, P], request: &request{serve: run, kind: k, noContext: noContext}}
}

// table is the protocol in a form for looking things up: rows by message number, and the events of the state machine.
type table struct {
	rows   []*row
	events fsm.Events
}

// protocol is the table in which everything is looked up.
var protocol = compile(rows)

func compile(rows []row) table {
	t := table{events: fsm.Events{{Name: endEvent, Src: names(in(Created, Established, Ready)), Dst: string(End)}}}
	for _, r := range rows {
		r.event = r.typ.String()
		for int(r.typ) >= len(t.rows) {
			t.rows = append(t.rows, nil)
		}
		t.rows[r.typ] = &r
		if r.to != "" {
			t.events = append(t.events, fsm.EventDesc{Name: r.event, Src: names(r.in), Dst: string(r.to)})
			continue
		}
		for _, s := range r.in {
			t.events = append(t.events, fsm.EventDesc{Name: r.event, Src: names(in(s)), Dst: string(s)})
		}
	}
	return t
}

// names returns states in the form that the state machine wants.
func names(states []State) []string {
	var all []string
	for _, s := range states {
		all = append(all, string(s))
	}
	return all
}

// row returns the row of a message type, or nil if the protocol has none.
func (t table) row(typ pb.ChaincodeMessage_Type) *row {
	if typ < 0 || int(typ) >= len(t.rows) {
		return nil
	}
	return t.rows[typ]
}

// NewPayload returns an empty message of the type that the payload of a typ message decodes to. It returns nil if there is
// no such type. That is so for a message without a payload, for ERROR, whose payload is text, and for RESPONSE, whose
// payload depends on the request.
func NewPayload(typ pb.ChaincodeMessage_Type) proto.Message {
	if r := protocol.row(typ); r != nil && r.payload != nil {
		return r.payload()
	}
	return nil
}
