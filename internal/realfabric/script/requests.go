package script

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

func (s *session) gateway() gateway.GatewayClient { return gateway.NewGatewayClient(s.peers[first]) }

// rawEvaluate calls the gateway without the official client.
func (r caller) rawEvaluate(request *gateway.EvaluateRequest) any {
	response, err := r.gateway().Evaluate(r.ctx, request)
	if err != nil {
		return r.failure(err)
	}
	return r.response(response.GetResult())
}

func (r caller) rawEndorse(request *gateway.EndorseRequest) any {
	response, err := r.gateway().Endorse(r.ctx, request)
	if err != nil {
		return r.failure(err)
	}
	return r.transaction(response.GetPreparedTransaction())
}

// rawProposal has a peer run a proposal.
func (r caller) rawProposal(organization string, signed *peer.SignedProposal) any {
	response, err := peer.NewEndorserClient(r.peers[organization]).ProcessProposal(r.ctx, signed)
	if err != nil {
		return r.failure(err)
	}
	return r.proposalResponse(response)
}

func (r reader) proposalResponse(p *peer.ProposalResponse) say {
	said := say{"version": p.GetVersion(), "response": r.response(p.GetResponse()), "timestamp": p.GetTimestamp() != nil}
	if len(p.GetPayload()) > 0 {
		var payload peer.ProposalResponsePayload
		canonical := r.canonical(p.GetPayload(), &payload)
		action := r.chaincodeAction(payload.GetExtension())
		action["canonical"] = action["canonical"].(bool) && canonical
		said["payload"] = action
	}
	if e := p.GetEndorsement(); e != nil {
		said["endorser"] = r.endorser(p.GetPayload(), e)
	}
	if p.GetInterest() != nil {
		said["interest"] = r.interest(p.GetInterest())
	}
	return said
}

// interest says what a transaction touched. Fabric has that in any order.
func (r reader) interest(i *peer.ChaincodeInterest) []say {
	var all []say
	for _, c := range i.GetChaincodes() {
		all = append(all, say{
			"name": c.GetName(), "collections": c.GetCollectionNames(), "noPrivateReads": c.GetNoPrivateReads(), "noPublicWrites": c.GetNoPublicWrites(),
			"keyPolicies": len(c.GetKeyPolicies()), "disregardNamespacePolicy": c.GetDisregardNamespacePolicy(),
		})
	}
	slices.SortFunc(all, func(a, b say) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// proposalSteps give wrong proposals to all who take proposals.
func proposalSteps() []step {
	return table("proposal: ", wrong(), func(r *run, spoil func(*proposal)) any {
		made := func() *peer.SignedProposal {
			p := r.propose(program.Either, "put", r.key("k"), "v")
			spoil(p)
			return r.signed(p)
		}
		return say{
			"evaluate": r.rawEvaluate(&gateway.EvaluateRequest{ChannelId: r.target.Channel, ProposedTransaction: made()}),
			"endorse":  r.rawEndorse(&gateway.EndorseRequest{ChannelId: r.target.Channel, ProposedTransaction: made()}),
			"endorser": r.rawProposal(first, made()),
		}
	})
}

// signedWrong are signed proposals whose bytes or signature are wrong.
func signedWrong() []row[func(*run, *peer.SignedProposal) *peer.SignedProposal] {
	type spoil = func(*run, *peer.SignedProposal) *peer.SignedProposal
	bytes := func(b []byte) spoil {
		return func(r *run, _ *peer.SignedProposal) *peer.SignedProposal { return r.signedBytes("User1@"+first, b) }
	}
	return []row[spoil]{
		{"no proposal", func(*run, *peer.SignedProposal) *peer.SignedProposal { return nil }},
		{"an empty proposal", func(*run, *peer.SignedProposal) *peer.SignedProposal { return &peer.SignedProposal{} }},
		{"no bytes", bytes(nil)},
		{"bytes that aren't a proposal", bytes([]byte("\xff\xff"))},
		{"a header that isn't one", bytes(marshal(&peer.Proposal{Header: []byte("\xff")}))},
		{"a channel header that isn't one", bytes(marshal(&peer.Proposal{Header: marshal(&common.Header{ChannelHeader: []byte("\xff")})}))},
		{"a signature header that isn't one", func(r *run, _ *peer.SignedProposal) *peer.SignedProposal {
			p := r.propose(program.Either, "who")
			p.bytes()
			return r.signedBytes(p.by, marshal(&peer.Proposal{Header: marshal(&common.Header{ChannelHeader: marshal(p.channel), SignatureHeader: []byte("\xff")})}))
		}},
		{"a payload that isn't one", func(r *run, _ *peer.SignedProposal) *peer.SignedProposal {
			p := r.propose(program.Either, "who")
			p.bytes()
			header := marshal(&common.Header{ChannelHeader: marshal(p.channel), SignatureHeader: marshal(p.signer)})
			return r.signedBytes(p.by, marshal(&peer.Proposal{Header: header, Payload: []byte("\xff")}))
		}},
		{"an invocation that isn't one", func(r *run, _ *peer.SignedProposal) *peer.SignedProposal {
			p := r.propose(program.Either, "who")
			p.bytes()
			header := marshal(&common.Header{ChannelHeader: marshal(p.channel), SignatureHeader: marshal(p.signer)})
			payload := marshal(&peer.ChaincodeProposalPayload{Input: []byte("\xff")})
			return r.signedBytes(p.by, marshal(&peer.Proposal{Header: header, Payload: payload}))
		}},
		{"no signature", func(_ *run, p *peer.SignedProposal) *peer.SignedProposal {
			return &peer.SignedProposal{ProposalBytes: p.GetProposalBytes()}
		}},
		{"a signature that isn't one", func(_ *run, p *peer.SignedProposal) *peer.SignedProposal {
			return &peer.SignedProposal{ProposalBytes: p.GetProposalBytes(), Signature: []byte("signature")}
		}},
		{"another's signature", func(r *run, p *peer.SignedProposal) *peer.SignedProposal {
			return r.signedBytes("Admin@"+first, p.GetProposalBytes())
		}},
	}
}

// requestSteps give the gateway and the endorser requests that are incomplete.
func requestSteps() []step {
	all := table("request: ", signedWrong(), func(r *run, spoil func(*run, *peer.SignedProposal) *peer.SignedProposal) any {
		made := func() *peer.SignedProposal { return spoil(r, r.signed(r.propose(program.Either, "who"))) }
		return say{
			"evaluate": r.rawEvaluate(&gateway.EvaluateRequest{ChannelId: r.target.Channel, ProposedTransaction: made()}),
			"endorse":  r.rawEndorse(&gateway.EndorseRequest{ChannelId: r.target.Channel, ProposedTransaction: made()}),
			"endorser": r.rawProposal(first, made()),
		}
	})
	return append(all,
		step{"request: another channel and transaction ID than the proposal's", func(r *run) any {
			made := func() *peer.SignedProposal { return r.signed(r.propose(program.Either, "who")) }
			return []any{
				r.rawEvaluate(&gateway.EvaluateRequest{ChannelId: "unknown", TransactionId: "abc", ProposedTransaction: made()}),
				r.rawEndorse(&gateway.EndorseRequest{ChannelId: "unknown", TransactionId: "abc", ProposedTransaction: made()}),
			}
		}},
		step{"request: the same proposal twice", func(r *run) any {
			p := r.signed(r.propose(program.Either, "put", r.key("k"), "v"))
			request := &gateway.EndorseRequest{ProposedTransaction: p}
			return []any{r.rawEndorse(request), r.rawEndorse(request)}
		}},
		step{"request: a proposal whose transaction was committed", func(r *run) any {
			p := r.signed(r.propose(program.Either, "put", r.key("k"), "v"))
			r.commit(r.assemble(p))
			r.level(r.ctx)
			return []any{
				r.rawEndorse(&gateway.EndorseRequest{ProposedTransaction: p}),
				r.rawEvaluate(&gateway.EvaluateRequest{ProposedTransaction: p}), r.rawProposal(second, p),
			}
		}},
		step{"request: bytes that aren't a message", func(r *run) any {
			said := say{}
			for _, method := range []string{
				"gateway.Gateway/Evaluate", "gateway.Gateway/Endorse", "gateway.Gateway/Submit", "gateway.Gateway/CommitStatus", "protos.Endorser/ProcessProposal",
				"discovery.Discovery/Discover",
			} {
				request, response := []byte("\xff\xff"), []byte(nil)
				err := r.peers[first].Invoke(r.ctx, "/"+method, &request, &response, grpc.ForceCodecV2(raw{}))
				said[method] = r.failure(err)["code"] // the text is gRPC's
			}
			return said
		}},
		step{"request: services and methods that there aren't", func(r *run) any {
			said := say{}
			for _, method := range []string{"gateway.Gateway/Unknown", "unknown.Unknown/Unknown", "protos.Endorser/Unknown"} {
				var request, response []byte
				said[method] = r.failure(r.peers[first].Invoke(r.ctx, "/"+method, &request, &response, grpc.ForceCodecV2(raw{})))
			}
			return said
		}},
	)
}

// raw sends bytes as they are.
type raw struct{}

var _ encoding.CodecV2 = raw{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// assemble has peers endorse a proposal, those of both organizations if none are named, and makes the transaction's envelope, signed
// by the first organization's user.
func (r caller) assemble(p *peer.SignedProposal, organizations ...string) *common.Envelope {
	if organizations == nil {
		organizations = []string{first}
	}
	var responses []*peer.ProposalResponse
	for _, o := range organizations {
		response, err := peer.NewEndorserClient(r.peers[o]).ProcessProposal(r.ctx, p)
		r.must(err)
		responses = append(responses, response)
	}
	return r.transactionOf("User1@"+first, p, responses...)
}

// transactionOf is the envelope that a client makes of responses.
func (r caller) transactionOf(by string, p *peer.SignedProposal, responses ...*peer.ProposalResponse) *common.Envelope {
	var (
		made    peer.Proposal
		header  common.Header
		payload peer.ChaincodeProposalPayload
	)
	r.decode(p.GetProposalBytes(), &made)
	r.decode(made.GetHeader(), &header)
	r.decode(made.GetPayload(), &payload)
	action := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: responses[0].GetPayload()}
	for _, response := range responses {
		action.Endorsements = append(action.Endorsements, response.GetEndorsement())
	}
	tx := marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{
		Header: header.GetSignatureHeader(),
		Payload: marshal(&peer.ChaincodeActionPayload{
			ChaincodeProposalPayload: marshal(&peer.ChaincodeProposalPayload{Input: payload.GetInput()}), Action: action,
		}),
	}}})
	return r.signEnvelope(by, marshal(&common.Payload{Header: &header, Data: tx}))
}

func (s *session) signEnvelope(by string, payload []byte) *common.Envelope {
	return &common.Envelope{Payload: payload, Signature: s.signature(by, payload)}
}

// commit submits an envelope, and waits until it is in a block.
func (r caller) commit(e *common.Envelope) any {
	id, channel := r.headerOf(e)
	if _, err := r.gateway().Submit(r.ctx, &gateway.SubmitRequest{TransactionId: id, ChannelId: channel, PreparedTransaction: e}); err != nil {
		return r.failure(err)
	}
	return r.statusOf(id)
}

// statusOf waits until a transaction is in a block.
func (r caller) statusOf(id string) say {
	gw := r.as("User1@" + first)
	b := marshal(&gateway.CommitStatusRequest{TransactionId: id, ChannelId: r.target.Channel, Identity: r.users["User1@"+first].creator})
	commit, err := gw.NewCommit(marshal(&gateway.SignedCommitStatusRequest{Request: b}))
	r.must(err)
	return r.status(commit)
}

// headerOf are the transaction ID and the channel that an envelope says.
func (r reader) headerOf(e *common.Envelope) (id, channel string) {
	var (
		payload common.Payload
		header  common.ChannelHeader
	)
	r.decode(e.GetPayload(), &payload)
	r.decode(payload.GetHeader().GetChannelHeader(), &header)
	return header.GetTxId(), header.GetChannelId()
}
