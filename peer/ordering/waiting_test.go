package ordering_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// peers keep what they are given.
type peers struct {
	mu     sync.Mutex
	blocks map[uint64]*pb.Block
	asked  []uint64
}

func (p *peers) commit(b *pb.Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocks == nil {
		p.blocks = map[uint64]*pb.Block{}
	}
	p.blocks[b.GetHeader().GetNumber()] = b
}

func (p *peers) past(_ context.Context, _ string, number uint64) (*pb.Block, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, number)
	if b := p.blocks[number]; b != nil {
		return b, nil
	}
	return nil, errors.New("not found")
}

// roomy is a channel whose room is enough for two blocks of one envelope of 1000 bytes each, and not for three.
func roomy(t *testing.T, past *peers) *ordering.Orderer {
	t.Helper()
	cfg := ordering.Config{MaxWaitingBytes: 3000, Patience: time.Minute}
	if past != nil {
		cfg.Past = past.past
	}
	return newOrderer(t, cfg, ordering.Channel{Batch: ordering.Batch{AbsoluteMaxBytes: 3000}})
}

// number returns the number of the next block.
func number(t *testing.T, blocks ordering.Blocks) uint64 {
	t.Helper()
	return next(t, blocks).GetHeader().GetNumber()
}

// TestRoom has Broadcast wait until the only reader has committed a block.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := roomy(t, nil)
		blocks := deliver(t, o, 0)
		broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b'))
		done := make(chan error, 1)
		go func() { done <- o.Broadcast(t.Context(), sized(t, 1000, 'c')) }()
		number(t, blocks)
		synctest.Wait() // the reader has block 0, but may still be committing it
		select {
		case err := <-done:
			t.Fatalf("there is no room, but Broadcast returned: %v", err)
		default:
		}
		number(t, blocks)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := number(t, blocks); n != 2 {
			t.Errorf("the third block is %d", n)
		}
	})
}

// TestWaitingEnds has Broadcast wait for room in vain.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := roomy(t, nil)
		broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b')) // nobody reads
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		small := make(chan error, 1)
		go func() {
			synctest.Wait()
			small <- o.Broadcast(t.Context(), sized(t, 50, 'd')) // fits, and waits in line all the same
		}()
		if err := o.Broadcast(ctx, sized(t, 1000, 'c')); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Broadcast without room: %v", err)
		}
		if err := <-small; err != nil {
			t.Error(err)
		}
		go func() { small <- o.Broadcast(t.Context(), sized(t, 1000, 'e')) }()
		synctest.Wait()
		o.Close()
		var refusal *ordering.Error
		if err := <-small; !errors.As(err, &refusal) || refusal.Text != "chain is stopped" {
			t.Errorf("Broadcast that waits when the orderer is closed: %v", err)
		}
	})
}

// TestSlowReader is left behind after a while, and gets all from the ledger of the other one.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger peers
		o := roomy(t, &ledger)
		fast, slow := deliver(t, o, 0), deliver(t, o, 0)
		go func() {
			for {
				b, err := fast.Next(t.Context())
				if err != nil {
					return
				}
				ledger.commit(b)
			}
		}()
		start := time.Now()
		for i := range 10 {
			broadcast(t, o, sized(t, 1000, byte(i)))
			synctest.Wait()
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("10 blocks took %s, want one time of patience", d)
		}
		for i := range uint64(10) {
			if n := number(t, slow); n != i {
				t.Fatalf("slow reader gets block %d, want %d", n, i)
			}
		}
		// It has caught up, so what comes next waits for it again.
		start = time.Now()
		broadcast(t, o, sized(t, 1000, 'x'), sized(t, 1000, 'y'))
		if n := number(t, slow); n != 10 || time.Since(start) != 0 {
			t.Errorf("after that it gets block %d, after %s", n, time.Since(start))
		}
		o.Close()
	})
}

// TestPatience is as long as it is by itself.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger peers
		o := newOrderer(t, ordering.Config{Past: ledger.past, MaxWaitingBytes: 3000}, ordering.Channel{Batch: ordering.Batch{AbsoluteMaxBytes: 3000}})
		fast := deliver(t, o, 0)
		deliver(t, o, 0) // never reads
		broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b'))
		ledger.commit(next(t, fast))
		number(t, fast)
		start := time.Now()
		broadcast(t, o, sized(t, 1000, 'c'))
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("Broadcast waits for %s, want 10 s", d)
		}
	})
}

// TestNobodyIsLeftBehind unless Past has the block.
func TestNobodyIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger peers // keeps nothing
		o := roomy(t, &ledger)
		fast, slow := deliver(t, o, 0), deliver(t, o, 0)
		broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b'))
		number(t, fast)
		number(t, fast)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		if err := o.Broadcast(ctx, sized(t, 1000, 'c')); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Broadcast: %v", err)
		}
		if !slices.Equal(ledger.asked, []uint64{0, 0}) {
			t.Errorf("Past is asked for blocks %v", ledger.asked)
		}
		if n := number(t, slow); n != 0 {
			t.Errorf("slow reader gets block %d", n)
		}
	})
}

// TestReadersThatGo don't hold up anybody.
func TestReadersThatGo(t *testing.T) {
	for name, leave := range map[string]func(ordering.Blocks, context.CancelFunc){
		"Close":   func(b ordering.Blocks, _ context.CancelFunc) { b.Close() },
		"context": func(_ ordering.Blocks, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := roomy(t, nil)
				stays := deliver(t, o, 0)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				goes, err := o.Deliver(ctx, "mychannel", 0)
				if err != nil {
					t.Fatal(err)
				}
				broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b'))
				number(t, stays)
				number(t, stays)
				leave(goes, cancel)
				broadcast(t, o, sized(t, 1000, 'c'))
			})
		})
	}
}

// TestReaderComesBack at the block that it needs: those before it are committed.
func TestReaderComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ledger peers
		o := roomy(t, &ledger)
		blocks := deliver(t, o, 0)
		broadcast(t, o, sized(t, 1000, 'a'), sized(t, 1000, 'b'))
		ledger.commit(next(t, blocks))
		ledger.commit(next(t, blocks))
		blocks.Close()
		blocks = deliver(t, o, 2)
		broadcast(t, o, sized(t, 1000, 'c'))
		if n := number(t, blocks); n != 2 {
			t.Errorf("gets block %d", n)
		}
		old := deliver(t, o, 0)
		for i := range uint64(3) {
			if n := number(t, old); n != i {
				t.Errorf("who begins at the beginning gets block %d, want %d", n, i)
			}
		}
		if !slices.Equal(ledger.asked, []uint64{0, 1}) {
			t.Errorf("Past is asked for blocks %v", ledger.asked)
		}
	})
}

// TestPast can fail, or be wrong, or not be there.
func TestPast(t *testing.T) {
	for name, past := range map[string]func(context.Context, string, uint64) (*pb.Block, error){
		"none":  nil,
		"fails": func(context.Context, string, uint64) (*pb.Block, error) { return nil, errors.New("disk is gone") },
		"is wrong": func(context.Context, string, uint64) (*pb.Block, error) {
			return &pb.Block{Header: &pb.BlockHeader{Number: 3}}, nil
		},
	} {
		o := newOrderer(t, ordering.Config{Past: past}, ordering.Channel{Head: ordering.Head{Header: &pb.BlockHeader{Number: 1}}})
		if b, err := deliver(t, o, 1).Next(t.Context()); err == nil {
			t.Errorf("%s: got %v", name, b)
		}
	}
	hangs := func(ctx context.Context, _ string, _ uint64) (*pb.Block, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOrderer(t, ordering.Config{Past: hangs}, ordering.Channel{Head: ordering.Head{Header: &pb.BlockHeader{Number: 1}}})
		blocks := deliver(t, o, 0)
		go func() {
			synctest.Wait()
			blocks.Close()
		}()
		if b, err := blocks.Next(t.Context()); err == nil {
			t.Errorf("got %v", b)
		}
	})
}

// TestFutureBlocks are waited for.
func TestFutureBlocks(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{})
	ahead := deliver(t, o, 2)
	broadcast(t, o, sized(t, 50, 'a'), sized(t, 50, 'b'), sized(t, 50, 'c'))
	if n := number(t, ahead); n != 2 {
		t.Errorf("gets block %d", n)
	}
}
