package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// trace writes down the conversations between the peer and its chaincodes, a line for each message. It is made for one
// call at a time: what a chaincode says while another one waits for its answer is then part of the same call.
type trace struct {
	mu sync.Mutex
	// asked has an element for each chaincode that runs, the callers first: the type of the last message of either side,
	// which is the question when an answer comes.
	asked []pb.ChaincodeMessage_Type
	lines []line
}

var _ handler.Observer = (*trace)(nil)

// line is a message.
type line struct {
	depth       int // how many chaincodes wait for this one
	chaincode   string
	toChaincode bool
	typ         string
	text        string
}

// Message implements handler.Observer.
func (t *trace) Message(chaincodeID string, from handler.Party, msg *pb.ChaincodeMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if chaincodeID == "" { // what registers has no name yet
		chaincodeID = registering(msg)
	}
	name, _, _ := strings.Cut(chaincodeID, ":")
	if begins(msg) {
		t.asked = append(t.asked, msg.Type)
	}
	l := line{chaincode: name, toChaincode: from == handler.FromPeer, typ: msg.Type.String()}
	if last := len(t.asked) - 1; last >= 0 {
		l.depth, l.text = last, describe(msg, t.asked[last])
		t.asked[last] = msg.Type
	} else {
		l.text = describe(msg, msg.Type)
	}
	t.lines = append(t.lines, l)
	if ends(from, msg) && len(t.asked) > 0 {
		t.asked = t.asked[:len(t.asked)-1]
	}
}

// begins says whether a message is the first one of a transaction.
func begins(msg *pb.ChaincodeMessage) bool {
	return msg.Type == pb.ChaincodeMessage_INIT || msg.Type == pb.ChaincodeMessage_TRANSACTION
}

// ends says whether a message is the last one of a transaction.
func ends(from handler.Party, msg *pb.ChaincodeMessage) bool {
	return from == handler.FromChaincode &&
		(msg.Type == pb.ChaincodeMessage_COMPLETED || msg.Type == pb.ChaincodeMessage_ERROR)
}

// Fault implements handler.Observer. A fault is logged; there is nothing to draw.
func (t *trace) Fault(handler.Fault) {}

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
		name, typ = max(name, len(l.chaincode)), max(typ, len(l.typ))
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

// registering returns the chaincode ID in a REGISTER.
func registering(msg *pb.ChaincodeMessage) string {
	var id pb.ChaincodeID
	if msg.Type != pb.ChaincodeMessage_REGISTER || proto.Unmarshal(msg.Payload, &id) != nil {
		return ""
	}
	return id.Name
}

// describe says what is in a message. For an answer, asked is the type of the question.
func describe(msg *pb.ChaincodeMessage, asked pb.ChaincodeMessage_Type) string {
	switch msg.Type {
	case pb.ChaincodeMessage_REGISTER:
		return registering(msg)
	case pb.ChaincodeMessage_INIT, pb.ChaincodeMessage_TRANSACTION:
		return in(msg, func(m *pb.ChaincodeInput) string { return words(m.Args) })
	case pb.ChaincodeMessage_GET_STATE:
		return in(msg, func(m *pb.GetState) string { return shown(m.Key) })
	case pb.ChaincodeMessage_PUT_STATE:
		return in(msg, func(m *pb.PutState) string {
			return shown(abbreviate(m.Key)) + " (" + count(len(m.Value), "byte") + ")"
		})
	case pb.ChaincodeMessage_DEL_STATE:
		return in(msg, func(m *pb.DelState) string { return shown(m.Key) })
	case pb.ChaincodeMessage_GET_HISTORY_FOR_KEY:
		return in(msg, func(m *pb.GetHistoryForKey) string { return shown(m.Key) })
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE:
		return in(msg, func(m *pb.GetStateByRange) string {
			return "from " + bound(m.StartKey, "the start") + " to " + bound(m.EndKey, "the end")
		})
	case pb.ChaincodeMessage_GET_QUERY_RESULT:
		return in(msg, func(m *pb.GetQueryResult) string { return shown(m.Query) })
	case pb.ChaincodeMessage_INVOKE_CHAINCODE:
		return in(msg, func(m *pb.ChaincodeSpec) string {
			return m.ChaincodeId.GetName() + ": " + words(m.Input.GetArgs())
		})
	case pb.ChaincodeMessage_COMPLETED:
		return in(msg, describeResponse) + describeEvent(msg.ChaincodeEvent)
	case pb.ChaincodeMessage_ERROR:
		return shown(string(msg.Payload))
	case pb.ChaincodeMessage_RESPONSE:
		return describeAnswer(msg, asked)
	default:
		return ""
	}
}

// describeAnswer says what a RESPONSE answers.
func describeAnswer(msg *pb.ChaincodeMessage, asked pb.ChaincodeMessage_Type) string {
	switch asked {
	case pb.ChaincodeMessage_GET_STATE:
		if len(msg.Payload) == 0 {
			return "absent"
		}
		return count(len(msg.Payload), "byte")
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT:
		return in(msg, func(m *pb.QueryResponse) string {
			if m.HasMore {
				return count(len(m.Results), "record") + ", and there are more"
			}
			return count(len(m.Results), "record")
		})
	case pb.ChaincodeMessage_INVOKE_CHAINCODE:
		return in(msg, func(m *pb.ChaincodeMessage) string { return describe(m, msg.Type) })
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

// in decodes the payload of a message for what says what is in it.
func in[T any, P interface {
	*T
	proto.Message
}](msg *pb.ChaincodeMessage, say func(P) string) string {
	m := P(new(T))
	if err := proto.Unmarshal(msg.Payload, m); err != nil {
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
