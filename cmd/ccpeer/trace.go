package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// trace writes down the conversations between the peer and its chaincodes, a line for each message. What belongs to transactions it
// learns by intercepting them, so that each answer comes with its question; what doesn't, by observing messages. It is made for one
// call at a time.
type trace struct {
	mu    sync.Mutex
	lines []line
}

var (
	_ handler.RequestInterceptor     = (*trace)(nil).request
	_ handler.TransactionInterceptor = (*trace)(nil).transaction
	_ handler.MessageObserver        = (*trace)(nil)
)

// line is a message.
type line struct {
	depth       int // how many chaincodes wait for this one
	chaincode   string
	toChaincode bool
	typ         pb.ChaincodeMessage_Type
	text        string
}

// hook makes a peer tell of its conversations.
func (t *trace) hook(hooks *handler.Hooks) {
	hooks.Requests = append(hooks.Requests, t.request)
	hooks.Transactions = append(hooks.Transactions, t.transaction)
	hooks.Messages = t
}

// request writes down what chaincode asks, and what it is answered.
func (t *trace) request(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
	question := line{depth: r.Transaction.Depth, chaincode: r.Transaction.Chaincode, typ: r.Type, text: describe(r.Type, r.Payload)}
	t.add(question)
	payload, err := next(ctx)
	answer := line{depth: question.depth, chaincode: question.chaincode, toChaincode: true}
	if err != nil {
		answer.typ, answer.text = pb.ChaincodeMessage_ERROR, shown(err.Error())
	} else {
		answer.typ, answer.text = pb.ChaincodeMessage_RESPONSE, describeAnswer(r.Type, payload)
	}
	t.add(answer)
	return payload, err
}

// transaction writes down what chaincode is called with, and what it replies.
func (t *trace) transaction(ctx context.Context, e handler.Execution, next handler.TransactionFunc) (*pb.ChaincodeMessage, error) {
	l := line{depth: e.Transaction.Depth, chaincode: e.Transaction.Chaincode}
	call := l
	call.toChaincode, call.typ, call.text = true, e.Type, words(e.Input.GetArgs())
	t.add(call)
	reply, err := next(ctx)
	if err == nil {
		l.typ, l.text = reply.Type, describeReply(reply)
		t.add(l)
	}
	return reply, err
}

// Message implements handler.MessageObserver.
func (t *trace) Message(chaincodeID string, d handler.Direction, msg *pb.ChaincodeMessage) {
	switch msg.Type {
	case pb.ChaincodeMessage_REGISTER, pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_READY, pb.ChaincodeMessage_KEEPALIVE:
	default:
		return // is of a transaction
	}
	if chaincodeID == "" { // what registers has no name yet
		chaincodeID = describe(msg.Type, msg.Payload)
	}
	name, _, _ := strings.Cut(chaincodeID, ":")
	t.add(line{chaincode: name, toChaincode: d == handler.Sent, typ: msg.Type, text: describe(msg.Type, msg.Payload)})
}

func (t *trace) add(l line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, l)
}

// take returns the lines since the last call of it.
func (t *trace) take() []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	t.lines = nil
	return lines
}

// printLines draws a conversation: each chaincode in a column of its own, those that are called to the right.
func printLines(w io.Writer, s style, lines []line) {
	name, typ := 0, 0
	for _, l := range lines {
		name, typ = max(name, len(l.chaincode)), max(typ, len(l.typ.String()))
	}
	for _, l := range lines {
		arrow := "→"
		if l.toChaincode {
			arrow = "←"
		}
		text := fmt.Sprintf("%*s%-*s %s %-*s  %s", 4+4*l.depth, "", name, l.chaincode, arrow, typ, l.typ, l.text)
		_, _ = fmt.Fprintln(w, s.dim(strings.TrimRight(text, " ")))
	}
}

// describe says what a message of the chaincode, or one of no transaction, is about.
func describe(typ pb.ChaincodeMessage_Type, payload []byte) string {
	decoded := handler.NewPayload(typ)
	if decoded == nil {
		return ""
	}
	if err := proto.Unmarshal(payload, decoded); err != nil {
		return "unreadable: " + shown(err.Error())
	}
	switch m := decoded.(type) {
	case *pb.ChaincodeID:
		return m.Name
	case *pb.GetState:
		return shown(m.Key)
	case *pb.PutState:
		return shown(abbreviate(m.Key)) + " (" + count(len(m.Value), "byte") + ")"
	case *pb.DelState:
		return shown(m.Key)
	case *pb.GetHistoryForKey:
		return shown(m.Key)
	case *pb.GetStateByRange:
		return "from " + bound(m.StartKey, "the start") + " to " + bound(m.EndKey, "the end")
	case *pb.GetQueryResult:
		return shown(m.Query)
	case *pb.ChaincodeSpec:
		return m.ChaincodeId.GetName() + ": " + words(m.Input.GetArgs())
	default:
		return ""
	}
}

// describeReply says what a COMPLETED or ERROR of a chaincode is about.
func describeReply(msg *pb.ChaincodeMessage) string {
	if msg.Type == pb.ChaincodeMessage_ERROR {
		return shown(string(msg.Payload))
	}
	return in(msg.Payload, describeResponse) + describeEvent(msg.ChaincodeEvent)
}

// describeAnswer says what the payload of a RESPONSE is about, by what was asked.
func describeAnswer(asked pb.ChaincodeMessage_Type, payload []byte) string {
	switch asked {
	case pb.ChaincodeMessage_GET_STATE:
		if len(payload) == 0 {
			return "absent"
		}
		return count(len(payload), "byte")
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT:
		return in(payload, func(m *pb.QueryResponse) string {
			if m.HasMore {
				return count(len(m.Results), "record") + ", and there are more"
			}
			return count(len(m.Results), "record")
		})
	case pb.ChaincodeMessage_INVOKE_CHAINCODE:
		return in(payload, describeReply)
	default:
		return ""
	}
}

func describeResponse(r *pb.Response) string {
	s := strconv.Itoa(int(r.Status))
	if r.Message != "" {
		s += " " + shown(r.Message)
	}
	if len(r.Payload) > 0 {
		s += ", " + count(len(r.Payload), "byte")
	}
	return s
}

func describeEvent(e *pb.ChaincodeEvent) string {
	if e == nil {
		return ""
	}
	return ", event " + shown(e.EventName)
}

// in decodes a payload for what says what is in it.
func in[T any, P interface {
	*T
	proto.Message
}](payload []byte, say func(P) string) string {
	m := P(new(T))
	if err := proto.Unmarshal(payload, m); err != nil {
		return "unreadable: " + shown(err.Error())
	}
	return say(m)
}

// bound is an end of a range. Shims send "\x01" for the first key.
func bound(key, open string) string {
	if key == "" || key == "\x01" {
		return open
	}
	return showKey(key)
}
