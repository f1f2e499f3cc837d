package script

import (
	"context"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// last is the name of the event that ends what a step listens to.
const last = "last"

// emit submits a transaction with an event, and returns its ID and block.
func (r *run) emit(chaincode, name, payload string) (txID string, block uint64) {
	_, commit, err := r.contract(chaincode).SubmitAsyncWithContext(r.ctx, "event", client.WithArguments(name, payload))
	r.must(err)
	st, err := commit.StatusWithContext(r.ctx)
	r.must(err)
	return st.TransactionID, st.BlockNumber
}

// listen says which events come until one named last.
func (r *run) listen(events <-chan *client.ChaincodeEvent) []string {
	said := []string{}
	for e := range events {
		said = append(said, strings.Join([]string{r.block(e.BlockNumber), e.ChaincodeName, e.EventName, r.bytes(e.Payload)}, " "))
		if e.EventName == last {
			return said
		}
	}
	return append(said, "end")
}

// events opens a stream of events. It ends with the step.
func (r *run) events(chaincode string, options ...client.ChaincodeEventsOption) <-chan *client.ChaincodeEvent {
	events, err := r.network().ChaincodeEvents(r.ctx, chaincode, options...)
	r.must(err)
	return drain(r, events)
}

func eventSteps() []step {
	return []step{
		{"events: from a block", func(r *run) any {
			_, block := r.emit(program.Either, "one", "1")
			r.emit(program.Either, "two", "2")
			r.emit(program.Either, last, "")
			return r.listen(r.events(program.Either, client.WithStartBlock(block)))
		}},
		{"events: from now on", func(r *run) any {
			r.emit(program.Either, "before", "")
			events := r.events(program.Either)
			for { // the stream may begin after the first ones
				r.emit(program.Either, last, "")
				select {
				case e := <-events:
					return e.EventName
				default:
				}
			}
		}},
		{"events: of the chaincode only, and of valid transactions only", func(r *run) any {
			r.emit(program.Other, "other", "")
			r.submitBy(r.contract(program.First), "event", client.WithArguments("invalid", ""), client.WithEndorsingOrganizations(second))
			r.submit(program.Either, "failevent", "404", "none")
			r.emit(program.First, "valid", "")
			r.emit(program.First, last, "")
			return r.listen(r.events(program.First, client.WithStartBlock(r.from)))
		}},
		{"events: after a transaction", func(r *run) any {
			one, block := r.emit(program.Either, "one", "1")
			r.emit(program.Either, "two", "2")
			r.emit(program.Either, last, "")
			checkpoint := new(client.InMemoryCheckpointer)
			checkpoint.CheckpointTransaction(block, one)
			return r.listen(r.events(program.Either, client.WithCheckpoint(checkpoint)))
		}},
		{"events: after a block", func(r *run) any {
			_, block := r.emit(program.Either, "one", "1")
			r.emit(program.Either, "two", "2")
			r.emit(program.Either, last, "")
			checkpoint := new(client.InMemoryCheckpointer)
			checkpoint.CheckpointBlock(block)
			return r.listen(r.events(program.Either, client.WithCheckpoint(checkpoint)))
		}},
	}
}

// replaySteps listen to what has been before, and to what will be.
func replaySteps() []step {
	return []step{
		{"events: a checkpoint that is empty", func(r *run) any {
			r.emit(program.Either, "one", "1")
			r.emit(program.Either, last, "")
			return r.listen(r.events(program.Either, client.WithStartBlock(r.from), client.WithCheckpoint(new(client.InMemoryCheckpointer))))
		}},
		{"events: replayed by two", func(r *run) any {
			r.emit(program.Either, "one", "1")
			r.emit(program.Either, last, "")
			return []any{r.listen(r.events(program.Either, client.WithStartBlock(r.from))), r.listen(r.events(program.Either, client.WithStartBlock(r.from)))}
		}},
		{"events: from a block that isn't there yet", func(r *run) any {
			events := r.events(program.Either, client.WithStartBlock(r.from+2))
			for _, name := range []string{"one", "two", "three", last} {
				r.emit(program.Either, name, "")
			}
			return r.listen(events)
		}},
		{"events: an empty name", func(r *run) any {
			return []any{r.submit(program.Either, "event", "", "v"), r.submit(program.Either, "event", "$k", "")}
		}},
		{"events: of an unknown chaincode", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			events, err := r.network().ChaincodeEvents(ctx, "unknown", client.WithStartBlock(0))
			r.must(err)
			cancel()
			_, open := <-events
			return open
		}},
	}
}

// rawEvents asks for events without the official client, and says what comes first.
func (r *run) rawEvents(by string, request []byte) any {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	signed := &gateway.SignedChaincodeEventsRequest{Request: request}
	if request != nil {
		signed.Signature = r.signature(by, request)
	}
	stream, err := r.gateway().ChaincodeEvents(ctx, signed)
	r.must(err)
	height := r.height(r.ctx, first)
	response, err := await(r, stream.Recv)
	switch {
	case err != nil:
		return r.failure(err)
	case response.GetBlockNumber() >= height: // it wasn't there yet
		return "waits for events"
	}
	var said []say
	for _, e := range response.GetEvents() {
		said = append(said, r.event(e))
	}
	return say{"block": r.block(response.GetBlockNumber()), "events": said}
}

func at(number uint64) *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: number}}}
}

var (
	oldest = &orderer.SeekPosition{Type: &orderer.SeekPosition_Oldest{Oldest: &orderer.SeekOldest{}}}
	newest = &orderer.SeekPosition{Type: &orderer.SeekPosition_Newest{Newest: &orderer.SeekNewest{}}}
	next   = &orderer.SeekPosition{Type: &orderer.SeekPosition_NextCommit{NextCommit: &orderer.SeekNextCommit{}}}
)

func eventRequestSteps() []step {
	const user = "User1@" + first
	request := func(r *run, by string, start *orderer.SeekPosition) *gateway.ChaincodeEventsRequest {
		return &gateway.ChaincodeEventsRequest{ChannelId: r.target.Channel, ChaincodeId: program.Either, Identity: r.users[by].creator, StartPosition: start}
	}
	refused := func(name string, made func(r *run) []byte) step {
		return step{"events: " + name, func(r *run) any { return r.rawEvents(user, made(r)) }}
	}
	spoiled := func(name string, start *orderer.SeekPosition, spoil func(*gateway.ChaincodeEventsRequest)) step {
		return refused(name, func(r *run) []byte {
			q := request(r, user, start)
			spoil(q)
			return marshal(q)
		})
	}
	all := table("events: ", users(), func(r *run, who string) any {
		r.emit(program.Either, "one", "1")
		return r.rawEvents(who, marshal(request(r, who, at(r.from))))
	})
	return append(all,
		refused("an empty request", func(*run) []byte { return nil }),
		refused("bytes that aren't a request", func(*run) []byte { return []byte("\xff") }),
		spoiled("from the oldest block", oldest, func(*gateway.ChaincodeEventsRequest) {}),
		spoiled("from the newest block", newest, func(*gateway.ChaincodeEventsRequest) {}),
		spoiled("a start without a type", &orderer.SeekPosition{}, func(*gateway.ChaincodeEventsRequest) {}),
		spoiled("no channel", next, func(q *gateway.ChaincodeEventsRequest) { q.ChannelId = "" }),
		spoiled("an unknown channel", next, func(q *gateway.ChaincodeEventsRequest) { q.ChannelId = "unknown" }),
		spoiled("no identity", next, func(q *gateway.ChaincodeEventsRequest) { q.Identity = nil }),
		spoiled("an identity that isn't one", next, func(q *gateway.ChaincodeEventsRequest) { q.Identity = []byte("nobody") }),
		step{"events: signed by another", func(r *run) any { return r.rawEvents("Admin@"+first, marshal(request(r, user, next))) }},
		step{"events: a specified start without a number", func(r *run) any {
			start := &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{}}
			return r.rawEvents(user, marshal(request(r, user, start)))
		}},
		step{"events: after a transaction that isn't there, from a block", func(r *run) any {
			r.emit(program.Either, "one", "1")
			q := request(r, user, at(r.from))
			q.AfterTransactionId = "abc"
			r.emit(program.Either, "two", "2")
			ctx, cancel := context.WithTimeout(r.ctx, brief)
			defer cancel()
			stream, err := r.gateway().ChaincodeEvents(ctx, &gateway.SignedChaincodeEventsRequest{Request: marshal(q), Signature: r.signature(user, marshal(q))})
			r.must(err)
			_, err = stream.Recv()
			return r.failure(err)["code"] // no event ever comes
		}},
		step{"events: after a transaction, whatever the start says", func(r *run) any {
			id, _ := r.emit(program.Either, "one", "1")
			r.emit(program.Either, "two", "2")
			q := request(r, user, at(0))
			q.AfterTransactionId = id
			return r.rawEvents(user, marshal(q))
		}},
	)
}
