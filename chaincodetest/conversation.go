package chaincodetest

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// lines are the conversation for people. Messages of another chaincode than the one that was called have its name.
func (c *conversation) lines(own string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	asked := map[string]pb.ChaincodeMessage_Type{} // what each chaincode waits for
	for i, m := range slices.Concat(c.said, c.last) {
		if i == len(c.said) && c.omitted > 0 {
			lines = append(lines, fmt.Sprintf("… %d more messages, and then", c.omitted))
		}
		arrow := "< "
		if m.received {
			arrow = "> "
			asked[m.chaincode] = m.typ
		}
		if m.chaincode != own {
			arrow = m.chaincode + " " + arrow
		}
		lines = append(lines, arrow+m.text(asked[m.chaincode]))
	}
	if len(lines) == 0 {
		return []string{"none"}
	}
	return lines
}

// text writes one message. asked is what an answer answers.
func (m message) text(asked pb.ChaincodeMessage_Type) string {
	switch m.typ {
	case pb.ChaincodeMessage_RESPONSE:
		return showAnswer(asked, m.payload)
	case pb.ChaincodeMessage_ERROR:
		return "ERROR " + show(m.payload)
	case pb.ChaincodeMessage_COMPLETED:
		return "COMPLETED " + m.completed()
	case pb.ChaincodeMessage_TRANSACTION, pb.ChaincodeMessage_INIT:
		in := &pb.ChaincodeInput{}
		if proto.Unmarshal(m.payload, in) == nil {
			return m.typ.String() + " " + showArgs(in.GetArgs())
		}
	}
	payload := handler.NewPayload(m.typ)
	if payload == nil || proto.Unmarshal(m.payload, payload) != nil {
		return strings.TrimSpace(m.typ.String() + " " + show(m.payload))
	}
	return m.typ.String() + showRequest(payload)
}

func (m message) completed() string {
	r := &pb.Response{}
	if proto.Unmarshal(m.payload, r) != nil {
		return show(m.payload)
	}
	text := fmt.Sprint(r.GetStatus())
	if r.GetMessage() != "" {
		text += " " + show([]byte(r.GetMessage()))
	}
	if len(r.GetPayload()) > 0 {
		text += " " + show(r.GetPayload())
	}
	if m.event != "" {
		text += ", event " + m.event
	}
	return text
}

// showRequest writes what a request asks for, after a space.
func showRequest(payload proto.Message) string {
	switch p := payload.(type) {
	case *pb.ChaincodeID:
		return " " + p.GetName()
	case *pb.GetState:
		return inCollection(p.GetCollection(), showKey(p.GetKey()))
	case *pb.PutState:
		return inCollection(p.GetCollection(), showKey(p.GetKey())+" = "+show(p.GetValue()))
	case *pb.DelState:
		return inCollection(p.GetCollection(), showKey(p.GetKey()))
	case *pb.GetStateByRange:
		return inCollection(p.GetCollection(), showRange(&pb.RangeQueryInfo{StartKey: p.GetStartKey(), EndKey: p.GetEndKey()}))
	case *pb.GetQueryResult:
		return inCollection(p.GetCollection(), show([]byte(p.GetQuery())))
	case *pb.GetHistoryForKey:
		return " " + showKey(p.GetKey())
	case *pb.GetStateMultiple:
		return inCollection(p.GetCollection(), showKeys(p.GetKeys()))
	case *pb.WriteBatchState:
		return fmt.Sprintf(" of %d writes", len(p.GetRec()))
	case *pb.ChaincodeSpec:
		return fmt.Sprintf(" %s %s", p.GetChaincodeId().GetName(), showArgs(p.GetInput().GetArgs()))
	}
	return strings.TrimRight(" "+show([]byte(fmt.Sprint(payload))), " ")
}

func inCollection(collection, what string) string {
	if collection == "" {
		return " " + what
	}
	return fmt.Sprintf(" %s of collection %s", what, collection)
}

func showKeys(keys []string) string {
	shown := make([]string, len(keys))
	for i, k := range keys {
		shown[i] = showKey(k)
	}
	return cut(strings.Join(shown, ", "))
}

// showArgs writes arguments as a call: the first one is the function.
func showArgs(args [][]byte) string {
	if len(args) == 0 {
		return "()"
	}
	shown := make([]string, 0, len(args))
	for _, a := range args[1:] {
		shown = append(shown, showArg(a))
	}
	return fmt.Sprintf("%s(%s)", args[0], strings.Join(shown, ", "))
}

// showArg writes an argument: text in quotes, JSON as it is.
func showArg(b []byte) string {
	if _, ok := decodeJSON(b); ok {
		return show(b)
	}
	if text := show(b); text != string(b) {
		if len(b) == 0 {
			return `""`
		}
		return text
	}
	return fmt.Sprintf("%q", b)
}

// showAnswer writes the answer to a request.
func showAnswer(asked pb.ChaincodeMessage_Type, payload []byte) string {
	switch asked {
	case pb.ChaincodeMessage_PUT_STATE, pb.ChaincodeMessage_DEL_STATE, pb.ChaincodeMessage_WRITE_BATCH_STATE,
		pb.ChaincodeMessage_PUT_STATE_METADATA, pb.ChaincodeMessage_PURGE_PRIVATE_DATA, pb.ChaincodeMessage_QUERY_STATE_CLOSE:
		return "ok"
	case pb.ChaincodeMessage_GET_STATE:
		if len(payload) == 0 {
			return "(no value)"
		}
	case pb.ChaincodeMessage_INVOKE_CHAINCODE:
		reply := &pb.ChaincodeMessage{}
		if proto.Unmarshal(payload, reply) == nil {
			return message{typ: reply.GetType(), payload: reply.GetPayload()}.text(0)
		}
	case pb.ChaincodeMessage_GET_STATE_MULTIPLE:
		result := &pb.GetStateMultipleResult{}
		if proto.Unmarshal(payload, result) == nil {
			shown := make([]string, len(result.GetValues()))
			for i, v := range result.GetValues() {
				shown[i] = show(v)
			}
			return cut(strings.Join(shown, ", "))
		}
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT:
		page := &pb.QueryResponse{}
		if proto.Unmarshal(payload, page) == nil {
			return showPage(page, asked == pb.ChaincodeMessage_GET_HISTORY_FOR_KEY)
		}
	}
	return show(payload)
}

// showPage writes a page of results, of which the first few are enough.
func showPage(page *pb.QueryResponse, history bool) string {
	const few = 3
	results := page.GetResults()
	shown := []string{}
	for i, r := range results {
		if i == few {
			shown = append(shown, "…")
			break
		}
		shown = append(shown, showResult(r.GetResultBytes(), history))
	}
	text := fmt.Sprintf("%d results", len(results))
	if len(results) == 1 {
		text = "1 result"
	}
	if len(shown) > 0 {
		text += ": " + strings.Join(shown, ", ")
	}
	if page.GetHasMore() {
		text += ", and more to come"
	}
	return text
}

func showResult(b []byte, history bool) string {
	kv, m := &pb.KV{}, &pb.KeyModification{}
	switch {
	case history && proto.Unmarshal(b, m) == nil && m.GetIsDelete():
		return "deleted"
	case history && proto.Unmarshal(b, m) == nil:
		return show(m.GetValue())
	case proto.Unmarshal(b, kv) == nil:
		return showKey(kv.GetKey()) + " = " + show(kv.GetValue())
	}
	return show(b)
}

// calls says whether chaincode has called a function of another one.
func (c *conversation) calls(chaincode, function string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.called[[2]string{chaincode, function}]
}
