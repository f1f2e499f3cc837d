package ordering_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	senders   = 6
	perSender = 150
)

// TestEachEnvelopeOnce has many send and many read, with little room. Each envelope that is accepted is in one block, one sender's
// are in the order in which they were sent, and every reader gets every block once, whatever number it begins with.
func TestEachEnvelopeOnce(t *testing.T) {
	for name, batch := range map[string]ordering.Batch{
		"at once": {AbsoluteMaxBytes: 1000},
		"batches": {AbsoluteMaxBytes: 1000, PreferredMaxBytes: 700, MaxMessageCount: 7, Timeout: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var ledger peers
			o := newOrderer(t, ordering.Config{Past: ledger.past, MaxWaitingBytes: 4000, Patience: time.Millisecond}, ordering.Channel{Batch: batch})
			first := deliver(t, o, 0)
			var reading, sending sync.WaitGroup
			reading.Go(func() {
				readAll(t, first, 0, func(b *pb.Block) {
					ledger.commit(b)
					if n := b.GetHeader().GetNumber(); n < 40 && n%10 == 0 {
						blocks := deliver(t, o, n/2)
						reading.Go(func() { readSlowly(t, blocks, n/2, &ledger) })
					}
				})
			})
			for s := range senders {
				sending.Go(func() { send(t, o, s) })
			}
			sending.Wait()
			o.Close()
			reading.Wait()
			checkOrder(t, ledger.blocks)
		})
	}
}

// send broadcasts envelopes of random sizes, some of which are too large, with sender and number in them.
func send(t *testing.T, o *ordering.Orderer, sender int) {
	r := rand.New(rand.NewPCG(uint64(sender), 1)) //nolint:gosec // a test is to be repeatable
	for i := range perSender {
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(sender)), uint32(i)) //nolint:gosec // small
		if r.IntN(10) == 0 {
			if err := o.Broadcast(t.Context(), letter(t, 3, make([]byte, 1000))); err == nil {
				t.Error("an envelope that is too large is accepted")
			}
		}
		if err := o.Broadcast(t.Context(), letter(t, 3, append(data, make([]byte, r.IntN(800))...))); err != nil {
			t.Error(err)
		}
	}
}

// readAll reads until the end, and checks that the blocks follow each other.
func readAll(t *testing.T, blocks ordering.Blocks, from uint64, commit func(*pb.Block)) {
	var previous *pb.BlockHeader
	for number := from; ; number++ {
		b, err := blocks.Next(context.Background())
		if errors.Is(err, ordering.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		if previous == nil {
			previous = b.GetHeader()
			if previous.GetNumber() != from {
				t.Errorf("the first block is %d, want %d", previous.GetNumber(), from)
			}
		} else if err := block.Check(b, number, previous); err != nil {
			t.Error(err)
			return
		}
		previous = b.GetHeader()
		commit(b)
	}
}

// readSlowly reads as another peer does, whose disk is busy at times.
func readSlowly(t *testing.T, blocks ordering.Blocks, from uint64, ledger *peers) {
	r := rand.New(rand.NewPCG(from, 2)) //nolint:gosec // as above
	readAll(t, blocks, from, func(b *pb.Block) {
		ledger.commit(b)
		if r.IntN(20) == 0 {
			<-time.After(3 * time.Millisecond)
		}
	})
}

func checkOrder(t *testing.T, blocks map[uint64]*pb.Block) {
	t.Helper()
	next := map[uint32]uint32{}
	for i := range uint64(len(blocks)) {
		b := blocks[i]
		for _, data := range b.GetData().GetData() {
			var (
				e pb.Envelope
				p pb.Payload
			)
			unmarshal(t, data, &e)
			unmarshal(t, e.GetPayload(), &p)
			sender, number := binary.BigEndian.Uint32(p.GetData()), binary.BigEndian.Uint32(p.GetData()[4:])
			if number != next[sender] {
				t.Fatalf("sender %d's envelope %d comes where %d should", sender, number, next[sender])
			}
			next[sender]++
		}
	}
	for s := range uint32(senders) {
		if next[s] != perSender {
			t.Errorf("%d envelopes of sender %d are in blocks, want %d", next[s], s, perSender)
		}
	}
}
