package shim_test

import (
	"io"
	"math"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// FuzzMessages feeds the shim whatever a peer could send, after a handshake: each message is a byte for its type, a
// byte for its transaction, a byte for its payload's length, and the payload. Nothing may panic, and Chat must
// return when the stream ends.
func FuzzMessages(f *testing.F) {
	run := []byte{byte(pb.ChaincodeMessage_TRANSACTION), 1, 0}
	value := []byte{byte(pb.ChaincodeMessage_RESPONSE), 1, 1, 'v'}
	row := marshal(f, &pb.QueryResponse{Results: []*pb.QueryResultBytes{{ResultBytes: marshal(f, &pb.KV{Key: "k"})}}, HasMore: true, Id: "q"})
	f.Add([]byte{})
	f.Add(run)
	f.Add(append(append(run, value...), append([]byte{byte(pb.ChaincodeMessage_RESPONSE), 1, byte(len(row))}, row...)...))
	f.Add(append(append(run, value...), run...))
	f.Add([]byte{byte(pb.ChaincodeMessage_KEEPALIVE), 0, 0, byte(pb.ChaincodeMessage_INIT), 2, 1, 0xff})
	f.Add([]byte{byte(pb.ChaincodeMessage_READY), 0, 0})
	two := marshal(f, &pb.GetStateMultipleResult{Values: [][]byte{[]byte("v"), nil}})
	f.Add(append(append(run, byte(pb.ChaincodeMessage_RESPONSE), 1, byte(len(two))), two...)) // the first request's answer

	f.Fuzz(func(t *testing.T, script []byte) {
		c := talk(t, shim.Config{ChaincodeID: "cc:1"}, function(askEverything))
		ended := make(chan error, 1)
		go func() { // Chat may end before the script does: nothing takes what is sent then
			err := <-c.done
			c.end(nil)
			ended <- err
		}()
		drained := make(chan struct{})
		go func() { // the peer reads all that it is sent
			defer close(drained)
			for {
				if _, err := c.Recv(); err != nil {
					return
				}
			}
		}()
		send := func(m *msg) { _ = c.Send(m) } // the chaincode may have ended
		send(&msg{Type: pb.ChaincodeMessage_REGISTERED})
		send(&msg{Type: pb.ChaincodeMessage_READY, Payload: marshal(t, everything())})
		for len(script) >= 3 {
			size := min(int(script[2]), len(script)-3)
			m := &msg{Type: pb.ChaincodeMessage_Type(script[0]), Txid: string(script[1:2]), ChannelId: "ch", Payload: script[3 : 3+size]}
			script = script[3+size:]
			send(m)
		}
		c.end(nil)
		select {
		case err := <-ended:
			if err == nil {
				t.Error("Chat ended without an error")
			}
		case <-time.After(time.Minute):
			t.Fatal("Chat has not returned")
		}
		<-drained
	})
}

// askEverything makes requests of every kind, whatever comes of them.
func askEverything(s stub) *shim.Response {
	_, _ = s.GetMultipleStates("k", "l")
	_, _ = s.GetState("k")
	if it, err := s.GetStateByRange("", ""); err == nil {
		for n := 0; it.HasNext() && n < 5; n++ {
			_, _ = it.Next()
		}
		_ = it.Close()
	}
	if it, err := s.GetHistoryForKey("k"); err == nil {
		_, _ = it.Next()
		_ = it.Close()
	}
	_, _, _ = s.GetStateByRangeWithPagination("", "", 1, "")
	_ = s.PutState("k", nil)
	_, _ = s.GetStateValidationParameter("k")
	_, _ = s.GetMultiplePrivateData("col", "k")
	_, _ = s.GetPrivateDataHash("col", "k")
	if it, err := s.GetPrivateDataQueryResult("col", "{}"); err == nil {
		_ = it.Close()
	}
	s.StartWriteBatch()
	_ = s.PurgePrivateData("col", "k")
	_ = s.FinishWriteBatch()
	s.StartWriteBatch()
	_ = s.SetStateValidationParameter("k", nil)
	return s.InvokeChaincode("other", nil, "")
}

// FuzzReady feeds the shim READY payloads. Whatever one holds, chaincode works: it reads and writes 250 keys, in as many
// requests as the offers allow.
func FuzzReady(f *testing.F) {
	const n = 250
	f.Add([]byte(nil))
	f.Add([]byte("\xff"))
	f.Add(marshal(f, everything()))
	f.Add(marshal(f, &pb.ChaincodeAdditionalParams{UseWriteBatch: true, MaxSizeWriteBatch: 101}))
	f.Add(marshal(f, &pb.ChaincodeAdditionalParams{UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: math.MaxUint32}))
	requests := func(offered bool, most uint32) int {
		if !offered {
			return n
		}
		most = max(most, 100)
		return int((n + uint64(most) - 1) / uint64(most))
	}
	f.Fuzz(func(t *testing.T, ready []byte) {
		offers := new(pb.ChaincodeAdditionalParams)
		if proto.Unmarshal(ready, offers) != nil {
			offers.Reset()
		}
		want := requests(offers.GetUseGetMultipleKeys(), offers.GetMaxSizeGetMultipleKeys()) +
			requests(offers.GetUseWriteBatch(), offers.GetMaxSizeWriteBatch())
		c := talk(t, shim.Config{ChaincodeID: "cc:1"}, readAndWrite(n))
		c.handshakeWith(ready)
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		got, res := serve(c)
		if len(got) != want || res.GetStatus() != shim.OK {
			t.Errorf("%d requests, want %d: %v", len(got), want, res)
		}
		c.end(nil)
		if err := <-c.done; !errors.Is(err, io.EOF) {
			t.Errorf("Chat: %v", err)
		}
	})
}
