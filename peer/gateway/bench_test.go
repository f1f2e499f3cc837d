package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The peers, the orderer and the ledger cost next to nothing, so it is the gateway that is measured.
func BenchmarkEvaluate(b *testing.B) {
	w := newWorld(b)
	g, req := w.gateway(b), &pb.EvaluateRequest{ProposedTransaction: w.proposal(b, "asset", "mychannel", nil)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Evaluate(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// Endorsed by two organizations, submitted, and waited for.
func BenchmarkSubmitWithStatus(b *testing.B) {
	w := newWorld(b)
	w.policies["asset"] = parse(b, "AND('Org1MSP.peer', 'Org2MSP.peer')")
	w.orderers.Nodes = []gateway.Orderer{{Broadcaster: discard{}}}
	g, req := w.gateway(b), &pb.EndorseRequest{ProposedTransaction: w.proposal(b, "asset", "mychannel", nil)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		endorsed, err := g.Endorse(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		endorsed.PreparedTransaction.Signature = []byte("signature")
		if _, err := g.Submit(b.Context(), &pb.SubmitRequest{ChannelId: "mychannel", PreparedTransaction: endorsed.PreparedTransaction}); err != nil {
			b.Fatal(err)
		}
		txID := fmt.Sprint("tx", i)
		w.ledger = newLedger() // which would grow
		w.ledger.looked = func() { w.ledger.commit(valid(txID)) }
		if _, err := g.CommitStatus(b.Context(), statusRequest("mychannel", txID)); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

// Broadcast implements gateway.Broadcaster.
func (discard) Broadcast(context.Context, []byte) error { return nil }

// Clients that read the events of other chaincodes cost a block nothing.
func BenchmarkEventsOfOthers(b *testing.B) {
	for _, others := range []int{0, 1000} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			w := newWorld(b)
			g := w.gateway(b)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var ended sync.WaitGroup
			for i := range others {
				ended.Go(func() {
					_ = g.Events(ctx, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.ChaincodeId = fmt.Sprint("other", i) }), func(*pb.ChaincodeEventsResponse) error { return nil })
				})
			}
			got := make(chan struct{})
			ended.Go(func() {
				_ = g.Events(ctx, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(*pb.ChaincodeEventsResponse) error { got <- struct{}{}; return nil })
			})
			tx := event("tx asset Created")
			for b.Loop() {
				w.ledger.commit(tx)
				<-got
			}
			cancel()
			ended.Wait()
		})
	}
}
