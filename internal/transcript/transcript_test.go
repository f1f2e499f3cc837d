package transcript_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/internal/transcript"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What is written as text reads as the same text.
func TestRoundTrip(t *testing.T) {
	for _, text := range []string{
		`REGISTER name:"cc:1"`,
		`REGISTERED`,
		`KEEPALIVE`,
		`TRANSACTION tx1 args:"a  b: c" args:"d"`,
		`GET_STATE tx1@other key:"quote\" and  two spaces"`,
		`PUT_STATE tx1 key:"a" value:"\x00\xff"`,
		`COMPLETED tx1 status:200`,
		`COMPLETED tx1 raw "\xff"`,
		`ERROR tx1 "text"`,
		`99 tx1`,
	} {
		var s transcript.Stream
		m, err := s.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.Format(m); got != text && text != `COMPLETED tx1 raw "\xff"` {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

func TestFormatAnswers(t *testing.T) {
	for _, test := range []struct {
		asked  string
		answer proto.Message
		want   string
	}{
		{`GET_STATE_BY_RANGE tx1 page 2 "b"`, &pb.QueryResponse{
			Id: "7", HasMore: true, Results: []*pb.QueryResultBytes{{ResultBytes: marshal(t, &pb.KV{Namespace: "n", Key: "k", Value: []byte("v")})}},
			Metadata: marshal(t, &pb.QueryResponseMetadata{FetchedRecordsCount: 1, Bookmark: "c"}),
		}, `RESPONSE tx1 [n/k=v] fetched 1 bookmark "c" more id 7`},
		{`GET_HISTORY_FOR_KEY tx1 key:"k"`, &pb.QueryResponse{
			Id: "8", Results: []*pb.QueryResultBytes{{ResultBytes: marshal(t, &pb.KeyModification{TxId: "t", IsDelete: true})}},
		}, `RESPONSE tx1 [t deleted] id 8`},
		{`INVOKE_CHAINCODE tx1 chaincode_id:{name:"b"}`, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("no"), Txid: "tx1", ChannelId: "ch"},
			`RESPONSE tx1 {ERROR tx1 "no"}`},
	} {
		var s transcript.Stream
		if _, err := s.Parse(test.asked); err != nil {
			t.Fatal(err)
		}
		m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE, Txid: "tx1", ChannelId: "ch", Payload: marshal(t, test.answer)}
		if got := s.Format(m); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "NO_SUCH_TYPE tx1", `GET_STATE tx1 nofield:"a"`, `GET_STATE_BY_RANGE tx1 page x`, `COMPLETED tx1 event unquoted`, `ERROR tx1 unquoted`} {
		if m, err := new(transcript.Stream).Parse(text); err == nil {
			t.Errorf("%q was read as %v", text, m)
		}
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
