package chaincodesupport_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestConfig(t *testing.T) {
	for text, cfg := range map[string]chaincodesupport.Config{
		"Config: StartupTimeout is -1s": {StartupTimeout: -time.Second},
		"Config: StopTimeout is -1s":    {StopTimeout: -time.Second},
		"Config: MaxRecvMsgSize is -1":  {MaxRecvMsgSize: -1},
		"Config: MaxStreams is -1":      {MaxStreams: -1},
		"Limits: ExecuteTimeout is -1s": {Limits: handler.Limits{ExecuteTimeout: -time.Second}}, // the others: package handler
		"Limits: MaxSendMsgSize is -1":  {Limits: handler.Limits{MaxSendMsgSize: -1}},
	} {
		_, err := chaincodesupport.New(cfg)
		wantError(t, err, "chaincodesupport: "+text+", want 0 or more")
	}
}

func TestRegisterTimeout(t *testing.T) {
	for _, test := range []struct{ set, want time.Duration }{{0, 10 * time.Second}, {time.Second, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			cs := newSupport(t, chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: test.set}})
			began := time.Now()
			wantStatus(t, <-connect(t, cs).ended, codes.DeadlineExceeded, "chaincode did not send REGISTER within "+test.want.String())
			if d := time.Since(began); d != test.want {
				t.Errorf("took %s", d)
			}
		})
	}
}

func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Limits: handler.Limits{Keepalive: time.Minute}, DevMode: true})
		c := connect(t, cs).ready()
		began := time.Now()
		c.expect(pb.ChaincodeMessage_KEEPALIVE)
		if d := time.Since(began); d != time.Minute {
			t.Errorf("after %s", d)
		}
	})
}

func TestStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{Limits: handler.Limits{Strict: true}, DevMode: true}, nil)
		unblock := make(chan struct{})
		n.watched["ch1"].On(ledgertest.GetState, ledgertest.Hang(unblock))
		c := connect(t, n.ChaincodeSupport).ready()
		synctest.Wait()
		executed := make(chan error, 1)
		go func() {
			_, err := n.run(t.Context(), "asset:1", "t")
			executed <- err
		}()
		c.expect(pb.ChaincodeMessage_TRANSACTION)
		for range 2 {
			if err := c.Send(&msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "t", ChannelId: "ch1", Payload: marshal(&pb.GetState{Key: "k"})}); err != nil {
				t.Fatal(err)
			}
		}
		wantStatus(t, <-c.ended, codes.InvalidArgument, "while an earlier request of the transaction is pending")
		wantError(t, <-executed, "failed to execute transaction t: error sending: chaincode stream terminated: "+
			"[t] GET_STATE while an earlier request of the transaction is pending, ending chaincode support stream")
		close(unblock)
	})
}

// The limits of queries reach the transactions.
func TestQueryLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{Limits: handler.Limits{MaxQueries: 1, TotalQueryLimit: 150}}, map[string]function{"asset": queries})
		n.wantResult("asset", "t1", 200, "", "put")
		n.wantResult("asset", "t2", 200, "150", "count")
		n.wantResult("asset", "t3", 500, "GET_STATE_BY_RANGE failed: transaction ID: t3: "+
			"transaction has 1 iterators open, which is the limit: close those that are read", "open")
	})
}

// queries is a chaincode that puts 200 keys, counts what a query yields, or opens two queries.
func queries(s stub) *shim.Response {
	switch s.GetStringArgs()[0] {
	case "put":
		for i := range 200 {
			if err := s.PutState(strconv.Itoa(i), []byte("v")); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	case "count":
		it, err := s.GetStateByRange("", "")
		if err != nil {
			return shim.Error(err.Error())
		}
		n := 0
		for ; it.HasNext(); n++ {
			if _, err := it.Next(); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success([]byte(strconv.Itoa(n)))
	default:
		for range 2 {
			if _, err := s.GetStateByRange("", ""); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	}
}
