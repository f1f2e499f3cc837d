package chaincodetest

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// cost is what a conversation has cost.
type cost struct {
	requests int // of the chaincode, each of which waits for an answer
	results  int // of ranges and queries
	bytes    int // of all messages
	asked    pb.ChaincodeMessage_Type
}

// count counts a message.
func (c *cost) count(received bool, m *pb.ChaincodeMessage) {
	c.bytes += len(m.GetPayload())
	switch {
	case received && m.GetType() != pb.ChaincodeMessage_COMPLETED && m.GetType() != pb.ChaincodeMessage_ERROR:
		c.requests++
		c.asked = m.GetType()
	case !received && m.GetType() == pb.ChaincodeMessage_RESPONSE && paged(c.asked):
		page := &pb.QueryResponse{}
		if proto.Unmarshal(m.GetPayload(), page) == nil {
			c.results += len(page.GetResults())
		}
	}
}

func paged(typ pb.ChaincodeMessage_Type) bool {
	switch typ {
	case pb.ChaincodeMessage_GET_STATE_BY_RANGE, pb.ChaincodeMessage_GET_QUERY_RESULT, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY,
		pb.ChaincodeMessage_QUERY_STATE_NEXT:
		return true
	}
	return false
}
