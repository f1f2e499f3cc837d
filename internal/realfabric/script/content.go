package script

import (
	"context"
	"io"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// content are blocks as the methods deliver them.
func (r *run) content(by, method string, seek *orderer.SeekInfo) any {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	c := peer.NewDeliverClient(r.peers[first])
	open := c.Deliver
	switch method {
	case filtered:
		open = c.DeliverFiltered
	case private:
		open = c.DeliverWithPrivateData
	}
	stream, err := open(ctx)
	r.must(err)
	r.must(stream.Send(r.seekEnvelope(by, seek)))
	var said []any
	for {
		response, err := stream.Recv()
		if err != nil {
			return append(said, r.failure(err))
		}
		switch t := response.GetType().(type) {
		case *peer.DeliverResponse_Block:
			said = append(said, r.blockOf(t.Block))
		case *peer.DeliverResponse_FilteredBlock:
			said = append(said, r.filtered(t.FilteredBlock))
		case *peer.DeliverResponse_BlockAndPrivateData:
			said = append(said, r.withPrivate(t.BlockAndPrivateData))
		default:
			return append(said, response.GetStatus().String())
		}
	}
}

// withPrivate says what is in a block, and which private data comes with it.
func (r blockReader) withPrivate(b *peer.BlockAndPrivateData) say {
	said := r.blockOf(b.GetBlock())
	data := say{}
	for i, set := range b.GetPrivateDataMap() {
		data[r.text(string(rune('0'+i)))] = r.privateSet(set)
	}
	said["private"] = data
	return said
}

func (r blockReader) privateSet(set *rwset.TxPvtReadWriteSet) say {
	said := say{}
	for _, ns := range set.GetNsPvtRwset() {
		for _, c := range ns.GetCollectionPvtRwset() {
			var kv kvrwset.KVRWSet
			r.decode(c.GetRwset(), &kv)
			said[ns.GetNamespace()+" "+c.GetCollectionName()] = r.keys(&kv)
		}
	}
	return said
}

// blockAt is a block as qscc has it.
func (r *run) blockAt(number uint64) *common.Block {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stream, err := peer.NewDeliverClient(r.peers[first]).Deliver(ctx)
	r.must(err)
	r.must(stream.Send(r.seekEnvelope("User1@"+first, &orderer.SeekInfo{Start: at(number), Stop: at(number)})))
	response, err := stream.Recv()
	r.must(err)
	return response.GetBlock()
}

func seekContentSteps() []step {
	const user = "User1@" + first
	// There is a transaction of each kind in the step's first blocks.
	some := func(r *run) *orderer.SeekInfo {
		r.put(program.Either, "putevent", "$k", "v", "told", "it")
		r.submitBy(r.contract(program.Both), "putevent", client.WithArguments(r.key("k"), "v", "invalid", "it"), client.WithEndorsingOrganizations(first))
		r.put(program.Secret, "putp", program.Shared, "$k", "v")
		r.putAt([]string{first}, program.OfFirst, "$k", "v")
		r.level(r.ctx)
		return &orderer.SeekInfo{Start: at(r.from), Stop: newest}
	}
	block0 := func(*run) *orderer.SeekInfo { return &orderer.SeekInfo{Start: oldest, Stop: oldest} }
	header := func(seek func(*run) *orderer.SeekInfo) func(*run) *orderer.SeekInfo {
		return func(r *run) *orderer.SeekInfo {
			s := seek(r)
			s.ContentType = orderer.SeekInfo_HEADER_WITH_SIG
			return s
		}
	}
	var all []step
	for _, what := range []row[func(*run) *orderer.SeekInfo]{
		{"transactions", some}, {"block 0", block0}, {"headers", header(some)}, {"header of block 0", header(block0)},
	} {
		for _, method := range []string{full, filtered, private} {
			all = append(all, step{"content: " + what.name + " by " + method, func(r *run) any { return r.content(user, method, what.with(r)) }})
		}
	}
	return append(all,
		step{"content: private data for the other organization's client", func(r *run) any { return r.content("User1@"+second, private, some(r)) }},
		step{"content: a content type that isn't one", func(r *run) any {
			return r.content(user, full, &orderer.SeekInfo{Start: newest, Stop: newest, ContentType: 99})
		}},
		step{"content: a behavior that isn't one", func(r *run) any {
			return r.peerSeek(full, r.seekEnvelope(user, &orderer.SeekInfo{Start: at(r.from - 1), Stop: at(r.from), Behavior: 99}))
		}},
		step{"content: best effort", func(r *run) any {
			return r.peerSeek(full, r.seekEnvelope(user, &orderer.SeekInfo{Start: newest, Stop: newest, ErrorResponse: orderer.SeekInfo_BEST_EFFORT}))
		}},
		step{"seek: several on one stream", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			defer cancel()
			d := r.deliver(ctx, r.peers[first], full)
			one := &orderer.SeekInfo{Start: newest, Stop: newest}
			return [][]string{
				r.seek(d, r.seekEnvelope(user, one)), r.seek(d, r.seekEnvelope(user, &orderer.SeekInfo{Start: at(r.from - 2), Stop: newest})),
				r.seek(d, r.seekEnvelope("User1@"+second, one)), r.seek(d, r.seekEnvelope("Stranger@Org3MSP", one)),
			}
		}},
		step{"seek: the stream's end after a refusal", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			defer cancel()
			d := r.deliver(ctx, r.peers[first], full)
			r.must(d.send(r.seekEnvelope("Stranger@Org3MSP", &orderer.SeekInfo{Start: newest, Stop: newest})))
			status, err := d.receive()
			r.must(err)
			_, err = d.receive()
			return []any{status.(common.Status).String(), err == io.EOF}
		}},
		step{"seek: the client has nothing more to say", func(r *run) any { return r.halfClosed() }},
	)
}

// halfClosed asks for blocks, ends the client's half of the stream, and says whether the blocks come nevertheless.
func (r *run) halfClosed() any {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stream, err := peer.NewDeliverClient(r.peers[first]).Deliver(ctx)
	r.must(err)
	r.must(stream.Send(r.seekEnvelope("User1@"+first, &orderer.SeekInfo{Start: at(r.from), Stop: at(r.from)})))
	r.must(stream.CloseSend())
	r.put(program.Either, "put", "$k", "v")
	var said []string
	for {
		response, err := stream.Recv()
		switch {
		case err == io.EOF:
			return append(said, "end")
		case err != nil:
			return append(said, r.text(err.Error()))
		case response.GetBlock() != nil:
			said = append(said, r.block(response.GetBlock().GetHeader().GetNumber()))
		default:
			said = append(said, response.GetStatus().String())
		}
	}
}

// blockEventSteps listen to blocks by the official client.
func blockEventSteps() []step {
	return []step{
		{"blocks: from a block", func(r *run) any {
			r.put(program.Either, "putevent", "$k", "v", "told", "it")
			blocks, err := r.network().BlockEvents(r.ctx, client.WithStartBlock(r.from))
			r.must(err)
			drain(r, blocks)
			return r.blockOf(<-blocks)
		}},
		{"blocks: filtered, from a block", func(r *run) any {
			r.put(program.Either, "putevent", "$k", "v", "told", "it")
			blocks, err := r.network().FilteredBlockEvents(r.ctx, client.WithStartBlock(r.from))
			r.must(err)
			drain(r, blocks)
			return r.filtered(<-blocks)
		}},
		{"blocks: with private data, from a block", func(r *run) any {
			r.put(program.Secret, "putp", program.Shared, "$k", "v")
			r.level(r.ctx)
			blocks, err := r.network().BlockAndPrivateDataEvents(r.ctx, client.WithStartBlock(r.from))
			r.must(err)
			drain(r, blocks)
			return r.withPrivate(<-blocks)
		}},
		{"blocks: from now on", func(r *run) any {
			blocks, err := r.network().FilteredBlockEvents(r.ctx)
			r.must(err)
			drain(r, blocks)
			b, err := await(r, func() (*peer.FilteredBlock, error) { return <-blocks, nil })
			r.must(err)
			return b.GetNumber() >= r.from
		}},
	}
}

func blockEventMoreSteps() []step {
	return []step{
		{"blocks: after a checkpoint", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			r.put(program.Either, "put", "$k", "w")
			checkpoint := new(client.InMemoryCheckpointer)
			checkpoint.CheckpointBlock(r.from)
			blocks, err := r.network().FilteredBlockEvents(r.ctx, client.WithCheckpoint(checkpoint))
			r.must(err)
			drain(r, blocks)
			return r.filtered(<-blocks)
		}},
		{"blocks: by a foreign organization", func(r *run) any {
			blocks, err := r.at("Stranger@Org3MSP", first).GetNetwork(r.target.Channel).FilteredBlockEvents(r.ctx)
			r.must(err)
			drain(r, blocks)
			_, open := <-blocks
			return open
		}},
		{"blocks: of an unknown channel", func(r *run) any {
			blocks, err := r.as("User1@" + first).GetNetwork("unknown").BlockEvents(r.ctx)
			r.must(err)
			drain(r, blocks)
			_, open := <-blocks
			return open
		}},
		{"blocks: signed elsewhere", func(r *run) any {
			request, err := r.network().NewFilteredBlockEventsRequest(client.WithStartBlock(r.from))
			r.must(err)
			b, err := request.Bytes()
			r.must(err)
			signed, err := r.as("User1@"+first).NewSignedFilteredBlockEventsRequest(b, r.signDigest(request.Digest()))
			r.must(err)
			r.put(program.Either, "put", "$k", "v")
			blocks, err := signed.Events(r.ctx)
			r.must(err)
			drain(r, blocks)
			return r.filtered(<-blocks)
		}},
		{"events: signed elsewhere", func(r *run) any {
			request, err := r.network().NewChaincodeEventsRequest(program.Either, client.WithStartBlock(r.from))
			r.must(err)
			b, err := request.Bytes()
			r.must(err)
			signed, err := r.as("User1@"+first).NewSignedChaincodeEventsRequest(b, r.signDigest(request.Digest()))
			r.must(err)
			r.emit(program.Either, last, "")
			events, err := signed.Events(r.ctx)
			r.must(err)
			drain(r, events)
			return r.listen(events)
		}},
	}
}
