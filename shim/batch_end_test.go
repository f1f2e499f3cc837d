package shim_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// A batch that no one would send any more takes no writes.
func TestBatchAfterTheEnd(t *testing.T) {
	kept := make(chan stub, 1)
	c := connectOffering(t, everything(), function(func(s stub) *shim.Response { kept <- s; return shim.Success(nil) }))
	c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
	c.completed("tx")
	s := <-kept
	s.StartWriteBatch()
	if err := s.PutState("k", nil); !errors.Is(err, shim.ErrTransactionFinished) {
		t.Errorf("write after the end: %v", err)
	}
	if err := s.FinishWriteBatch(); err != nil {
		t.Errorf("FinishWriteBatch after the end: %v", err)
	}
}

// Misuse: goroutines that write into a batch at once, while another one sends it. Each write is sent or refused.
func TestBatchIsWrittenConcurrently(t *testing.T) {
	const rounds, writers, each, refused = 50, 4, 50, -1
	accepted := make(chan int, 1)
	c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
		s.StartWriteBatch()
		var taken atomic.Int32
		var group sync.WaitGroup
		half := make(chan struct{}, writers)
		for w := range writers {
			group.Go(func() {
				for i := range each {
					if i == each/2 {
						half <- struct{}{}
					}
					switch err := s.PutState(fmt.Sprint(w, " ", i), nil); {
					case err == nil:
						taken.Add(1)
					case !errors.Is(err, shim.ErrConcurrentRequest):
						t.Error(err)
					}
				}
			})
		}
		<-half
		err := s.FinishWriteBatch()
		group.Wait()
		if errors.Is(err, shim.ErrConcurrentRequest) { // a writer had found the batch finished, and made a request
			accepted <- refused
			return shim.Success(nil)
		}
		accepted <- int(taken.Load())
		return firstError(err)
	}))
	for range rounds {
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		requests, res := serve(c)
		sent := 0
		for _, r := range requests {
			var typ string
			var held int
			if _, err := fmt.Sscan(r, &typ, &held); err != nil {
				t.Fatal(err)
			}
			sent += held
		}
		if want := <-accepted; want != refused && sent != want || res.GetStatus() != shim.OK {
			t.Fatalf("%d writes were sent, %d accepted: %v", sent, want, res)
		}
	}
}

// Misuse: a request left under way holds its transaction's slot, so the batch can't be sent, and the peer is told.
func TestBatchBehindAForgottenRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, underWay := make(chan error, 1), make(chan struct{})
		c := connectOffering(t, everything(), function(func(s stub) *shim.Response {
			s.StartWriteBatch()
			_ = s.PutState("k", nil)
			go func() { _, err := s.GetState("k"); left <- err }()
			<-underWay
			return shim.Success(nil)
		}))
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx")
		request := c.expect(pb.ChaincodeMessage_GET_STATE, nil)
		close(underWay)
		synctest.Wait()
		c.answer(request, pb.ChaincodeMessage_RESPONSE, nil)
		want := "failed send batch: [tx] error sending WRITE_BATCH_STATE: " + shim.ErrConcurrentRequest.Error()
		if m := c.expect(pb.ChaincodeMessage_ERROR, nil); string(m.GetPayload()) != want {
			t.Errorf("got %q", m.GetPayload())
		}
		if err := <-left; err != nil {
			t.Errorf("request that was left: %v", err)
		}
	})
}

// A batch that waits for its answer does not outlive the stream, nor its transaction.
func TestBatchIsFreed(t *testing.T) {
	batch := function(func(s stub) *shim.Response {
		s.StartWriteBatch()
		return firstError(s.PutState("k", s.GetArgs()[0]))
	})
	t.Run("by the stream's end", func(t *testing.T) {
		c := talk(t, shim.Config{ChaincodeID: "cc:1"}, batch)
		c.handshakeWith(marshal(t, everything()))
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx", "v")
		c.expect(pb.ChaincodeMessage_WRITE_BATCH_STATE, nil)
		c.end(nil)
		if err := <-c.done; !errors.Is(err, io.EOF) || strings.Contains(err.Error(), "still running") {
			t.Errorf("Chat: %v", err)
		}
	})
	t.Run("by the transaction's new start", func(t *testing.T) {
		c := connectOffering(t, everything(), batch)
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx", "old")
		c.expect(pb.ChaincodeMessage_WRITE_BATCH_STATE, nil)
		c.begin(pb.ChaincodeMessage_TRANSACTION, "tx", "new")
		expectBatch(c, putRecord("k", "new"))
		c.completed("tx")
	})
}
