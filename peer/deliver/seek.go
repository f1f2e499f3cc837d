package deliver

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// span is the blocks that a client gets.
type span struct {
	next, last uint64 // a last that never comes is for ever
	failFast   bool   // says that a block that isn't there ends it
	headers    bool   // says that only headers are wanted
}

// errNotFound and errBackwards say why there is no span.
var (
	errNotFound  = errors.New("there is no such block")
	errBackwards = errors.New("stop is before start")
)

// newSpan finds out where a seek begins and ends. A start that is there is allowed to be the height, since the next block is going to
// be there. Different clients mean different numbers by "for ever", so all that are beyond the height are the same. The end of the chain, where a span begins that goes on, is at most at mostEnd.
func newSpan(ctx context.Context, l Ledger, seek *pb.SeekInfo, mostEnd uint64) (span, error) {
	s := span{
		failFast: seek.GetBehavior() == pb.SeekInfo_FAIL_IF_NOT_READY,
		headers:  seek.GetContentType() == pb.SeekInfo_HEADER_WITH_SIG,
	}
	height, err := l.Height(ctx)
	if err != nil {
		return span{}, err
	}
	end := height
	if _, goesOn := seek.GetStop().GetType().(*pb.SeekPosition_Specified); goesOn {
		end = min(height, mostEnd)
	}
	switch start := seek.GetStart().GetType().(type) {
	case *pb.SeekPosition_Oldest:
	case *pb.SeekPosition_Newest:
		s.next = newest(end)
	case *pb.SeekPosition_NextCommit:
		s.next = end
	case *pb.SeekPosition_Specified:
		if s.next = start.Specified.GetNumber(); s.next > height {
			return span{}, errNotFound
		}
	default:
		return span{}, errNotFound
	}
	switch stop := seek.GetStop().GetType().(type) {
	case *pb.SeekPosition_Oldest:
		s.last = s.next
	case *pb.SeekPosition_Newest:
		s.last = newest(height)
		if !proto.Equal(seek.GetStart(), seek.GetStop()) { // who wants just the newest block gets just one
			if height, err = l.Height(ctx); err != nil {
				return span{}, err
			}
			s.last = newest(height)
		}
	case *pb.SeekPosition_Specified:
		if s.last = stop.Specified.GetNumber(); s.last < s.next {
			return span{}, errBackwards
		}
	}
	return s, nil // other stops are block 0, as in Fabric: who has begun after it never gets there
}

// newest is the number of the newest block. In a channel without blocks it is that of the first one.
func newest(height uint64) uint64 { return max(height, 1) - 1 }
