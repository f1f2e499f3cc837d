package script

import (
	"context"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// patience is how long nothing comes before something is done so that it comes. A network that isn't as fast, on a machine that is busy,
// may give another line.
const patience = 500 * time.Millisecond

// await receives something. If nothing comes, there will be blocks with events until it does.
func await[T any](r *run, receive func() (T, error)) (got T, err error) {
	type received struct {
		got T
		err error
	}
	result := make(chan received, 1)
	go func() {
		got, err := receive()
		result <- received{got, err}
	}()
	for {
		select {
		case came := <-result:
			return came.got, came.err
		case <-time.After(patience):
			r.emit(program.Either, "awaited", "")
		}
	}
}

// delivery is a stream of blocks.
type delivery struct {
	send    func(*common.Envelope) error
	receive func() (any, error)
}

// The methods that deliver blocks.
const (
	full     = "Deliver"
	filtered = "DeliverFiltered"
	private  = "DeliverWithPrivateData"
)

// deliver opens a stream of a peer, until ctx ends.
func (r *run) deliver(ctx context.Context, conn *grpc.ClientConn, method string) delivery {
	c := peer.NewDeliverClient(conn)
	open := map[string]func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[common.Envelope, peer.DeliverResponse], error){
		full: c.Deliver, filtered: c.DeliverFiltered, private: c.DeliverWithPrivateData,
	}[method]
	stream, err := open(ctx)
	r.must(err)
	return delivery{stream.Send, func() (any, error) {
		response, err := stream.Recv()
		return r.delivered(response), err
	}}
}

// fromOrderer opens a stream of the orderer, until ctx ends.
func (r *run) fromOrderer(ctx context.Context) delivery {
	stream, err := orderer.NewAtomicBroadcastClient(r.orderer).Deliver(ctx)
	r.must(err)
	return delivery{stream.Send, func() (any, error) {
		response, err := stream.Recv()
		if response.GetBlock() != nil {
			return position(response.GetBlock().GetHeader().GetNumber()), err
		}
		return response.GetStatus(), err
	}}
}

// position is the number of a block that came.
type position uint64

// delivered is a status, or the number of a block.
func (r *run) delivered(response *peer.DeliverResponse) any {
	switch t := response.GetType().(type) {
	case *peer.DeliverResponse_Block:
		return position(t.Block.GetHeader().GetNumber())
	case *peer.DeliverResponse_FilteredBlock:
		return position(t.FilteredBlock.GetNumber())
	case *peer.DeliverResponse_BlockAndPrivateData:
		return position(t.BlockAndPrivateData.GetBlock().GetHeader().GetNumber())
	default:
		return response.GetStatus()
	}
}

// seekEnvelope is a request for blocks, as clients make it.
func (r *run) seekEnvelope(by string, seek *orderer.SeekInfo) *common.Envelope {
	return r.envelope(by, r.seekHeader(), marshal(seek))
}

func (r *run) seekHeader() *common.ChannelHeader {
	return &common.ChannelHeader{Type: int32(common.HeaderType_DELIVER_SEEK_INFO), ChannelId: r.target.Channel, Timestamp: timestamppb.Now(), TlsCertHash: r.hash}
}

// seek sends a request, and says what comes until a status, or an error, or until blocks are waited for.
func (r *run) seek(d delivery, e *common.Envelope) []string {
	r.must(d.send(e))
	said := []string{}
	for {
		got, err := await(r, d.receive)
		number, isBlock := got.(position)
		switch {
		case err == io.EOF:
			return append(said, "end")
		case err != nil:
			f := r.failure(err)
			return append(said, f["code"].(string)+": "+f["message"].(string))
		case !isBlock:
			return append(said, got.(common.Status).String())
		case uint64(number) >= r.from: // it wasn't there yet
			return append(said, "waits")
		default:
			said = append(said, r.block(uint64(number)))
		}
	}
}

// peerSeek opens a stream of the first organization's peer, sends a request, and says what comes.
func (r *run) peerSeek(method string, e *common.Envelope) []string {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	return r.seek(r.deliver(ctx, r.peers[first], method), e)
}

// place is where a seek starts or stops, for the height of the ledger.
type place struct {
	name string
	at   func(height uint64) *orderer.SeekPosition
}

func places() []place {
	fixed := func(p *orderer.SeekPosition) func(uint64) *orderer.SeekPosition {
		return func(uint64) *orderer.SeekPosition { return p }
	}
	from := func(difference int64) func(uint64) *orderer.SeekPosition {
		return func(height uint64) *orderer.SeekPosition { return at(uint64(int64(height) + difference)) } //nolint:gosec // there are some blocks
	}
	return []place{
		{"nothing", fixed(nil)},
		{"no type", fixed(&orderer.SeekPosition{})},
		{"oldest", fixed(oldest)},
		{"newest", fixed(newest)},
		{"next", fixed(next)},
		{"last-2", from(-3)},
		{"last", from(-1)},
		{"height", from(0)},
		{"height+1", from(1)},
		{"2^53-1", fixed(at(1<<53 - 1))},
		{"2^63-1", fixed(at(math.MaxInt64))},
		{"2^64-1", fixed(at(math.MaxUint64))},
	}
}

// seekSteps seek from all places to all places, and say for each start what comes for each stop.
func seekSteps() []step {
	var all []step
	for _, behavior := range []orderer.SeekInfo_SeekBehavior{orderer.SeekInfo_BLOCK_UNTIL_READY, orderer.SeekInfo_FAIL_IF_NOT_READY} {
		for _, start := range places() {
			all = append(all, step{"seek: " + behavior.String() + " from " + start.name, func(r *run) any {
				return r.seekTo(start, behavior, func(ctx context.Context) delivery { return r.deliver(ctx, r.peers[first], full) })
			}})
		}
	}
	return all
}

// seekTo seeks from a place to all places at once, each on a stream of its own.
func (r *run) seekTo(start place, behavior orderer.SeekInfo_SeekBehavior, open func(context.Context) delivery) say {
	var (
		mu      sync.Mutex
		seeking sync.WaitGroup
	)
	said := say{}
	for _, stop := range places() {
		if start.name == "oldest" && !slices.Contains([]string{"nothing", "no type", "oldest"}, stop.name) {
			continue // all blocks would come
		}
		seek := &orderer.SeekInfo{Start: start.at(r.from), Stop: stop.at(r.from), Behavior: behavior}
		seeking.Go(func() {
			ctx, cancel := context.WithCancel(r.ctx)
			defer cancel()
			came := r.seek(open(ctx), r.seekEnvelope("User1@"+first, seek))
			mu.Lock()
			defer mu.Unlock()
			said["to "+stop.name] = came
		})
	}
	seeking.Wait()
	return said
}

// newestOnly seeks the newest block.
var newestOnly = &orderer.SeekInfo{Start: newest, Stop: newest}

func seekWrongSteps() []step {
	all := table("seek: ", users(), func(r *run, who string) any {
		said := say{}
		for _, method := range []string{full, filtered, private} {
			said[method] = r.peerSeek(method, r.seekEnvelope(who, newestOnly))
		}
		return said
	})
	return append(all, table("seek: ", slices.Concat(wrongSeeks(), wrongHeaders()), func(r *run, made func(*run) *common.Envelope) any {
		return say{full: r.peerSeek(full, made(r)), filtered: r.peerSeek(filtered, made(r)), private: r.peerSeek(private, made(r))}
	})...)
}

// wrongSeeks are envelopes of which something else than the channel header is wrong.
func wrongSeeks() []row[func(*run) *common.Envelope] {
	const user = "User1@" + first
	return []row[func(*run) *common.Envelope]{
		{"an empty envelope", func(*run) *common.Envelope { return &common.Envelope{} }},
		{"a payload that isn't one", func(r *run) *common.Envelope { return r.signEnvelope(user, []byte("\xff")) }},
		{"no header", func(r *run) *common.Envelope {
			return r.signEnvelope(user, marshal(&common.Payload{Data: marshal(newestOnly)}))
		}},
		{"bytes that aren't a seek", func(r *run) *common.Envelope { return r.envelope(user, r.seekHeader(), []byte("\xff")) }},
		{"an empty seek", func(r *run) *common.Envelope { return r.envelope(user, r.seekHeader(), nil) }},
		{"no nonce", func(r *run) *common.Envelope {
			header := &common.Header{ChannelHeader: marshal(r.seekHeader()), SignatureHeader: marshal(&common.SignatureHeader{Creator: r.users[user].creator})}
			return r.signEnvelope(user, marshal(&common.Payload{Header: header, Data: marshal(newestOnly)}))
		}},
		{"no signature header", func(r *run) *common.Envelope {
			header := &common.Header{ChannelHeader: marshal(r.seekHeader())}
			return r.signEnvelope(user, marshal(&common.Payload{Header: header, Data: marshal(newestOnly)}))
		}},
		{"another's signature", func(r *run) *common.Envelope {
			return r.signEnvelope("Admin@"+first, r.seekEnvelope(user, newestOnly).GetPayload())
		}},
		{"no signature", func(r *run) *common.Envelope {
			return &common.Envelope{Payload: r.seekEnvelope(user, newestOnly).GetPayload()}
		}},
	}
}

// wrongHeaders are envelopes with a channel header that something is wrong with.
func wrongHeaders() []row[func(*run) *common.Envelope] {
	spoiled := func(name string, spoil func(*common.ChannelHeader)) row[func(*run) *common.Envelope] {
		return row[func(*run) *common.Envelope]{name, func(r *run) *common.Envelope {
			header := r.seekHeader()
			spoil(header)
			return r.envelope("User1@"+first, header, marshal(newestOnly))
		}}
	}
	return []row[func(*run) *common.Envelope]{
		spoiled("no timestamp", func(h *common.ChannelHeader) { h.Timestamp = nil }),
		spoiled("an old timestamp", func(h *common.ChannelHeader) { h.Timestamp = timestamppb.New(time.Now().Add(-time.Hour)) }),
		spoiled("a timestamp in the future", func(h *common.ChannelHeader) { h.Timestamp = timestamppb.New(time.Now().Add(time.Hour)) }),
		spoiled("no channel", func(h *common.ChannelHeader) { h.ChannelId = "" }),
		spoiled("an unknown channel", func(h *common.ChannelHeader) { h.ChannelId = "unknown" }),
		spoiled("another type of header", func(h *common.ChannelHeader) { h.Type = int32(common.HeaderType_MESSAGE) }),
		spoiled("no hash of a TLS certificate", func(h *common.ChannelHeader) { h.TlsCertHash = nil }),
		spoiled("another hash of a TLS certificate", func(h *common.ChannelHeader) { h.TlsCertHash = make([]byte, 32) }),
	}
}
