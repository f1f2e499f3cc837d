package transcript

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Channel is the channel of a transaction that is written without one.
const Channel = "ch"

// Stream reads and writes the messages of one stream as text. It remembers what was asked, to tell how an answer is
// to be read. The zero value is ready for use.
//
// A message is its type, the transaction as txid or txid@channel where the type has one, and the payload: the fields
// in protobuf's text form, a quoted string where it is bytes, or raw and a quoted string where it is broken.
// GET_STATE_BY_RANGE and GET_QUERY_RESULT may end in "page", the size and a quoted bookmark; COMPLETED in "event" and a
// quoted name.
type Stream struct {
	asked map[string]pb.ChaincodeMessage_Type // by transaction
}

// hasTransaction says whether messages of the type belong to one.
func hasTransaction(typ pb.ChaincodeMessage_Type) bool {
	switch typ {
	case pb.ChaincodeMessage_REGISTER, pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_READY, pb.ChaincodeMessage_KEEPALIVE:
		return false
	}
	return true
}

// Parse reads a message of the chaincode.
func (s *Stream) Parse(text string) (*pb.ChaincodeMessage, error) {
	word, rest, _ := strings.Cut(text, " ")
	m := &pb.ChaincodeMessage{}
	if n, ok := pb.ChaincodeMessage_Type_value[word]; ok {
		m.Type = pb.ChaincodeMessage_Type(n)
	} else if n, err := strconv.ParseInt(word, 10, 32); err == nil {
		m.Type = pb.ChaincodeMessage_Type(n)
	} else {
		return nil, errors.Errorf("message %q: want a type's name or number", text)
	}
	if hasTransaction(m.Type) {
		word, rest, _ = strings.Cut(rest, " ")
		m.Txid, m.ChannelId = Transaction(word)
		if s.asked == nil {
			s.asked = map[string]pb.ChaincodeMessage_Type{}
		}
		s.asked[transactionName(m)] = m.Type
	}
	rest, event, ok := strings.Cut(rest, "event ")
	if ok {
		name, err := strconv.Unquote(event)
		if err != nil {
			return nil, errors.Wrapf(err, "read the event of %q", text)
		}
		m.ChaincodeEvent = &pb.ChaincodeEvent{EventName: name}
	}
	var err error
	m.Payload, err = parsePayload(m.Type, strings.TrimSpace(rest))
	return m, errors.Wrapf(err, "read message %q", text)
}

// Transaction splits txid@channel.
func Transaction(word string) (txID, channelID string) {
	txID, channelID, ok := strings.Cut(word, "@")
	if !ok {
		channelID = Channel
	}
	return txID, channelID
}

func transactionName(m *pb.ChaincodeMessage) string {
	if m.ChannelId == Channel {
		return m.Txid
	}
	return m.Txid + "@" + m.ChannelId
}

func parsePayload(typ pb.ChaincodeMessage_Type, text string) ([]byte, error) {
	payload := handler.NewPayload(typ)
	if raw, ok := strings.CutPrefix(text, "raw "); ok || payload == nil && text != "" {
		s, err := strconv.Unquote(raw)
		return []byte(s), err
	}
	if payload == nil {
		return nil, nil
	}
	text, page, _ := strings.Cut(text, "page ")
	if err := prototext.Unmarshal([]byte(text), payload); err != nil {
		return nil, err
	}
	if page != "" {
		metadata, err := parsePage(page)
		if err != nil {
			return nil, err
		}
		switch r := payload.(type) {
		case *pb.GetStateByRange:
			r.Metadata = metadata
		case *pb.GetQueryResult:
			r.Metadata = metadata
		}
	}
	return proto.Marshal(payload)
}

func parsePage(text string) ([]byte, error) {
	m := &pb.QueryMetadata{}
	if _, err := fmt.Sscanf(text, "%d %q", &m.PageSize, &m.Bookmark); err != nil {
		return nil, errors.Wrapf(err, "read page %q", text)
	}
	return proto.Marshal(m)
}

// Format writes a message of the peer.
func (s *Stream) Format(m *pb.ChaincodeMessage) string {
	words := []string{m.Type.String()}
	if hasTransaction(m.Type) {
		words = append(words, transactionName(m))
	}
	if p := s.formatPayload(m); p != "" {
		words = append(words, p)
	}
	if e := m.ChaincodeEvent; e != nil {
		words = append(words, fmt.Sprintf("event %q of %q in %q", e.EventName, e.ChaincodeId, e.TxId))
	}
	return strings.Join(words, " ")
}

func (s *Stream) formatPayload(m *pb.ChaincodeMessage) string {
	if m.Type == pb.ChaincodeMessage_RESPONSE {
		return formatAnswer(s.asked[transactionName(m)], m.Payload)
	}
	payload := handler.NewPayload(m.Type)
	if payload == nil {
		return formatBytes(m.Payload)
	}
	if err := proto.Unmarshal(m.Payload, payload); err != nil {
		return "raw " + formatBytes(m.Payload)
	}
	return fields(payload)
}

// formatAnswer writes the payload of an answer to a request of type typ.
func formatAnswer(typ pb.ChaincodeMessage_Type, payload []byte) string {
	switch typ {
	case pb.ChaincodeMessage_INVOKE_CHAINCODE:
		reply := &pb.ChaincodeMessage{}
		if proto.Unmarshal(payload, reply) == nil {
			return "{" + (&Stream{}).Format(reply) + "}"
		}
	case pb.ChaincodeMessage_GET_STATE_METADATA:
		result := &pb.StateMetadataResult{}
		if proto.Unmarshal(payload, result) == nil {
			return fields(result)
		}
	case pb.ChaincodeMessage_GET_STATE_MULTIPLE:
		result := &pb.GetStateMultipleResult{}
		if proto.Unmarshal(payload, result) == nil {
			return fmt.Sprintf("%q", result.Values)
		}
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT, pb.ChaincodeMessage_QUERY_STATE_CLOSE:
		page := &pb.QueryResponse{}
		if proto.Unmarshal(payload, page) == nil {
			return formatPage(page, typ == pb.ChaincodeMessage_GET_HISTORY_FOR_KEY)
		}
	}
	return formatBytes(payload)
}

// formatPage writes a page of results: all of them if they are few, else the first and the last one.
func formatPage(page *pb.QueryResponse, history bool) string {
	const few = 5
	var results []string
	for i, r := range page.Results {
		if len(page.Results) > few && i > 0 && i < len(page.Results)-1 {
			continue
		}
		results = append(results, formatResult(r.ResultBytes, history))
	}
	text := "[" + strings.Join(results, ", ") + "]"
	if len(page.Results) > few {
		text = fmt.Sprintf("[%s … %s] %d results", results[0], results[1], len(page.Results))
	}
	if page.Metadata != nil {
		m := &pb.QueryResponseMetadata{}
		if proto.Unmarshal(page.Metadata, m) == nil {
			text += fmt.Sprintf(" fetched %d bookmark %q", m.FetchedRecordsCount, m.Bookmark)
		}
	}
	if page.HasMore {
		text += " more"
	}
	return text + " id " + page.Id
}

// formatResult writes a KV, or a KeyModification.
func formatResult(b []byte, history bool) string {
	kv, m := &pb.KV{}, &pb.KeyModification{}
	switch {
	case history && proto.Unmarshal(b, m) == nil && m.IsDelete:
		return m.TxId + " deleted"
	case history && proto.Unmarshal(b, m) == nil:
		return fmt.Sprintf("%s=%s", m.TxId, m.Value)
	case proto.Unmarshal(b, kv) == nil:
		return fmt.Sprintf("%s/%s=%s", kv.Namespace, kv.Key, kv.Value)
	}
	return formatBytes(b)
}

// formatBytes quotes text. Protobuf varies the spaces of its error texts on purpose: they become plain ones.
func formatBytes(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return strconv.Quote(strings.ReplaceAll(string(b), "\u00a0", " "))
}

// fields is protobuf's text form in one line, without the spaces that it varies on purpose.
func fields(m proto.Message) string {
	var text strings.Builder
	quoted := false
	varied := prototext.MarshalOptions{}.Format(m)
	for i, r := range varied {
		s := text.String()
		switch {
		case r == '"' && (i == 0 || !strings.HasSuffix(s, `\`)):
			quoted = !quoted
		case r == ' ' && !quoted && (strings.HasSuffix(s, " ") || strings.HasSuffix(s, ":")):
			continue
		}
		text.WriteRune(r)
	}
	return text.String()
}
