package handler

import (
	"context"
	"sync"

	"github.com/looplab/fsm"
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// The states of a stream, from the peer's side.
const (
	// Created is where a stream starts: only REGISTER is accepted.
	Created = "created"
	// Established follows an accepted REGISTER: until READY has been sent, nothing but
	// keepalives is.
	Established = "established"
	// Ready is where transactions run.
	Ready = "ready"
	// End is where the stream has ended, for whatever reason.
	End = "end"
)

// endEvent leads from every state to End. It is the only event that is no message.
const endEvent = "END"

// Party is a side of the stream.
type Party uint8

// The two sides. A row of the table names the side, or both, that may send a message.
const (
	FromChaincode Party = 1 << iota
	FromPeer
	fromEither = FromChaincode | FromPeer
)

// String returns who the party is.
func (p Party) String() string {
	switch p {
	case FromChaincode:
		return "chaincode"
	case FromPeer:
		return "peer"
	case fromEither:
		return "either"
	default:
		return "nobody"
	}
}

// row is what there is to know of one message type. The state machine, the dispatch and the state diagram are all
// made from the rows, so that a new type of message is one more row and one more method.
type row struct {
	typ pb.ChaincodeMessage_Type
	// from says who may send it.
	from Party
	// in are the states in which it is accepted.
	in []string
	// to is the state it leads to; "" stays.
	to string
	// handle, where the message is not a request, acts on one that the chaincode sent. It runs in the stream's
	// goroutine, before the state changes, and does not block; an error ends the stream.
	handle func(*Handler, *pb.ChaincodeMessage) error
	// request, where the message is one, is how it is served.
	request *request

	event string // the name of typ, which is the name of its event
}

// request is how a request of chaincode is served, by the worker of its transaction.
type request struct {
	// serve decodes the payload and answers it.
	serve func(h *Handler, ctx context.Context, tx *transactionContext, payload []byte) ([]byte, error)
	// kind tells reads, whose answers go straight to the writer, from what makes the transaction busy and answers
	// through nextState.
	kind kind
	// noContext is the cause given for a transaction that is unknown or has no simulator.
	noContext string
}

type kind uint8

const (
	read kind = iota
	write
	call
)

// rows is the protocol. Every ChaincodeMessage_Type has a row or is refused in every state.
var rows = []row{
	{typ: pb.ChaincodeMessage_REGISTER, from: FromChaincode, in: in(Created), to: Established, handle: (*Handler).register},
	{typ: pb.ChaincodeMessage_REGISTERED, from: FromPeer, in: in(Established)},
	{typ: pb.ChaincodeMessage_READY, from: FromPeer, in: in(Established), to: Ready},
	{typ: pb.ChaincodeMessage_KEEPALIVE, from: fromEither, in: in(Established, Ready), handle: (*Handler).keepaliveEcho},

	{typ: pb.ChaincodeMessage_INIT, from: FromPeer, in: in(Ready)},
	{typ: pb.ChaincodeMessage_TRANSACTION, from: FromPeer, in: in(Ready)},
	{typ: pb.ChaincodeMessage_COMPLETED, from: FromChaincode, in: in(Ready), handle: (*Handler).complete},
	{typ: pb.ChaincodeMessage_ERROR, from: fromEither, in: in(Ready), handle: (*Handler).complete},
	{typ: pb.ChaincodeMessage_RESPONSE, from: FromPeer, in: in(Ready)},

	reads(pb.ChaincodeMessage_GET_STATE, (*Handler).getState),
	reads(pb.ChaincodeMessage_GET_STATE_MULTIPLE, (*Handler).getStateMultiple),
	reads(pb.ChaincodeMessage_GET_STATE_METADATA, (*Handler).getStateMetadata),
	reads(pb.ChaincodeMessage_GET_PRIVATE_DATA_HASH, (*Handler).getPrivateDataHash),
	reads(pb.ChaincodeMessage_GET_STATE_BY_RANGE, (*Handler).getStateByRange),
	reads(pb.ChaincodeMessage_GET_QUERY_RESULT, (*Handler).getQueryResult),
	reads(pb.ChaincodeMessage_GET_HISTORY_FOR_KEY, (*Handler).getHistoryForKey),
	reads(pb.ChaincodeMessage_QUERY_STATE_NEXT, (*Handler).queryStateNext),
	reads(pb.ChaincodeMessage_QUERY_STATE_CLOSE, (*Handler).queryStateClose),

	writes(pb.ChaincodeMessage_PUT_STATE, (*Handler).putState),
	writes(pb.ChaincodeMessage_DEL_STATE, (*Handler).delState),
	writes(pb.ChaincodeMessage_PUT_STATE_METADATA, (*Handler).putStateMetadata),
	writes(pb.ChaincodeMessage_PURGE_PRIVATE_DATA, (*Handler).purgePrivateData),
	writes(pb.ChaincodeMessage_WRITE_BATCH_STATE, (*Handler).writeBatch),
	calls(pb.ChaincodeMessage_INVOKE_CHAINCODE, (*Handler).invokeChaincode),
}

func in(states ...string) []string { return states }

// message is a pointer to a request's payload type T.
type message[T any] interface {
	*T
	proto.Message
}

// serveFunc is a request's method: what it answers is the RESPONSE's payload. It does not keep req, which is used again;
// what req points to is its own.
type serveFunc[P any] func(h *Handler, ctx context.Context, tx *transactionContext, req P) ([]byte, error)

// noTransaction is what a call is answered with that comes from no transaction, or from one without a simulator.
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
	run := func(h *Handler, ctx context.Context, tx *transactionContext, payload []byte) ([]byte, error) {
		req := decoded.Get().(P)
		if err := proto.Unmarshal(payload, req); err != nil { // which empties req first
			return nil, errors.Wrap(err, "unmarshal failed")
		}
		answer, err := serve(h, ctx, tx, req)
		if k != call { // a callee may still hold it
			proto.Reset(req)
			decoded.Put(req)
		}
		return answer, err
	}
	return row{typ: typ, from: FromChaincode, in: in(Ready), request: &request{serve: run, kind: k, noContext: noContext}}
}

// table is the protocol compiled: rows by message number, and the events of a state machine.
type table struct {
	rows   []*row
	events fsm.Events
}

func compile(rows []row) table {
	t := table{events: fsm.Events{{Name: endEvent, Src: in(Created, Established, Ready), Dst: End}}}
	for _, r := range rows {
		r.event = r.typ.String()
		for int(r.typ) >= len(t.rows) {
			t.rows = append(t.rows, nil)
		}
		t.rows[r.typ] = &r
		if r.to != "" {
			t.events = append(t.events, fsm.EventDesc{Name: r.event, Src: r.in, Dst: r.to})
			continue
		}
		for _, s := range r.in {
			t.events = append(t.events, fsm.EventDesc{Name: r.event, Src: in(s), Dst: s})
		}
	}
	return t
}

// row returns the row of a message type, or nil if the protocol has none.
func (t table) row(typ pb.ChaincodeMessage_Type) *row {
	if typ < 0 || int(typ) >= len(t.rows) {
		return nil
	}
	return t.rows[typ]
}
