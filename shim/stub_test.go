package shim_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestInvokeChaincode(t *testing.T) {
	last := func(typ pb.ChaincodeMessage_Type, payload []byte) []byte {
		return marshal(t, &msg{Type: typ, Payload: payload})
	}
	for _, test := range []struct {
		name    string
		channel string
		typ     pb.ChaincodeMessage_Type
		payload []byte
		want    *shim.Response
	}{
		{"success", "", pb.ChaincodeMessage_RESPONSE, last(pb.ChaincodeMessage_COMPLETED, marshal(t, shim.Success([]byte("p")))), shim.Success([]byte("p"))},
		{"callee fails", "other", pb.ChaincodeMessage_RESPONSE, last(pb.ChaincodeMessage_COMPLETED, marshal(t, shim.Error("no"))), shim.Error("no")},
		{"callee sends ERROR", "", pb.ChaincodeMessage_RESPONSE, last(pb.ChaincodeMessage_ERROR, []byte("text")), &shim.Response{Status: 500, Payload: []byte("text")}},
		{"peer refuses", "", pb.ChaincodeMessage_ERROR, []byte("refused"), &shim.Response{Status: 500, Payload: []byte("refused")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			results := make(chan *shim.Response, 1)
			c := connect(t, function(func(s stub) *shim.Response {
				results <- s.InvokeChaincode("callee", [][]byte{[]byte("f")}, test.channel)
				return shim.Success(nil)
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			var spec pb.ChaincodeSpec
			request := c.expect(pb.ChaincodeMessage_INVOKE_CHAINCODE, &spec)
			name := "callee"
			if test.channel != "" {
				name += "/" + test.channel
			}
			if spec.GetChaincodeId().GetName() != name || string(spec.GetInput().GetArgs()[0]) != "f" {
				t.Errorf("request: %v", &spec)
			}
			c.answer(request, test.typ, test.payload)
			c.completed("tx")
			if got := <-results; !proto.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Calls that are refused without a request.
func TestRefusedCalls(t *testing.T) {
	const noCollection = "collection must not be an empty string"
	for _, test := range []struct {
		name string
		call func(stub) error
		want string
	}{
		{"empty key", func(s stub) error { return s.PutState("", nil) }, "key must not be an empty string"},
		{"invalid key", func(s stub) error { return s.PutState("\xff", nil) }, "[tx] error sending PUT_STATE: marshal request: "},
		{"empty event name", func(s stub) error { return s.SetEvent("", nil) }, "event name can not be empty string"},
		{"invalid event name", func(s stub) error { return s.SetEvent("\xff", nil) }, `event name is not valid UTF-8: "\xff"`},
		{"composite start", func(s stub) error { _, err := s.GetStateByRange("\x00a", ""); return err },
			"first character of the key [\x00a] contains a null character which is not allowed"},
		{"composite end", func(s stub) error { _, _, err := s.GetStateByRangeWithPagination("", "\x00a", 1, ""); return err },
			"first character of the key [\x00a] contains a null character which is not allowed"},
		{"attribute with NUL", func(s stub) error {
			_, err := s.GetStateByPartialCompositeKey("a", []string{"b\x00"})
			return err
		}, "input contains unicode U+0000 starting at position [1]. U+0000 and U+10FFFF are not allowed in the input attribute of a composite key"},
		{"attribute not UTF-8", func(s stub) error {
			_, _, err := s.GetStateByPartialCompositeKeyWithPagination("\xff", nil, 1, "")
			return err
		}, "not a valid utf8 string: [ff]"},
		{"not a composite key", func(s stub) error { _, _, err := s.SplitCompositeKey("plain"); return err }, `not a composite key: "plain"`},
		{"no proposal", func(s stub) error { _, err := s.GetTxTimestamp(); return err },
			`transaction "tx" has no timestamp: the peer sent no proposal`},
		{"no collection: GetPrivateData", func(s stub) error { _, err := s.GetPrivateData("", "k"); return err }, noCollection},
		{"no collection: GetMultiplePrivateData", func(s stub) error { _, err := s.GetMultiplePrivateData(""); return err }, noCollection},
		{"no collection: GetPrivateDataHash", func(s stub) error { _, err := s.GetPrivateDataHash("", "k"); return err }, noCollection},
		{"no collection: PutPrivateData", func(s stub) error { return s.PutPrivateData("", "k", nil) }, noCollection},
		{"no collection: DelPrivateData", func(s stub) error { return s.DelPrivateData("", "k") }, noCollection},
		{"no collection: PurgePrivateData", func(s stub) error { return s.PurgePrivateData("", "k") }, noCollection},
		{"no collection: SetPrivateDataValidationParameter",
			func(s stub) error { return s.SetPrivateDataValidationParameter("", "k", nil) }, noCollection},
		{"no collection: GetPrivateDataValidationParameter",
			func(s stub) error { _, err := s.GetPrivateDataValidationParameter("", "k"); return err }, noCollection},
		{"no collection: GetPrivateDataByRange", func(s stub) error { _, err := s.GetPrivateDataByRange("", "", ""); return err }, noCollection},
		{"no collection: GetPrivateDataByPartialCompositeKey",
			func(s stub) error { _, err := s.GetPrivateDataByPartialCompositeKey("", "t", nil); return err }, noCollection},
		{"no collection: GetPrivateDataQueryResult", func(s stub) error { _, err := s.GetPrivateDataQueryResult("", "{}"); return err }, noCollection},
		{"empty private key", func(s stub) error { return s.PutPrivateData("col", "", nil) }, "key must not be an empty string"},
		{"private composite end", func(s stub) error { _, err := s.GetPrivateDataByRange("col", "", "\x00a"); return err },
			"first character of the key [\x00a] contains a null character which is not allowed"},
		{"private attribute not UTF-8", func(s stub) error { _, err := s.GetPrivateDataByPartialCompositeKey("col", "\xff", nil); return err },
			"not a valid utf8 string: [ff]"},
		{"invalid query", func(s stub) error { _, err := s.GetQueryResult("\xff"); return err }, "[tx] error sending GET_QUERY_RESULT: marshal request: "},
		{"invalid bookmark", func(s stub) error { _, _, err := s.GetQueryResultWithPagination("{}", 1, "\xff"); return err }, "marshal bookmark: "},
		{"invalid bookmark of a range", func(s stub) error { _, _, err := s.GetAllStatesCompositeKeyWithPagination(1, "\xff"); return err },
			"marshal bookmark: "},
		{"too large", func(s stub) error { return s.PutState("k", make([]byte, pb.MaxMessageSize)) },
			"[tx] error sending PUT_STATE: PUT_STATE of 104857623 bytes, limit 104857600: message is too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, function(func(s stub) *shim.Response {
				if err := test.call(s); err != nil {
					return &shim.Response{Status: shim.OK, Payload: []byte(err.Error())}
				}
				return shim.Error("no error")
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			if res := c.completed("tx"); !bytes.HasPrefix(res.GetPayload(), []byte(test.want)) || res.GetStatus() != shim.OK {
				t.Errorf("got %v, want %q", res, test.want)
			}
		})
	}
}

func TestCompositeKeys(t *testing.T) {
	for _, parts := range [][]string{{"color", "blue", "a1"}, {"color"}, {""}, {"", "", ""}, {"日本", "é"}} {
		key, err := shim.CreateCompositeKey(parts[0], parts[1:])
		if err != nil {
			t.Fatal(err)
		}
		c := connect(t, function(func(s stub) *shim.Response {
			typ, attributes, err := s.SplitCompositeKey(key)
			return shim.Success(fmt.Appendf(nil, "%q %v", append([]string{typ}, attributes...), err))
		}))
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		if got, want := string(c.completed("tx").GetPayload()), fmt.Sprintf("%q <nil>", parts); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What a transaction knows of itself comes from its message: arguments, decorations and the proposal's parts.
func TestTransactionsOwnData(t *testing.T) {
	header := marshal(t, &pb.Header{
		ChannelHeader:   marshal(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), Timestamp: &timestamppb.Timestamp{Seconds: 5}, Epoch: 3}),
		SignatureHeader: marshal(t, &pb.SignatureHeader{Creator: []byte("creator"), Nonce: []byte("nonce")}),
	})
	payload := marshal(t, &pb.ChaincodeProposalPayload{TransientMap: map[string][]byte{"secret": []byte("s")}})
	signed := &pb.SignedProposal{ProposalBytes: marshal(t, &pb.Proposal{Header: header, Payload: payload})}
	binding := sha256.Sum256([]byte("noncecreator\x03\x00\x00\x00\x00\x00\x00\x00"))

	c := connect(t, function(func(s stub) *shim.Response {
		fn, params := s.GetFunctionAndParameters()
		joined, _ := s.GetArgsSlice()
		creator, _ := s.GetCreator()
		transient, _ := s.GetTransient()
		bound, _ := s.GetBinding()
		when, err := s.GetTxTimestamp()
		prop, _ := s.GetSignedProposal()
		return shim.Success(fmt.Appendf(nil, "%s %s %q %q %q %d %s %s %s %s %x %d %v %v", s.GetTxID(), s.GetChannelID(), fn, params,
			s.GetStringArgs(), len(s.GetArgs()), joined, creator, transient["secret"], s.GetDecorations()["d"], bound, when.GetSeconds(), err,
			proto.Equal(prop, signed)))
	}))
	c.send(&msg{Type: pb.ChaincodeMessage_TRANSACTION, Txid: "tx", ChannelId: "ch", Proposal: signed, Payload: marshal(t, &pb.ChaincodeInput{
		Args: [][]byte{[]byte("f"), []byte("x")}, Decorations: map[string][]byte{"d": []byte("dv")},
	})})
	want := fmt.Sprintf(`tx ch "f" ["x"] ["f" "x"] 2 fx creator s dv %x 5 <nil> true`, binding)
	if got := string(c.completed("tx").GetPayload()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	c.begin(pb.ChaincodeMessage_TRANSACTION, "bare")
	want = `bare ch "" [] [] 0     `
	if got := string(c.completed("bare").GetPayload()); got != want+" 0 transaction \"bare\" has no timestamp: the peer sent no proposal false" {
		t.Errorf("without a proposal: got %s", got)
	}
}

func TestBadTransactions(t *testing.T) {
	signed := func(channel, signature, payload []byte) *pb.SignedProposal {
		header := marshal(t, &pb.Header{ChannelHeader: channel, SignatureHeader: signature})
		return &pb.SignedProposal{ProposalBytes: marshal(t, &pb.Proposal{Header: header, Payload: payload})}
	}
	endorser := marshal(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION)})
	const stubFailed = "failed to create new ChaincodeStub: "
	garbage := []byte("\xff")
	for _, test := range []struct {
		name     string
		payload  []byte
		proposal *pb.SignedProposal
		want     string
	}{
		{"input", garbage, nil, "failed to unmarshal input: "},
		{"proposal", nil, &pb.SignedProposal{ProposalBytes: garbage}, stubFailed + "failed to extract Proposal from SignedProposal: "},
		{"empty proposal", nil, &pb.SignedProposal{}, stubFailed + "failed to extract Proposal fields: proposal header is nil"},
		{"header", nil, &pb.SignedProposal{ProposalBytes: marshal(t, &pb.Proposal{Header: garbage})}, stubFailed + "failed to extract proposal header: "},
		{"channel header", nil, signed(garbage, nil, nil), stubFailed + "failed to extract channel header: "},
		{"header type", nil, signed(marshal(t, &pb.ChannelHeader{Type: 2}), nil, nil),
			stubFailed + "invalid channel header type. Expected ENDORSER_TRANSACTION or CONFIG, received CONFIG_UPDATE"},
		{"signature header", nil, signed(endorser, garbage, nil), stubFailed + "failed to extract signature header: "},
		{"proposal payload", nil, signed(endorser, nil, garbage), stubFailed + "failed to extract proposal payload: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, function(func(stub) *shim.Response { return shim.Success(nil) }))
			c.send(&msg{Type: pb.ChaincodeMessage_TRANSACTION, Txid: "tx", ChannelId: "ch", Payload: test.payload, Proposal: test.proposal})
			if m := c.expect(pb.ChaincodeMessage_ERROR, nil); !bytes.HasPrefix(m.GetPayload(), []byte(test.want)) || m.GetTxid() != "tx" {
				t.Errorf("got %q, want %q", m.GetPayload(), test.want)
			}
		})
	}
}

func TestGetMSPID(t *testing.T) {
	t.Setenv("CORE_PEER_LOCALMSPID", "Org1MSP")
	if id, err := shim.GetMSPID(); id != "Org1MSP" || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
	t.Setenv("CORE_PEER_LOCALMSPID", "")
	if id, err := shim.GetMSPID(); err == nil || err.Error() != "'CORE_PEER_LOCALMSPID' is not set" {
		t.Errorf("unset: got %q, %v", id, err)
	}
}
