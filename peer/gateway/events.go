package gateway

import (
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// events are those of a block's valid transactions. They are shared by all who read them, and not modified.
type events struct {
	number uint64
	all    []*pb.ChaincodeEvent
	// responses are what clients get that have asked for a chaincode's events, and for nothing else.
	responses map[string]*pb.ChaincodeEventsResponse
	bytes     int   // that they take, about
	err       error // the block can't be decoded
}

// eventOverhead is about what an event takes in memory beside its bytes.
const eventOverhead = 200

// eventsOf returns the events of a block (Fabric: internal/pkg/gateway/event).
func eventsOf(b *Block) *events {
	e := &events{number: b.Number}
	for i := range b.Transactions {
		found, err := eventsIn(&b.Transactions[i])
		if err != nil {
			return &events{number: b.Number, err: err}
		}
		e.all = append(e.all, found...)
	}
	if e.all != nil {
		e.responses = map[string]*pb.ChaincodeEventsResponse{}
	}
	for _, event := range e.all {
		e.bytes += eventOverhead + proto.Size(event)
		r := e.responses[event.GetChaincodeId()]
		if r == nil {
			r = &pb.ChaincodeEventsResponse{BlockNumber: b.Number}
			e.responses[event.GetChaincodeId()] = r
		}
		r.Events = append(r.Events, event)
	}
	return e
}

// has reports whether there is something for those who read a chaincode's events, or any events for "".
func (e *events) has(chaincode string) bool {
	return e.err != nil || e.responses[chaincode] != nil || chaincode == "" && e.all != nil
}

// eventsIn returns the events of a transaction. Only a valid one of an endorser has any. That is the usual one, of which nothing but
// the event is copied.
func eventsIn(tx *Transaction) ([]*pb.ChaincodeEvent, error) {
	if tx.Code == pb.TxValidationCode_VALID {
		if b, ok := block.Event(tx.Envelope); ok {
			if event := new(pb.ChaincodeEvent); proto.Unmarshal(b, event) == nil && whole(event) {
				return []*pb.ChaincodeEvent{event}, nil
			}
			return nil, nil
		}
	}
	return decodedEvents(tx)
}

// decodedEvents is eventsIn for whatever can stand in a block. What can't be decoded within an action has no event, and what is around
// it must be decodable.
func decodedEvents(tx *Transaction) ([]*pb.ChaincodeEvent, error) {
	var (
		envelope pb.Envelope
		payload  pb.Payload
		header   pb.ChannelHeader
		inner    pb.Transaction
	)
	if err := proto.Unmarshal(tx.Envelope, &envelope); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(envelope.GetPayload(), &payload); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header); err != nil {
		return nil, err
	}
	if header.GetType() != int32(pb.HeaderType_ENDORSER_TRANSACTION) || tx.Code != pb.TxValidationCode_VALID {
		return nil, nil
	}
	if err := proto.Unmarshal(payload.GetData(), &inner); err != nil {
		return nil, err
	}
	var found []*pb.ChaincodeEvent
	for _, action := range inner.GetActions() {
		if event := eventOf(action); whole(event) {
			found = append(found, event)
		}
	}
	return found, nil
}

// whole reports whether an event says everything that it must.
func whole(e *pb.ChaincodeEvent) bool {
	return e.GetChaincodeId() != "" && e.GetEventName() != "" && e.GetTxId() != ""
}

// eventOf returns an action's event, or nil.
func eventOf(action *pb.TransactionAction) *pb.ChaincodeEvent {
	var (
		payload  pb.ChaincodeActionPayload
		endorsed pb.ProposalResponsePayload
		done     pb.ChaincodeAction
		event    pb.ChaincodeEvent
	)
	if proto.Unmarshal(action.GetPayload(), &payload) != nil || proto.Unmarshal(payload.GetAction().GetProposalResponsePayload(), &endorsed) != nil ||
		proto.Unmarshal(endorsed.GetExtension(), &done) != nil || proto.Unmarshal(done.GetEvents(), &event) != nil {
		return nil
	}
	return &event
}
