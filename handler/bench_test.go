package handler_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// readiness is a registry for one chaincode that is told of once.
type readiness chan *handler.Handler

func (r readiness) Register(*handler.Handler) error { return nil }
func (r readiness) Ready(h *handler.Handler)        { r <- h }
func (r readiness) Deregister(*handler.Handler)     {}

// pipedHandler is a handler whose chaincode, over an in-process stream, answers each message with what say returns.
func pipedHandler(say func(*pb.ChaincodeMessage) *pb.ChaincodeMessage) (h *handler.Handler, stop func()) {
	near, far := pipe.New()
	ready := make(readiness, 1)
	go func() {
		near.End(handler.HandleChaincodeStream(context.Background(), handler.Config{Registry: ready}, near))
	}()
	_ = far.Send(registration("cc:1"))
	go func() {
		for m, err := far.Recv(); err == nil; m, err = far.Recv() {
			if answer := say(m); answer != nil {
				answer.Txid, answer.ChannelId = m.Txid, m.ChannelId
				_ = far.Send(answer)
			}
		}
	}()
	h = <-ready
	return h, func() { _ = far.CloseSend(); h.Wait() }
}

func simulation(rows int) *handler.Simulation {
	m := newMemory()
	p := &peer{memory: map[string]*memory{channel: m, "other": newMemory()}}
	p.rows(rows)
	sim, _ := m.NewSimulator(context.Background(), "tx")
	return handler.NewSimulation(sim)
}

// benchmarkRequest measures b.N requests of one transaction.
func benchmarkRequest(b *testing.B, request *pb.ChaincodeMessage) {
	left := b.N
	h, stop := pipedHandler(func(m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
		if m.Type != pb.ChaincodeMessage_TRANSACTION && m.Type != pb.ChaincodeMessage_RESPONSE {
			return nil
		}
		if left--; left < 0 {
			return completed()
		}
		return proto.CloneOf(request)
	})
	defer stop()
	sim := simulation(100)
	defer sim.Done()
	b.ReportAllocs()
	b.ResetTimer()
	tx := handler.TxParams{ChannelID: channel, TxID: "tx", Simulation: sim}
	if _, err := h.Execute(context.Background(), tx, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGetState(b *testing.B)   { benchmarkRequest(b, getState("k000")) }
func BenchmarkPutState(b *testing.B)   { benchmarkRequest(b, putState("a", "value")) }
func BenchmarkRangePage(b *testing.B)  { benchmarkRequest(b, getRange("", "")) }
func BenchmarkQueryClose(b *testing.B) { benchmarkRequest(b, closeQuery("1")) }

// BenchmarkNoOp is a transaction that asks for nothing.
func BenchmarkNoOp(b *testing.B) {
	h, stop := pipedHandler(func(m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
		if m.Type != pb.ChaincodeMessage_TRANSACTION {
			return nil
		}
		return completed()
	})
	defer stop()
	b.ReportAllocs()
	tx := handler.TxParams{ChannelID: channel, TxID: "tx"}
	for b.Loop() {
		if _, err := h.Execute(context.Background(), tx, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{}); err != nil {
			b.Fatal(err)
		}
	}
}
