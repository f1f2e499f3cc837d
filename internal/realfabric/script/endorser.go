package script

import (
	"context"
	"io"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// endorserSteps have a peer run proposals, without the gateway.
func endorserSteps() []step {
	all := table("endorser: ", statuses(), func(r *run, status string) any {
		return r.rawProposal(first, r.signed(r.propose(program.Either, "answer", status, "a message", "a payload")))
	})
	ask := func(name, chaincode string, args ...string) step {
		return step{"endorser: " + name, func(r *run) any { return r.rawProposal(first, r.signed(r.propose(chaincode, r.args(args)...))) }}
	}
	without := func(name, chaincode string, args ...string) step {
		return step{"endorser: " + name, func(r *run) any {
			p := r.propose(chaincode, args...)
			p.channel.ChannelId = ""
			return r.rawProposal(first, r.signed(p))
		}}
	}
	return append(all,
		ask("reads and writes", program.Both, "move", "$k", "v"),
		ask("private data", program.Secret, "putp", program.Shared, "$k", "v"),
		ask("hash of private data", program.Secret, "hashp", program.Shared, "$k"),
		ask("a key's policy", program.Either, "policy", "$k", second),
		ask("a call", program.Either, "call", program.Secret, "", "getp", program.Shared, "$k"),
		ask("a call that writes", program.Either, "call", program.Both, "", "put", "$k", "v"),
		ask("an event", program.Either, "event", "told", "it"),
		ask("an event of a failure", program.Either, "failevent", "400", "none"),
		ask("an event of status 500", program.Either, "failevent", "500", "none"),
		ask("an unknown chaincode", "unknown", "get", "k"),
		ask("a chaincode of the peer", "qscc", "GetChainInfo", "mychannel"),
		step{"endorser: an unknown channel", func(r *run) any {
			p := r.propose(program.Either, "who")
			p.channel.ChannelId = "unknown"
			return r.rawProposal(first, r.signed(p))
		}},
		without("no channel, a chaincode", program.Either, "who"),
		without("no channel, the query chaincode", "qscc", "GetChainInfo", "mychannel"),
		without("no channel, the channels", "cscc", "GetChannels"),
		without("no channel, a function that isn't there", "cscc", "nothing"),
		step{"endorser: transient data", func(r *run) any {
			p := r.propose(program.Either, "transient")
			p.transient = map[string][]byte{"b": []byte("2"), "a": []byte("1")}
			return r.rawProposal(first, r.signed(p))
		}},
		step{"endorser: the same proposal at both peers", func(r *run) any {
			p := r.signed(r.propose(program.Both, "put", r.key("k"), "v"))
			return []any{r.rawProposal(first, p), r.rawProposal(second, p), r.commit(r.assemble(p, first, second))}
		}},
		step{"endorser: a peer of an organization whose endorsement doesn't count", func(r *run) any {
			return r.rawProposal(second, r.signed(r.propose(program.First, "put", r.key("k"), "v")))
		}},
	)
}

func endorserWhoSteps() []step {
	all := table("endorser: ", users(), func(r *run, who string) any {
		return r.rawProposal(first, r.signed(r.proposeAs(who, program.Either, "who")))
	})
	return append(all, table("endorser: without a channel, ", users(), func(r *run, who string) any {
		p := r.proposeAs(who, "cscc", "GetChannels")
		p.channel.ChannelId = ""
		return r.rawProposal(first, r.signed(p))
	})...)
}

// broadcast sends envelopes to the orderer on one stream, and says what it answers, until it ends the stream, or has answered all.
func (r *run) broadcast(envelopes ...*common.Envelope) []string {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stream, err := orderer.NewAtomicBroadcastClient(r.orderer).Broadcast(ctx)
	r.must(err)
	var said []string
	for _, e := range envelopes {
		_ = stream.Send(e) // if the stream has ended, Recv says how
		response, err := stream.Recv()
		if err != nil {
			said = append(said, ended(r, err))
			break
		}
		text := response.GetStatus().String()
		if response.GetInfo() != "" {
			text += ": " + r.text(response.GetInfo())
		}
		said = append(said, text)
	}
	r.settle()
	return said
}

// ended says how a stream ended.
func ended(r *run, err error) string {
	if err == io.EOF {
		return "end"
	}
	f := r.failure(err)
	return f["code"].(string) + ": " + f["message"].(string)
}

// headerOfType is a header of an envelope for the channel.
func (r *run) headerOfType(t common.HeaderType) *common.ChannelHeader {
	return &common.ChannelHeader{Type: int32(t), ChannelId: r.target.Channel}
}

func broadcastSteps() []step {
	const user = "User1@" + first
	whole := func(r *run) *common.Envelope {
		return r.assemble(r.signed(r.propose(program.Either, "put", r.key("k"), "v")))
	}
	all := table("broadcast: ", users(), func(r *run, who string) any {
		return r.broadcast(r.envelope(who, r.headerOfType(common.HeaderType_MESSAGE), []byte("some data")))
	})
	return append(all, table("broadcast: ", []row[func(*run) []*common.Envelope]{
		{"a transaction", func(r *run) []*common.Envelope { return []*common.Envelope{whole(r)} }},
		{"three transactions on one stream", func(r *run) []*common.Envelope { return []*common.Envelope{whole(r), whole(r), whole(r)} }},
		{"an empty envelope", func(*run) []*common.Envelope { return []*common.Envelope{{}} }},
		{"a payload that isn't one", func(r *run) []*common.Envelope { return []*common.Envelope{r.signEnvelope(user, []byte("\xff"))} }},
		{"no header", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.signEnvelope(user, marshal(&common.Payload{Data: []byte("data")}))}
		}},
		{"a channel header that isn't one", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.signEnvelope(user, marshal(&common.Payload{Header: &common.Header{ChannelHeader: []byte("\xff")}}))}
		}},
		{"no channel", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, &common.ChannelHeader{Type: int32(common.HeaderType_MESSAGE)}, nil)}
		}},
		{"an unknown channel", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, &common.ChannelHeader{Type: int32(common.HeaderType_MESSAGE), ChannelId: "unknown"}, nil)}
		}},
		{"no signature", func(r *run) []*common.Envelope { return []*common.Envelope{{Payload: whole(r).GetPayload()}} }},
		{"another's signature", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.signEnvelope("Admin@"+first, whole(r).GetPayload())}
		}},
		{"no data", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, r.headerOfType(common.HeaderType_MESSAGE), nil)}
		}},
		{"configuration", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, r.headerOfType(common.HeaderType_CONFIG), []byte("data"))}
		}},
		{"an update of the configuration that isn't one", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, r.headerOfType(common.HeaderType_CONFIG_UPDATE), []byte("\xff"))}
		}},
		{"a type that isn't one", func(r *run) []*common.Envelope { return []*common.Envelope{r.envelope(user, r.headerOfType(99), nil)} }},
		{"an envelope that is too large", func(r *run) []*common.Envelope {
			return []*common.Envelope{r.envelope(user, r.headerOfType(common.HeaderType_MESSAGE), make([]byte, 10<<20))}
		}},
		{"one that is refused, and another one", func(r *run) []*common.Envelope { return []*common.Envelope{{}, whole(r)} }},
	}, func(r *run, made func(*run) []*common.Envelope) any { return r.broadcast(made(r)...) })...)
}

// ordererSeekSteps read blocks from the orderer.
func ordererSeekSteps() []step {
	all := table("orderer: ", users(), func(r *run, who string) any {
		ctx, cancel := context.WithCancel(r.ctx)
		defer cancel()
		return r.seek(r.fromOrderer(ctx), r.seekEnvelope(who, &orderer.SeekInfo{Start: newest, Stop: newest}))
	})
	for _, start := range places() {
		all = append(all, step{"orderer: from " + start.name, func(r *run) any {
			return r.seekTo(start, orderer.SeekInfo_FAIL_IF_NOT_READY, r.fromOrderer)
		}})
	}
	return append(all,
		step{"orderer: an empty envelope", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			defer cancel()
			return r.seek(r.fromOrderer(ctx), &common.Envelope{})
		}},
		step{"orderer: an unknown channel", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			defer cancel()
			header := r.seekHeader()
			header.ChannelId = "unknown"
			return r.seek(r.fromOrderer(ctx), r.envelope("User1@"+first, header, marshal(&orderer.SeekInfo{Start: newest, Stop: newest})))
		}},
	)
}
