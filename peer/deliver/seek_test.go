package deliver_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestSpans asks for parts of a channel with 5 blocks. Those that wait for ever are told by the channel's end.
func TestSpans(t *testing.T) {
	for name, tc := range map[string]struct {
		start, stop *pb.SeekPosition
		behavior    pb.SeekInfo_SeekBehavior
		want        []int // block numbers; then -status, or nothing if it waits for block 5
	}{
		"oldest to oldest":          {oldest, oldest, 0, []int{0, -200}},
		"oldest to newest":          {oldest, newest, 0, []int{0, 1, 2, 3, 4, -200}},
		"newest to newest":          {newest, newest, 0, []int{4, -200}},
		"newest to oldest":          {newest, oldest, 0, []int{4, -200}},
		"2 to 3":                    {at(2), at(3), 0, []int{2, 3, -200}},
		"2 to 2":                    {at(2), at(2), 0, []int{2, -200}},
		"3 to 2":                    {at(3), at(2), 0, []int{-400}},
		"3 to newest":               {at(3), newest, 0, []int{3, 4, -200}},
		"2 to oldest":               {at(2), oldest, 0, []int{2, -200}},
		"newest to 3":               {newest, at(3), 0, []int{-400}},
		"oldest to next commit":     {oldest, nextCommit, 0, []int{0, -200}},
		"oldest to nothing":         {oldest, &pb.SeekPosition{}, 0, []int{0, -200}},
		"nothing":                   {&pb.SeekPosition{}, at(3), 0, []int{-404}},
		"nothing to nothing":        {&pb.SeekPosition{}, &pb.SeekPosition{}, 0, []int{-404}},
		"height":                    {at(5), at(9), 0, nil},
		"beyond":                    {at(6), at(9), 0, []int{-404}},
		"beyond, and backwards":     {at(6), at(2), 0, []int{-404}},
		"next commit":               {nextCommit, at(math.MaxUint64), 0, nil},
		"next commit to newest":     {nextCommit, newest, 0, nil},
		"2^64-1":                    {at(3), at(math.MaxUint64), 0, []int{3, 4}},
		"2^63-1":                    {at(3), at(math.MaxInt64), 0, []int{3, 4}},
		"2^53-1":                    {at(3), at(1<<53 - 1), 0, []int{3, 4}},
		"from 2^64-1":               {at(math.MaxUint64), at(math.MaxUint64), 0, []int{-404}},
		"fail: all":                 {oldest, newest, 1, []int{0, 1, 2, 3, 4, -200}},
		"fail: for ever":            {at(3), at(math.MaxUint64), 1, []int{3, 4, -404}},
		"fail: height":              {at(5), at(5), 1, []int{-404}},
		"fail: next commit":         {nextCommit, at(9), 1, []int{-404}},
		"2 to nothing, for ever":    {at(2), &pb.SeekPosition{}, 0, []int{2, 3, 4}},
		"2 to next commit, forever": {at(2), nextCommit, 0, []int{2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 5)
				for _, m := range []method{f.Deliver, f.DeliverFiltered, f.DeliverWithPrivateData} {
					ctx, cancel := context.WithCancel(t.Context())
					p := newPlayed(ctx)
					p.in <- seek(t, &pb.SeekInfo{Start: tc.start, Stop: tc.stop, Behavior: tc.behavior})
					close(p.in)
					var all []*pb.DeliverResponse
					end := make(chan error, 1)
					go func() { end <- m(p) }()
					var err error
					for over := false; !over; {
						synctest.Wait()
						select {
						case r := <-p.out:
							all = append(all, r)
						case err = <-end:
							over = true
						default: // it waits
							cancel()
						}
					}
					cancel()
					if got := numbers(all); !slices.Equal(got, tc.want) {
						t.Errorf("got %v, want %v", got, tc.want)
					}
					waited := len(tc.want) == 0 || tc.want[len(tc.want)-1] >= 0
					if text := "context finished before block retrieved: context canceled"; waited && (err == nil || err.Error() != text) {
						t.Errorf("the stream ends with %v, want %q", err, text)
					} else if !waited && err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestEmptyChannel waits for the first block, from wherever it is asked for.
func TestEmptyChannel(t *testing.T) {
	for name, start := range map[string]*pb.SeekPosition{"oldest": oldest, "newest": newest, "next commit": nextCommit, "0": at(0)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 0)
				p := newPlayed(t.Context())
				p.in <- seek(t, &pb.SeekInfo{Start: start, Stop: at(0)})
				close(p.in)
				end := make(chan error, 1)
				go func() { end <- f.Deliver(p) }()
				synctest.Wait()
				f.chain.add(t)
				if got := numbers([]*pb.DeliverResponse{<-p.out, <-p.out}); !slices.Equal(got, []int{0, -200}) {
					t.Errorf("got %v", got)
				}
				if err := <-end; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// F198: TestOvertaken has blocks committed between the opening of a stream and its first envelope.
func TestOvertaken(t *testing.T) {
	const forEver = math.MaxUint64
	for name, tc := range map[string]struct {
		start, stop *pb.SeekPosition
		after       time.Duration
		want        []int // of 5 blocks, 3 of which the channel has when the stream is opened
	}{
		"newest":                {newest, at(forEver), 0, []int{2, 3, 4}},
		"next commit":           {nextCommit, at(forEver), 0, []int{3, 4}},
		"to a block":            {newest, at(7), 0, []int{2, 3, 4}},
		"to one that is there":  {nextCommit, at(3), 0, []int{3, -200}},
		"just the newest":       {newest, newest, 0, []int{4, -200}},
		"newest, later":         {newest, at(forEver), 2 * time.Second, []int{4}},
		"next commit, later":    {nextCommit, at(forEver), 2 * time.Second, nil},
		"from the beginning on": {at(1), at(forEver), 0, []int{1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, func(cfg *deliver.Config, f *fixture) {
					f.channel.Reached = func() uint64 {
						height, err := f.chain.Height(t.Context())
						if err != nil {
							t.Error(err)
						}
						return height
					}
					cfg.Channels = func() []*deliver.Channel { return []*deliver.Channel{f.channel} }
				})
				ctx, cancel := context.WithCancel(t.Context())
				p := newPlayed(ctx)
				end := make(chan error, 1)
				go func() { end <- f.Deliver(p) }()
				synctest.Wait()
				f.chain.add(t)
				f.chain.add(t)
				time.Sleep(tc.after) //nolint:forbidigo // the clock is synctest's
				p.in <- seek(t, &pb.SeekInfo{Start: tc.start, Stop: tc.stop})
				if got := numbers(waiting(p)); !slices.Equal(got, tc.want) {
					t.Errorf("got %v, want %v", got, tc.want)
				}
				if tc.stop == newest { // the second envelope means the end of now
					f.chain.add(t)
					p.in <- seek(t, &pb.SeekInfo{Start: newest, Stop: at(forEver)})
					if got := numbers(waiting(p)); !slices.Equal(got, []int{5}) {
						t.Errorf("got %v", got)
					}
				}
				cancel()
				if err := <-end; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}

// waiting reads what a stream sends until it waits.
func waiting(p *played) (all []*pb.DeliverResponse) {
	for {
		synctest.Wait()
		select {
		case r := <-p.out:
			all = append(all, r)
		default:
			return all
		}
	}
}
