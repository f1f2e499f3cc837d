package script

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// rawStatus asks for a transaction's status without the official client.
func (r caller) rawStatus(by string, request []byte) any {
	signed := &gateway.SignedCommitStatusRequest{Request: request}
	if request != nil {
		signed.Signature = r.signature(by, request)
	}
	response, err := r.gateway().CommitStatus(r.ctx, signed)
	if err != nil {
		return r.failure(err)
	}
	return say{"result": response.GetResult().String(), "block": r.block(response.GetBlockNumber())}
}

func (r caller) statusRequest(by, channel, txID string) []byte {
	return marshal(&gateway.CommitStatusRequest{TransactionId: txID, ChannelId: channel, Identity: r.users[by].creator})
}

func statusSteps() []step {
	const user = "User1@" + first
	raw := func(name string, request func(r *run) []byte) step {
		return step{"status: " + name, func(r *run) any { return r.rawStatus(user, request(r)) }}
	}
	all := table("status: ", users(), func(r *run, who string) any {
		id := r.putBy(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
		return r.rawStatus(who, r.statusRequest(who, r.target.Channel, id))
	})
	return append(all,
		raw("an empty request", func(*run) []byte { return nil }),
		raw("bytes that aren't a request", func(*run) []byte { return []byte("\xff") }),
		raw("no identity", func(r *run) []byte {
			return marshal(&gateway.CommitStatusRequest{TransactionId: "abc", ChannelId: r.target.Channel})
		}),
		raw("no channel", func(r *run) []byte { return r.statusRequest(user, "", "abc") }),
		step{"status: no transaction ID", func(r *run) any { return r.statusFor(user, "") }},
		raw("nothing but an identity", func(r *run) []byte { return r.statusRequest(user, "", "") }),
		raw("an unknown channel", func(r *run) []byte { return r.statusRequest(user, "unknown", "abc") }),
		raw("an identity that isn't one", func(r *run) []byte {
			return marshal(&gateway.CommitStatusRequest{TransactionId: "abc", ChannelId: r.target.Channel, Identity: []byte("nobody")})
		}),
		step{"status: signed by another", func(r *run) any {
			return r.rawStatus("Admin@"+first, r.statusRequest(user, r.target.Channel, "abc"))
		}},
		step{"status: no signature", func(r *run) any {
			_, err := r.gateway().CommitStatus(r.ctx, &gateway.SignedCommitStatusRequest{Request: r.statusRequest(user, r.target.Channel, "abc")})
			return r.failure(err)
		}},
		step{"status: a transaction that never comes", func(r *run) any {
			return r.statusFor(user, "abcdef")
		}},
		step{"status: asked for before the transaction comes", func(r *run) any {
			p := r.signed(r.propose(program.Either, "put", r.key("k"), "v"))
			e := r.assemble(p)
			id, _ := r.headerOf(e)
			asked := make(chan any, 1)
			go func() { asked <- r.statusOf(id) }()
			said := r.commit(e)
			return []any{said, <-asked}
		}},
		step{"status: at the other organization's peer", func(r *run) any {
			id := r.putBy(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
			request := r.statusRequest(user, r.target.Channel, id)
			response, err := gateway.NewGatewayClient(r.peers[second]).CommitStatus(r.ctx, &gateway.SignedCommitStatusRequest{Request: request, Signature: r.signature(user, request)})
			if err != nil {
				return r.failure(err)
			}
			return response.GetResult().String()
		}},
	)
}

// brief is how long nothing is waited for that never comes.
const brief = 500 * time.Millisecond

// statusFor asks for a transaction's status, but not for long.
func (r caller) statusFor(by, txID string) any {
	ctx, cancel := context.WithTimeout(r.ctx, brief)
	defer cancel()
	request := r.statusRequest(by, r.target.Channel, txID)
	_, err := r.gateway().CommitStatus(ctx, &gateway.SignedCommitStatusRequest{Request: request, Signature: r.signature(by, request)})
	return r.failure(err)
}

// offlineSteps sign elsewhere than in the client.
func offlineSteps() []step {
	return []step{
		{"offline: proposal, transaction and status", func(r *run) any { return r.offline() }},
		{"offline: wrong signature of the proposal", func(r *run) any {
			p, err := r.contract(program.Either).NewProposal("put", client.WithArguments(r.key("k"), "v"))
			r.must(err)
			b, err := p.Bytes()
			r.must(err)
			signed, err := r.as("User1@"+first).NewSignedProposal(b, []byte("signature"))
			r.must(err)
			_, endorsed := signed.EndorseWithContext(r.ctx)
			return []any{r.failure(endorsed), r.answer(signed.EvaluateWithContext(r.ctx))}
		}},
		{"offline: wrong signature of the transaction", func(r *run) any {
			b, err := r.endorsed(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v")).Bytes()
			r.must(err)
			tx, err := r.as("User1@"+first).NewSignedTransaction(b, []byte("signature"))
			r.must(err)
			return r.send(tx)
		}},
		{"offline: wrong signature of the status's request", func(r *run) any {
			_, commit, err := r.contract(program.Either).SubmitAsyncWithContext(r.ctx, "put", client.WithArguments(r.key("k"), "v"))
			r.must(err)
			b, err := commit.Bytes()
			r.must(err)
			signed, err := r.as("User1@"+first).NewSignedCommit(b, []byte("signature"))
			r.must(err)
			said := r.status(signed)
			r.status(commit)
			return said
		}},
		{"offline: evaluate", func(r *run) any {
			p, err := r.contract(program.Either).NewProposal("who")
			r.must(err)
			b, err := p.Bytes()
			r.must(err)
			signed, err := r.as("User1@"+first).NewSignedProposal(b, r.signDigest(p.Digest()))
			r.must(err)
			return r.answer(signed.EvaluateWithContext(r.ctx))
		}},
	}
}

func (r caller) signDigest(digest []byte) []byte {
	b, err := r.users["User1@"+first].sign(digest)
	r.must(err)
	return b
}

// offline submits a transaction whose messages go somewhere else to be signed.
func (r caller) offline() any {
	gw := r.as("User1@" + first)
	p, err := r.contract(program.Both).NewProposal("put", client.WithArguments(r.key("k"), "v"))
	r.must(err)
	b, err := p.Bytes()
	r.must(err)
	signed, err := gw.NewSignedProposal(b, r.signDigest(p.Digest()))
	r.must(err)
	unsigned, err := signed.EndorseWithContext(r.ctx)
	r.must(err)
	b, err = unsigned.Bytes()
	r.must(err)
	tx, err := gw.NewSignedTransaction(b, r.signDigest(unsigned.Digest()))
	r.must(err)
	asked, err := tx.SubmitWithContext(r.ctx)
	r.must(err)
	b, err = asked.Bytes()
	r.must(err)
	commit, err := gw.NewSignedCommit(b, r.signDigest(asked.Digest()))
	r.must(err)
	return []any{r.bytes(unsigned.Result()), r.status(commit)}
}
