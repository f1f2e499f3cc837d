package shim_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// benchPeer answers every request with value, and signals when the chaincode is ready and for every result.
func benchPeer(p *pipe.Peer, ready, value []byte, completed chan<- struct{}) {
	answer := &msg{Type: pb.ChaincodeMessage_RESPONSE}
	for {
		m, err := p.Recv()
		if err != nil {
			return
		}
		switch m.GetType() {
		case pb.ChaincodeMessage_REGISTER:
			_ = p.Send(&msg{Type: pb.ChaincodeMessage_REGISTERED})
			_ = p.Send(&msg{Type: pb.ChaincodeMessage_READY, Payload: ready})
			completed <- struct{}{}
		case pb.ChaincodeMessage_COMPLETED:
			completed <- struct{}{}
		default:
			answer.Txid, answer.ChannelId, answer.Payload = m.GetTxid(), m.GetChannelId(), value
			if p.Send(answer) != nil {
				return
			}
		}
	}
}

// benchmark runs cc over a pipe, and body with a function that runs one transaction.
func benchmark(b *testing.B, cc function, body func(transact func())) {
	p, s := pipe.New()
	completed, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- shim.StartInProc("cc:1", s, cc) }()
	go benchPeer(p, marshal(b, everything()), make([]byte, 100), completed)
	tx := &msg{Type: pb.ChaincodeMessage_TRANSACTION, Txid: "tx", ChannelId: "ch"}
	<-completed
	b.ReportAllocs()
	body(func() {
		if err := p.Send(tx); err != nil {
			b.Error(err)
		}
		<-completed
	})
	p.End(nil)
	if err := <-done; !errors.Is(err, io.EOF) {
		b.Errorf("StartInProc: %v", err)
	}
}

// BenchmarkGetState is a round trip within one transaction: shim, pipe both ways, and a peer that does nothing.
func BenchmarkGetState(b *testing.B) {
	run := func(s stub) *shim.Response {
		for b.Loop() {
			if v, err := s.GetState("asset-000017"); err != nil || len(v) != 100 {
				return shim.Error(fmt.Sprint(len(v), err))
			}
		}
		return shim.Success(nil)
	}
	benchmark(b, run, func(transact func()) { transact() })
}

func BenchmarkPutState(b *testing.B) {
	value := make([]byte, 100)
	run := func(s stub) *shim.Response {
		for b.Loop() {
			if err := s.PutState("asset-000017", value); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	}
	benchmark(b, run, func(transact func()) { transact() })
}

// BenchmarkPutStateInBatch is one write of a batch of 1000, which is sent by one request.
func BenchmarkPutStateInBatch(b *testing.B) {
	value, keys := make([]byte, 100), make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("asset-%06d", i)
	}
	run := func(s stub) *shim.Response {
		for i := 0; b.Loop(); i++ {
			if i%len(keys) == 0 {
				if err := s.FinishWriteBatch(); err != nil {
					return shim.Error(err.Error())
				}
				s.StartWriteBatch()
			}
			if err := s.PutState(keys[i%len(keys)], value); err != nil {
				return shim.Error(err.Error())
			}
		}
		return shim.Success(nil)
	}
	benchmark(b, run, func(transact func()) { transact() })
}

// BenchmarkTransaction is a transaction without requests.
func BenchmarkTransaction(b *testing.B) {
	benchmark(b, ok, func(transact func()) {
		for b.Loop() {
			transact()
		}
	})
}
