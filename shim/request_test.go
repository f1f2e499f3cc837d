package shim_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// iterate returns what an iterator yields, as text.
func iterate(it shim.StateQueryIteratorInterface, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var text string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return text, err
		}
		text += kv.GetKey() + "=" + string(kv.GetValue()) + " "
	}
	return text, it.Close()
}

func text(b []byte, err error) (string, error) { return string(b), err }

// exchange is a method that makes one request, with this payload, and returns what the answer holds.
type exchange struct {
	name    string
	call    func(stub) (string, error)
	typ     pb.ChaincodeMessage_Type
	payload proto.Message
	answer  []byte
	want    string
}

// run tests the method with a peer that offers this.
func (e exchange) run(t *testing.T, offers *pb.ChaincodeAdditionalParams) {
	t.Run(e.name, func(t *testing.T) { e.check(t, offers) })
}

// check calls the method in two transactions: the first one's request is answered, the second one's refused with an
// ERROR, whose text the method must return.
func (e exchange) check(t *testing.T, offers *pb.ChaincodeAdditionalParams) {
	c := connectOffering(t, offers, function(func(s stub) *shim.Response {
		got, err := e.call(s)
		if err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success([]byte(got))
	}))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	got := e.payload.ProtoReflect().New().Interface()
	request := c.expect(e.typ, got)
	want := &msg{Type: e.typ, Txid: "tx", ChannelId: "ch", Payload: marshal(t, e.payload)}
	if !proto.Equal(got, e.payload) || !proto.Equal(request, want) {
		t.Errorf("request: got %v, want %v", request, want)
	}
	c.answer(request, pb.ChaincodeMessage_RESPONSE, e.answer)
	if res := c.completed("tx"); res.GetStatus() != shim.OK || string(res.GetPayload()) != e.want {
		t.Errorf("response: got %v, want %q", res, e.want)
	}

	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	c.answer(c.expect(e.typ, nil), pb.ChaincodeMessage_ERROR, []byte("no ledger context"))
	if res := c.completed("tx"); res.GetMessage() != "no ledger context" {
		t.Errorf("after ERROR: got %v", res)
	}
}

// oneRow is an answer that holds the key k with the value v, and onePage one that is followed by another page.
func oneRow(t *testing.T) []byte { return rowWith(t, nil) }
func onePage(t *testing.T) []byte {
	return rowWith(t, marshal(t, &pb.QueryResponseMetadata{FetchedRecordsCount: 1, Bookmark: "next"}))
}

func rowWith(t *testing.T, metadata []byte) []byte {
	row := &pb.QueryResultBytes{ResultBytes: marshal(t, &pb.KV{Key: "k", Value: []byte("v")})}
	return marshal(t, &pb.QueryResponse{Results: []*pb.QueryResultBytes{row}, Metadata: metadata})
}

// iteratePage returns a page as text: its rows, how many they are and the next page's bookmark.
func iteratePage(it shim.StateQueryIteratorInterface, meta *pb.QueryResponseMetadata, err error) (string, error) {
	rows, err := iterate(it, err)
	return fmt.Sprint(rows, meta.GetFetchedRecordsCount(), meta.GetBookmark()), err
}

func TestRequests(t *testing.T) {
	one, page := oneRow(t), onePage(t)
	asked := marshal(t, &pb.QueryMetadata{PageSize: 7, Bookmark: "mark"})
	for _, e := range []exchange{
		{"GetState", func(s stub) (string, error) { return text(s.GetState("k")) },
			pb.ChaincodeMessage_GET_STATE, &pb.GetState{Key: "k"}, []byte("v"), "v"},
		{"PutState", func(s stub) (string, error) { return "", s.PutState("k", []byte("v")) },
			pb.ChaincodeMessage_PUT_STATE, &pb.PutState{Key: "k", Value: []byte("v")}, nil, ""},
		{"DelState", func(s stub) (string, error) { return "", s.DelState("k") },
			pb.ChaincodeMessage_DEL_STATE, &pb.DelState{Key: "k"}, nil, ""},
		{"GetStateByRange", func(s stub) (string, error) { return iterate(s.GetStateByRange("a", "z")) },
			pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: "a", EndKey: "z"}, one, "k=v "},
		{"GetStateByRange of all", func(s stub) (string, error) { return iterate(s.GetStateByRange("", "")) },
			pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: "\x01"}, one, "k=v "},
		{"GetStateByRangeWithPagination", func(s stub) (string, error) {
			return iteratePage(s.GetStateByRangeWithPagination("a", "z", 7, "mark"))
		}, pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: "a", EndKey: "z", Metadata: asked}, page, "k=v 1next"},
		{"GetStateByPartialCompositeKey", func(s stub) (string, error) {
			return iterate(s.GetStateByPartialCompositeKey("color", []string{"blue"}))
		}, pb.ChaincodeMessage_GET_STATE_BY_RANGE,
			&pb.GetStateByRange{StartKey: "\x00color\x00blue\x00", EndKey: "\x00color\x00blue\x00\U0010FFFF"}, one, "k=v "},
		{"GetStateByPartialCompositeKeyWithPagination", func(s stub) (string, error) {
			return iteratePage(s.GetStateByPartialCompositeKeyWithPagination("color", nil, 7, "mark"))
		}, pb.ChaincodeMessage_GET_STATE_BY_RANGE,
			&pb.GetStateByRange{StartKey: "\x00color\x00", EndKey: "\x00color\x00\U0010FFFF", Metadata: asked}, page, "k=v 1next"},
		{"GetAllStatesCompositeKeyWithPagination", func(s stub) (string, error) {
			return iteratePage(s.GetAllStatesCompositeKeyWithPagination(7, "mark"))
		}, pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{StartKey: "\x00", EndKey: "\x00\U0010FFFF", Metadata: asked}, page, "k=v 1next"},
		{"GetQueryResult", func(s stub) (string, error) { return iterate(s.GetQueryResult("{}")) },
			pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Query: "{}"}, one, "k=v "},
		{"GetQueryResultWithPagination", func(s stub) (string, error) {
			return iteratePage(s.GetQueryResultWithPagination("{}", 7, "mark"))
		}, pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Query: "{}", Metadata: asked}, page, "k=v 1next"},
		{"GetHistoryForKey", func(s stub) (string, error) {
			it, err := s.GetHistoryForKey("k")
			if err != nil {
				return "", err
			}
			mod, err := it.Next()
			return fmt.Sprintf("%s %t %t", mod.GetTxId(), mod.GetIsDelete(), it.HasNext()), err
		}, pb.ChaincodeMessage_GET_HISTORY_FOR_KEY, &pb.GetHistoryForKey{Key: "k"},
			marshal(t, &pb.QueryResponse{Results: []*pb.QueryResultBytes{{ResultBytes: marshal(t, &pb.KeyModification{TxId: "t", IsDelete: true})}}}), "t true false"},
	} {
		e.run(t, nil)
	}
}

func TestValidationParameters(t *testing.T) {
	entry := &pb.StateMetadata{Metakey: "VALIDATION_PARAMETER", Value: []byte("ep")}
	other := &pb.StateMetadata{Metakey: "other", Value: []byte("x")}
	set := marshal(t, &pb.StateMetadataResult{Entries: []*pb.StateMetadata{other, entry}})
	unset := marshal(t, &pb.StateMetadataResult{Entries: []*pb.StateMetadata{other}})
	// absent shows the difference between nil and empty.
	absent := func(b []byte, err error) (string, error) { return fmt.Sprintf("%q %t", b, b == nil), err }
	for _, e := range []exchange{
		{"SetStateValidationParameter", func(s stub) (string, error) { return "", s.SetStateValidationParameter("k", []byte("ep")) },
			pb.ChaincodeMessage_PUT_STATE_METADATA, &pb.PutStateMetadata{Key: "k", Metadata: entry}, nil, ""},
		{"SetPrivateDataValidationParameter", func(s stub) (string, error) {
			return "", s.SetPrivateDataValidationParameter("col", "k", []byte("ep"))
		}, pb.ChaincodeMessage_PUT_STATE_METADATA, &pb.PutStateMetadata{Collection: "col", Key: "k", Metadata: entry}, nil, ""},
		{"GetStateValidationParameter", func(s stub) (string, error) { return absent(s.GetStateValidationParameter("k")) },
			pb.ChaincodeMessage_GET_STATE_METADATA, &pb.GetStateMetadata{Key: "k"}, set, `"ep" false`},
		{"GetStateValidationParameter of none", func(s stub) (string, error) { return absent(s.GetStateValidationParameter("k")) },
			pb.ChaincodeMessage_GET_STATE_METADATA, &pb.GetStateMetadata{Key: "k"}, unset, `"" true`},
		{"GetPrivateDataValidationParameter", func(s stub) (string, error) {
			return absent(s.GetPrivateDataValidationParameter("col", "k"))
		}, pb.ChaincodeMessage_GET_STATE_METADATA, &pb.GetStateMetadata{Collection: "col", Key: "k"}, set, `"ep" false`},
	} {
		e.run(t, nil)
	}
}

func TestPrivateData(t *testing.T) {
	one := oneRow(t)
	for _, e := range []exchange{
		{"GetPrivateData", func(s stub) (string, error) { return text(s.GetPrivateData("col", "k")) },
			pb.ChaincodeMessage_GET_STATE, &pb.GetState{Collection: "col", Key: "k"}, []byte("v"), "v"},
		{"GetPrivateDataHash", func(s stub) (string, error) { return text(s.GetPrivateDataHash("col", "k")) },
			pb.ChaincodeMessage_GET_PRIVATE_DATA_HASH, &pb.GetState{Collection: "col", Key: "k"}, []byte("hash"), "hash"},
		{"PutPrivateData", func(s stub) (string, error) { return "", s.PutPrivateData("col", "k", []byte("v")) },
			pb.ChaincodeMessage_PUT_STATE, &pb.PutState{Collection: "col", Key: "k", Value: []byte("v")}, nil, ""},
		{"DelPrivateData", func(s stub) (string, error) { return "", s.DelPrivateData("col", "k") },
			pb.ChaincodeMessage_DEL_STATE, &pb.DelState{Collection: "col", Key: "k"}, nil, ""},
		{"PurgePrivateData", func(s stub) (string, error) { return "", s.PurgePrivateData("col", "k") },
			pb.ChaincodeMessage_PURGE_PRIVATE_DATA, &pb.PurgePrivateState{Collection: "col", Key: "k"}, nil, ""},
		{"GetPrivateDataByRange", func(s stub) (string, error) { return iterate(s.GetPrivateDataByRange("col", "a", "z")) },
			pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{Collection: "col", StartKey: "a", EndKey: "z"}, one, "k=v "},
		{"GetPrivateDataByRange of all", func(s stub) (string, error) { return iterate(s.GetPrivateDataByRange("col", "", "")) },
			pb.ChaincodeMessage_GET_STATE_BY_RANGE, &pb.GetStateByRange{Collection: "col", StartKey: "\x01"}, one, "k=v "},
		{"GetPrivateDataByPartialCompositeKey", func(s stub) (string, error) {
			return iterate(s.GetPrivateDataByPartialCompositeKey("col", "color", []string{"blue"}))
		}, pb.ChaincodeMessage_GET_STATE_BY_RANGE,
			&pb.GetStateByRange{Collection: "col", StartKey: "\x00color\x00blue\x00", EndKey: "\x00color\x00blue\x00\U0010FFFF"}, one, "k=v "},
		{"GetPrivateDataQueryResult", func(s stub) (string, error) { return iterate(s.GetPrivateDataQueryResult("col", "{}")) },
			pb.ChaincodeMessage_GET_QUERY_RESULT, &pb.GetQueryResult{Collection: "col", Query: "{}"}, one, "k=v "},
	} {
		e.run(t, nil)
	}
}

// Answers that are not what the request asked for.
func TestGarbageAnswers(t *testing.T) {
	badMetadata := rowWith(t, []byte("\xff"))
	for _, test := range []struct {
		name   string
		call   func(stub) error
		answer []byte
		want   string
	}{
		{"range", func(s stub) error { _, err := s.GetStateByRange("", ""); return err }, []byte("\xff"), "[tx] unmarshal answer to GET_STATE_BY_RANGE: "},
		{"history", func(s stub) error { _, err := s.GetHistoryForKey("k"); return err }, []byte("\xff"), "[tx] unmarshal answer to GET_HISTORY_FOR_KEY: "},
		{"query", func(s stub) error { _, err := s.GetQueryResult("{}"); return err }, []byte("\xff"), "[tx] unmarshal answer to GET_QUERY_RESULT: "},
		{"page of a range", func(s stub) error { _, _, err := s.GetAllStatesCompositeKeyWithPagination(1, ""); return err }, badMetadata,
			"unmarshal query response metadata: "},
		{"page of a query", func(s stub) error { _, _, err := s.GetQueryResultWithPagination("{}", 1, ""); return err }, badMetadata,
			"unmarshal query response metadata: "},
		{"metadata", func(s stub) error { _, err := s.GetStateValidationParameter("k"); return err }, []byte("\xff"),
			"[tx] unmarshal answer to GET_STATE_METADATA: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, function(func(s stub) *shim.Response { return shim.Error(fmt.Sprint(test.call(s))) }))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			request, err := c.Recv()
			if err != nil {
				t.Fatal(err)
			}
			c.answer(request, pb.ChaincodeMessage_RESPONSE, test.answer)
			if res := c.completed("tx"); !strings.HasPrefix(res.GetMessage(), test.want) {
				t.Errorf("got %v, want %q", res, test.want)
			}
		})
	}
}
