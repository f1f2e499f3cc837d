package shim_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// expectBatch answers one WRITE_BATCH_STATE, which must hold these writes in this order.
func expectBatch(c *conversation, want ...*pb.WriteRecord) {
	c.t.Helper()
	got := new(pb.WriteBatchState)
	request := c.expect(pb.ChaincodeMessage_WRITE_BATCH_STATE, got)
	if !proto.Equal(got, &pb.WriteBatchState{Rec: want}) {
		c.t.Errorf("batch: got %v, want %v", got, want)
	}
	c.answer(request, pb.ChaincodeMessage_RESPONSE, nil)
}

func putRecord(key, value string) *pb.WriteRecord {
	return &pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: key, Value: []byte(value)}
}

// firstError returns the first of errs that is not nil, as a response.
func firstError(errs ...error) *shim.Response {
	for _, err := range errs {
		if err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

// A batch holds the last write of each key, in the order of the first, and its values as they were. Reads go to the
// peer at once.
func TestWriteBatch(t *testing.T) {
	c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
		value := []byte("new")
		s.StartWriteBatch()
		errs := []error{
			s.PutState("b", []byte("old")),
			s.PutState("a", []byte("1")),
			s.SetStateValidationParameter("b", value),
			s.PutState("b", value),
			s.PutPrivateData("col", "b", value),
			s.DelState("a"),
			s.DelPrivateData("col", "a"),
			s.PurgePrivateData("col", "p"),
			s.PurgePrivateData("col", "b"),
			s.SetPrivateDataValidationParameter("col", "p", value),
			s.PutState("", nil),
		}
		if last := errs[len(errs)-1]; last == nil || last.Error() != "key must not be an empty string" {
			return shim.Error(fmt.Sprint("empty key: ", last))
		}
		copy(value, "xxx") // the slice is not kept
		got, err := s.GetState("b")
		if string(got) != "committed" {
			return shim.Error(fmt.Sprintf("read %q, %v", got, err))
		}
		s.StartWriteBatch() // the batch goes on
		errs = append(errs[:len(errs)-1], s.PutState("c", nil), s.FinishWriteBatch(), s.FinishWriteBatch(), s.PutState("d", nil))
		return firstError(errs...)
	}))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	c.answer(c.expect(pb.ChaincodeMessage_GET_STATE, nil), pb.ChaincodeMessage_RESPONSE, []byte("committed"))
	policy := &pb.StateMetadata{Metakey: "VALIDATION_PARAMETER", Value: []byte("new")}
	expectBatch(c,
		putRecord("b", "new"),
		&pb.WriteRecord{Type: pb.WriteRecord_DEL_STATE, Key: "a"},
		&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE_METADATA, Key: "b", Metadata: policy},
		&pb.WriteRecord{Type: pb.WriteRecord_PURGE_PRIVATE_DATA, Collection: "col", Key: "b"},
		&pb.WriteRecord{Type: pb.WriteRecord_DEL_STATE, Collection: "col", Key: "a"},
		&pb.WriteRecord{Type: pb.WriteRecord_PURGE_PRIVATE_DATA, Collection: "col", Key: "p"},
		&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE_METADATA, Collection: "col", Key: "p", Metadata: policy},
		putRecord("c", ""),
	)
	c.answer(c.expect(pb.ChaincodeMessage_PUT_STATE, nil), pb.ChaincodeMessage_RESPONSE, nil) // "d": no batch any more
	if res := c.completed("tx"); res.GetStatus() != shim.OK {
		t.Errorf("got %v", res)
	}
}

// What a transaction leaves in its batch is sent when its function has returned, unless the peer will drop it anyway.
func TestBatchAtTheEnd(t *testing.T) {
	const initType, invoke = pb.ChaincodeMessage_INIT, pb.ChaincodeMessage_TRANSACTION
	respond := func(res *shim.Response) func() *shim.Response { return func() *shim.Response { return res } }
	for _, test := range []struct {
		name  string
		typ   pb.ChaincodeMessage_Type
		end   func() *shim.Response
		batch bool
		last  pb.ChaincodeMessage_Type
	}{
		{"invoke succeeds", invoke, respond(shim.Success(nil)), true, pb.ChaincodeMessage_COMPLETED},
		{"invoke fails", invoke, respond(shim.Error("m")), true, pb.ChaincodeMessage_COMPLETED},
		{"init succeeds", initType, respond(shim.Success(nil)), true, pb.ChaincodeMessage_COMPLETED},
		{"init returns 499", initType, respond(&shim.Response{Status: 499}), true, pb.ChaincodeMessage_COMPLETED},
		{"init fails", initType, respond(shim.Error("m")), false, pb.ChaincodeMessage_ERROR},
		{"response can't be sent", invoke, respond(shim.Error("\xff")), false, pb.ChaincodeMessage_ERROR},
		{"panic", invoke, func() *shim.Response { panic("secret") }, false, pb.ChaincodeMessage_COMPLETED},
		{"end of the goroutine", invoke, func() *shim.Response { runtime.Goexit(); return nil }, false, pb.ChaincodeMessage_COMPLETED},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
				s.StartWriteBatch()
				_ = s.PutState("k", []byte("v"))
				return test.end()
			}))
			c.begin(test.typ, "tx")
			if test.batch {
				expectBatch(c, putRecord("k", "v"))
			}
			c.expect(test.last, nil)
		})
	}
}

// A refused batch is over, and fails the transaction unless its chaincode has seen to it.
func TestBatchIsRefused(t *testing.T) {
	const refusal = "WRITE_BATCH_STATE failed: transaction ID: tx: unknown operation type"
	for _, test := range []struct {
		name   string
		finish bool
		want   *msg
	}{
		{"at the end", false, &msg{Type: pb.ChaincodeMessage_ERROR, Payload: []byte("failed send batch: " + refusal)}},
		{"by FinishWriteBatch", true, &msg{Type: pb.ChaincodeMessage_COMPLETED, Payload: marshal(t, shim.Error("failed send batch: "+refusal)),
			ChaincodeEvent: &pb.ChaincodeEvent{EventName: "e"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
				_ = s.SetEvent("e", nil)
				s.StartWriteBatch()
				for i := range 1001 {
					_ = s.PutState(fmt.Sprint(i), nil)
				}
				if test.finish {
					return firstError(s.FinishWriteBatch())
				}
				return shim.Success(nil)
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			c.answer(c.expect(pb.ChaincodeMessage_WRITE_BATCH_STATE, nil), pb.ChaincodeMessage_ERROR, []byte(refusal))
			got := c.expect(test.want.GetType(), nil) // the second message's worth of it is not sent
			test.want.Txid, test.want.ChannelId = "tx", "ch"
			if !proto.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Writes that would be too large for one message together, though each may go alone, are sent in several.
func TestBatchIsCutBySize(t *testing.T) {
	const mega = 1 << 20
	c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
		s.StartWriteBatch()
		for i, size := range []int{1, 26 * mega, 26 * mega, 1} {
			if err := s.PutState(fmt.Sprint(i), make([]byte, size)); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	}))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	requests, res := serve(c)
	want := fmt.Sprint(requestsOf(pb.ChaincodeMessage_WRITE_BATCH_STATE, 2, 2))
	if got := fmt.Sprint(requests); got != want || res.GetStatus() != shim.OK {
		t.Errorf("got %s, %v, want %s", got, res, want)
	}
}

// A write that can't be sent at all fails the batch, not the stream.
func TestBatchCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		key   string
		value []byte
		want  string
	}{
		"invalid key": {"\xff", nil, "failed send batch: [tx] error sending WRITE_BATCH_STATE: marshal request: "},
		"too large":   {"k", make([]byte, pb.MaxMessageSize), "failed send batch: [tx] error sending WRITE_BATCH_STATE: WRITE_BATCH_STATE of "},
	} {
		t.Run(name, func(t *testing.T) {
			c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
				s.StartWriteBatch()
				return firstError(s.PutState(test.key, test.value))
			}))
			c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
			if m := c.expect(pb.ChaincodeMessage_ERROR, nil); !strings.HasPrefix(string(m.GetPayload()), test.want) {
				t.Errorf("got %q, want %q", m.GetPayload(), test.want)
			}
		})
	}
}
