package deliver_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// subscribe opens a stream over gRPC, and waits until it has had the first block.
func subscribe(ctx context.Context, t testing.TB, cc *grpc.ClientConn, method string, e *pb.Envelope) grpc.BidiStreamingClient[pb.Envelope, pb.DeliverResponse] {
	t.Helper()
	s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, cc, method)
	if err == nil {
		err = s.Send(e)
	}
	if err == nil {
		_, err = s.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestManySubscribers has 1,000 clients follow a channel. Each block is read once for all of them.
func TestManySubscribers(t *testing.T) {
	const subscribers, blocks = 1000, 5
	f := newFixture(t, 1)
	cc := serve(t, f.Server, deliver.ServerOption())
	forEver := seek(t, &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64)})
	methods := []string{pbgrpc.Deliver_Deliver_FullMethodName, pbgrpc.Deliver_DeliverFiltered_FullMethodName, pbgrpc.Deliver_DeliverWithPrivateData_FullMethodName}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range subscribers {
		s := subscribe(ctx, t, cc, methods[i%3], forEver)
		all.Go(func() {
			for n := 1; n <= blocks; n++ {
				r, err := s.Recv()
				if err != nil {
					t.Error(err)
					return
				}
				if got := numbers([]*pb.DeliverResponse{r}); len(got) != 1 || got[0] != n {
					t.Errorf("got %v, want block %d", got, n)
				}
			}
		})
	}
	for range blocks {
		f.chain.add(t, transaction(t, pb.HeaderType_MESSAGE, nil))
	}
	all.Wait()
	if f.chain.reads != blocks+1 {
		t.Errorf("%d blocks were read, want %d", f.chain.reads, blocks+1)
	}
}

// BenchmarkBlock is what a block costs until all subscribers have it: one of 100 transactions of 3 KiB.
func BenchmarkBlock(b *testing.B) {
	for _, method := range []string{pbgrpc.Deliver_Deliver_FullMethodName, pbgrpc.Deliver_DeliverFiltered_FullMethodName} {
		for _, subscribers := range []int{1, 1000} {
			for name, opts := range map[string][]grpc.ServerOption{"own": nil, "shared": {deliver.ServerOption()}} {
				b.Run(fmt.Sprintf("%s/%d/%s", method[len("/protos.Deliver/"):], subscribers, name), func(b *testing.B) {
					benchmarkBlock(b, method, subscribers, opts)
				})
			}
		}
	}
}

func benchmarkBlock(b *testing.B, method string, subscribers int, opts []grpc.ServerOption) {
	var entries [][]byte
	for range 100 {
		event := action(b, &pb.ChaincodeEvent{ChaincodeId: "asset", TxId: "tx", EventName: "created", Payload: make([]byte, 3<<10)})
		entries = append(entries, transaction(b, pb.HeaderType_ENDORSER_TRANSACTION, with(b, event)))
	}
	f := newFixture(b, 1)
	cc := serve(b, f.Server, opts...)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	e := seek(b, &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64)})
	got := make(chan error, subscribers)
	for range subscribers {
		s := subscribe(ctx, b, cc, method, e)
		go func() {
			var raw discard
			for {
				err := s.RecvMsg(&raw)
				got <- err
				if err != nil {
					return
				}
			}
		}()
	}
	b.ReportAllocs()
	for b.Loop() {
		f.chain.add(b, entries...)
		for range subscribers {
			if err := <-got; err != nil {
				b.Fatal(err)
			}
		}
	}
	cancel()
	for range subscribers {
		if err := <-got; err == nil {
			b.Error("a stream goes on")
		}
	}
}

// discard is a message that costs nothing to decode: it is what the client does.
type discard = pb.SeekNewest

// BenchmarkIdle measures what a subscriber that waits takes in memory: alone, and with both ends of its gRPC stream.
func BenchmarkIdle(b *testing.B) {
	const subscribers = 2000
	e := seek(b, &pb.SeekInfo{Start: oldest, Stop: at(math.MaxUint64)})
	measure := func(b *testing.B, open func(ctx context.Context, f *fixture) (wait func())) {
		for b.Loop() {
			f := newFixture(b, 1)
			ctx, cancel := context.WithCancel(b.Context())
			before := used()
			wait := open(ctx, f)
			b.ReportMetric(float64(used()-before)/subscribers, "B/subscriber")
			cancel()
			wait()
		}
	}
	b.Run("alone", func(b *testing.B) {
		measure(b, func(ctx context.Context, f *fixture) func() {
			var all sync.WaitGroup
			for range subscribers {
				p := newPlayed(ctx)
				all.Go(func() {
					if err := f.Deliver(p); err == nil {
						b.Error("a stream has ended")
					}
				})
				p.in <- proto.CloneOf(e)
				<-p.out
			}
			return all.Wait
		})
	})
	b.Run("gRPC", func(b *testing.B) {
		measure(b, func(ctx context.Context, f *fixture) func() {
			cc := serve(b, f.Server)
			for range subscribers {
				subscribe(ctx, b, cc, pbgrpc.Deliver_Deliver_FullMethodName, e)
			}
			return func() {}
		})
	})
}

// used is the memory that is in use, stacks included.
func used() int64 {
	runtime.GC()
	runtime.GC() // what is in a sync.Pool goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // it is less
}
