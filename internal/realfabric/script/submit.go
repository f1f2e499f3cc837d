package script

import (
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

func submitSteps() []step {
	return []step{
		submit("by both organizations", program.Both, "put", "$k", "v"),
		submit("by one organization", program.Either, "put", "$k", "v"),
		submit("by the second organization", program.Second, "put", "$k", "v"),
		submit("a read", program.Both, "get", "$k"),
		submit("status 201 with a message", program.Either, "answer", "201", "made", "it"),
		{"submit: a large value", func(r *run) any {
			payload, commit, err := r.contract(program.Either).SubmitAsyncWithContext(r.ctx, "put", client.WithArguments(r.key("k"), strings.Repeat("x", 1<<20)))
			r.must(err)
			said := r.status(commit)
			said["payload"] = len(payload)
			return said
		}},
		submit("status 500", program.Either, "answer", "500", "failed", ""),
		submit("a chaincode of the peer", "qscc", "GetChainInfo", "mychannel"),
		submit("an unknown chaincode", "unknown", "put", "k", "v"),
		{"submit: by a client of the second organization", func(r *run) any {
			return r.submitBy(r.secondContract(program.Both), "put", client.WithArguments(r.key("k"), "v"))
		}},
		{"submit: by an administrator", func(r *run) any {
			return r.submitBy(r.as("Admin@"+first).GetNetwork(r.target.Channel).GetContract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
		}},
		{"submit: too few endorsements", func(r *run) any {
			return r.submitBy(r.contract(program.Both), "put", client.WithArguments(r.key("k"), "v"), client.WithEndorsingOrganizations(first))
		}},
		{"submit: the wrong endorsement", func(r *run) any {
			return r.submitBy(r.contract(program.First), "put", client.WithArguments(r.key("k"), "v"), client.WithEndorsingOrganizations(second))
		}},
		{"submit: more endorsements than needed", func(r *run) any {
			return r.submitBy(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"), client.WithEndorsingOrganizations(first, second))
		}},
		{"submit: at once, with the error of the commit", func(r *run) any {
			contract := r.contract(program.Both)
			return r.answer(contract.SubmitWithContext(r.ctx, "put", client.WithArguments(r.key("k"), "v"), client.WithEndorsingOrganizations(second)))
		}},
		{"submit: status asked for twice", func(r *run) any {
			_, commit, err := r.contract(program.Either).SubmitAsyncWithContext(r.ctx, "put", client.WithArguments(r.key("k"), "v"))
			r.must(err)
			return []any{r.status(commit), r.status(commit)}
		}},
		{"submit: what is there afterwards, also of what was invalid", func(r *run) any {
			r.submitBy(r.contract(program.Both), "put", client.WithArguments(r.key("a"), "v"), client.WithEndorsingOrganizations(first))
			r.submit(program.Both, "put", "$b", "v")
			return []any{r.evaluate(program.Both, "get", "$a"), r.evaluate(program.Both, "get", "$b")}
		}},
		{"submit: with transient data", func(r *run) any {
			return r.submitBy(r.contract(program.Either), "transient", client.WithTransient(map[string][]byte{"value": []byte("v")}))
		}},
	}
}

// conflictSteps are transactions that can't both be valid.
func conflictSteps() []step {
	two := func(name string, change func(r *run) *client.Transaction, then ...string) step {
		return step{"conflict: " + name, func(r *run) any {
			r.put(program.Either, "put", r.key("a"), "1", r.key("c"), "1")
			one := change(r)
			r.put(program.Either, then[0], then[1:]...)
			return []any{r.send(one), r.evaluate(program.Either, "get", "$a")}
		}}
	}
	either := func(function string, args ...string) func(*run) *client.Transaction {
		return func(r *run) *client.Transaction {
			return r.endorsed(r.contract(program.Either), function, client.WithArguments(r.args(args)...))
		}
	}
	return []step{
		two("a value that was read", either("move", "$a", "2"), "put", "$a", "3"),
		two("a value that was read, and deleted", either("move", "$a", "2"), "del", "$a"),
		two("a value that was only written", either("put", "$a", "2"), "put", "$a", "3"),
		two("a key that wasn't there", either("move", "$n", "2"), "put", "$n", "3"),
		two("a range with a new key", either("rangeput", "$a", "$z", "$a", "2"), "put", "$b", "3"),
		two("a range with a changed key", either("rangeput", "$a", "$z", "$a", "2"), "put", "$c", "3"),
		two("a range with a deleted key", either("rangeput", "$a", "$z", "$a", "2"), "del", "$c"),
		two("a range with a key beyond its end", either("rangeput", "$a", "$z", "$a", "2"), "put", "$z", "3"),
		two("a policy of a key that was read", either("move", "$a", "2"), "policy", "$a", first, second),
		{"conflict: the same transaction twice", func(r *run) any {
			tx := r.endorsed(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
			one := r.send(tx)
			var prepared gateway.PreparedTransaction
			b, err := tx.Bytes()
			r.must(err)
			r.decode(b, &prepared)
			_, err = r.gateway().Submit(r.ctx, &gateway.SubmitRequest{ChannelId: r.target.Channel, PreparedTransaction: prepared.GetEnvelope()})
			r.must(err)
			r.put(program.Either, "put", r.key("after"), "v")
			return []any{one, r.blockOf(r.blockBefore()), r.statusOf(tx.TransactionID())}
		}},
		{"conflict: an invalid transaction again", func(r *run) any {
			p := r.signed(r.propose(program.Both, "put", r.key("k"), "v"))
			one := r.commit(r.assemble(p, first))
			_, err := r.gateway().Submit(r.ctx, &gateway.SubmitRequest{ChannelId: r.target.Channel, PreparedTransaction: r.transactionOf("User1@"+first, p, r.responsesOf(p)...)})
			if err != nil {
				return []any{one, r.failure(err)}
			}
			return one
		}},
	}
}

// responsesOf are those of both organizations' peers to a proposal, whatever they are.
func (r caller) responsesOf(p *peer.SignedProposal) (all []*peer.ProposalResponse) {
	for _, o := range []string{first, second} {
		response, err := peer.NewEndorserClient(r.peers[o]).ProcessProposal(r.ctx, p)
		if err != nil {
			response = &peer.ProposalResponse{}
		}
		all = append(all, response)
	}
	return all
}

// blockBefore is the block before the newest one.
func (r *run) blockBefore() *common.Block {
	return r.blockAt(r.height(r.ctx, first) - 2)
}

// envelopeSteps submit envelopes that something is wrong with.
func envelopeSteps() []step {
	submit := func(r *run, channel string, e *common.Envelope) any {
		_, err := r.gateway().Submit(r.ctx, &gateway.SubmitRequest{TransactionId: "abc", ChannelId: channel, PreparedTransaction: e})
		if err != nil {
			return r.failure(err)
		}
		r.settle()
		return "taken"
	}
	whole := func(r *run) *common.Envelope {
		return r.assemble(r.signed(r.propose(program.Either, "put", r.key("k"), "v")))
	}
	return []step{
		{"envelope: none", func(r *run) any { return submit(r, r.target.Channel, nil) }},
		{"envelope: empty", func(r *run) any { return submit(r, r.target.Channel, &common.Envelope{}) }},
		{"envelope: unsigned", func(r *run) any {
			return submit(r, r.target.Channel, &common.Envelope{Payload: whole(r).GetPayload()})
		}},
		{"envelope: signed by another", func(r *run) any {
			return submit(r, r.target.Channel, r.signEnvelope("Admin@"+first, whole(r).GetPayload()))
		}},
		{"envelope: a signature that isn't one", func(r *run) any {
			return submit(r, r.target.Channel, &common.Envelope{Payload: whole(r).GetPayload(), Signature: []byte("signature")})
		}},
		{"envelope: no payload", func(r *run) any { return submit(r, r.target.Channel, &common.Envelope{Signature: []byte("s")}) }},
		{"envelope: a payload that isn't one", func(r *run) any {
			return submit(r, r.target.Channel, r.signEnvelope("User1@"+first, []byte("\xff")))
		}},
		{"envelope: no channel in the request", func(r *run) any { return submit(r, "", whole(r)) }},
		{"envelope: an unknown channel in the request", func(r *run) any { return submit(r, "unknown", whole(r)) }},
		{"envelope: an unknown channel in the envelope", func(r *run) any {
			return submit(r, r.target.Channel, r.envelope("User1@"+first, &common.ChannelHeader{ChannelId: "unknown", Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}, nil))
		}},
		{"envelope: by a foreign organization", func(r *run) any {
			return submit(r, r.target.Channel, r.envelope("Stranger@Org3MSP", &common.ChannelHeader{ChannelId: r.target.Channel, Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}, nil))
		}},
		{"envelope: by a peer", func(r *run) any {
			return submit(r, r.target.Channel, r.envelope("Peer@"+first, &common.ChannelHeader{ChannelId: r.target.Channel, Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}, nil))
		}},
		{"envelope: with an expired certificate", func(r *run) any {
			return submit(r, r.target.Channel, r.envelope("Expired@"+first, &common.ChannelHeader{ChannelId: r.target.Channel, Type: int32(common.HeaderType_ENDORSER_TRANSACTION)}, nil))
		}},
	}
}
