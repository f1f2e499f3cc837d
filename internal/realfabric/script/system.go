package script

import (
	"crypto/sha256"
	"encoding/asn1"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// query calls a function of a chaincode of the peer, and says what of its answer, which say reads.
func (r caller) query(chaincode string, read func([]byte) any, function string, args ...string) any {
	b, err := r.contract(chaincode).EvaluateWithContext(r.ctx, function, client.WithArguments(args...))
	if err != nil {
		return r.failure(err)
	}
	return read(b)
}

func (r blockReader) readInfo(b []byte) any {
	var info common.BlockchainInfo
	r.decode(b, &info)
	return say{
		"height": r.block(info.GetHeight()), "currentBlockHash": len(info.GetCurrentBlockHash()), "previousBlockHash": len(info.GetPreviousBlockHash()),
		"fromSnapshot": info.GetBootstrappingSnapshotInfo() != nil,
	}
}

func (r blockReader) readBlock(b []byte) any {
	var block common.Block
	r.decode(b, &block)
	return r.blockOf(&block)
}

func (r blockReader) readTransaction(b []byte) any {
	var tx peer.ProcessedTransaction
	r.decode(b, &tx)
	return say{"code": peer.TxValidationCode(tx.GetValidationCode()).String(), "transaction": r.transaction(tx.GetTransactionEnvelope())}
}

// hashOf is the hash of a block's header.
func (r blockReader) hashOf(h *common.BlockHeader) []byte {
	b, err := asn1.Marshal(struct {
		Number             *big.Int
		PreviousHash, Data []byte
	}{new(big.Int).SetUint64(h.GetNumber()), h.GetPreviousHash(), h.GetDataHash()})
	r.must(err)
	sum := sha256.Sum256(b)
	return sum[:]
}

func qsccSteps() []step {
	query := func(name string, do func(r *run, channel string) any) step {
		return step{"qscc: " + name, func(r *run) any { return do(r, r.target.Channel) }}
	}
	return []step{
		query("the ledger", func(r *run, channel string) any {
			r.put(program.Either, "put", "$k", "v")
			return r.query("qscc", r.readInfo, "GetChainInfo", channel)
		}),
		query("a block by its number", func(r *run, channel string) any {
			r.put(program.Either, "put", "$k", "v")
			return r.query("qscc", r.readBlock, "GetBlockByNumber", channel, strconv.FormatUint(r.from, 10))
		}),
		query("the newest block", func(r *run, channel string) any {
			r.put(program.Either, "put", "$k", "v")
			return r.query("qscc", r.readBlock, "GetBlockByNumber", channel, strconv.FormatUint(math.MaxUint64, 10))
		}),
		query("block 0", func(r *run, channel string) any {
			b, err := r.contract("qscc").EvaluateWithContext(r.ctx, "GetBlockByNumber", client.WithArguments(channel, "0"))
			r.must(err)
			var block common.Block
			r.decode(b, &block)
			return r.blockOf(&block)
		}),
		query("a block by its hash", func(r *run, channel string) any {
			r.put(program.Either, "put", "$k", "v")
			hash := r.hashOf(r.blockAt(r.from).GetHeader())
			b, err := r.contract("qscc").EvaluateWithContext(r.ctx, "GetBlockByHash", client.WithBytesArguments([]byte(channel), hash))
			r.must(err)
			return r.readBlock(b)
		}),
		query("a block by a transaction", func(r *run, channel string) any {
			id := r.putBy(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
			return r.query("qscc", r.readBlock, "GetBlockByTxID", channel, id)
		}),
		query("a transaction", func(r *run, channel string) any {
			id := r.putBy(r.contract(program.Either), "put", client.WithArguments(r.key("k"), "v"))
			return r.query("qscc", r.readTransaction, "GetTransactionByID", channel, id)
		}),
		query("an invalid transaction", func(r *run, channel string) any {
			_, commit, err := r.contract(program.First).SubmitAsyncWithContext(r.ctx, "put", client.WithArguments(r.key("k"), "v"), client.WithEndorsingOrganizations(second))
			r.must(err)
			r.status(commit)
			return r.query("qscc", r.readTransaction, "GetTransactionByID", channel, commit.TransactionID())
		}),
		query("the hashes of blocks", func(r *run, _ string) any {
			r.put(program.Either, "put", "$k", "v")
			before, after := r.blockAt(r.from-1), r.blockAt(r.from)
			return slices.Equal(r.hashOf(before.GetHeader()), after.GetHeader().GetPreviousHash())
		}),
		query("at the other organization's peer", func(r *run, channel string) any {
			b, err := r.secondContract("qscc").EvaluateWithContext(r.ctx, "GetChainInfo", client.WithArguments(channel))
			r.must(err)
			return r.readInfo(b)
		}),
	}
}

func qsccWrongSteps() []step {
	all := table("qscc: ", users(), func(r *run, who string) any {
		contract := r.at(who, first).GetNetwork(r.target.Channel).GetContract("qscc")
		_, err := contract.EvaluateWithContext(r.ctx, "GetChainInfo", client.WithArguments(r.target.Channel))
		if err != nil {
			return r.failure(err)
		}
		return "answered"
	})
	wrong := func(name string, args ...string) step {
		return step{"qscc: " + name, func(r *run) any { return r.evaluate("qscc", args[0], args[1:]...) }}
	}
	return append(all,
		wrong("no channel", "GetChainInfo"),
		wrong("an unknown channel", "GetChainInfo", "unknown"),
		wrong("an empty channel", "GetChainInfo", ""),
		wrong("no such function", "nothing", "mychannel"),
		wrong("no such function, with an argument", "nothing", "mychannel", "k"),
		wrong("no number", "GetBlockByNumber", "mychannel"),
		wrong("a number that isn't one", "GetBlockByNumber", "mychannel", "one"),
		wrong("an empty number", "GetBlockByNumber", "mychannel", ""),
		wrong("a negative number", "GetBlockByNumber", "mychannel", "-1"),
		wrong("a number that is too large", "GetBlockByNumber", "mychannel", "18446744073709551616"),
		wrong("a block that isn't there", "GetBlockByNumber", "mychannel", "1000000"),
		wrong("no hash", "GetBlockByHash", "mychannel"),
		wrong("an empty hash", "GetBlockByHash", "mychannel", ""),
		wrong("an unknown hash", "GetBlockByHash", "mychannel", "hash"),
		wrong("no transaction for a block", "GetBlockByTxID", "mychannel"),
		wrong("an empty transaction ID for a block", "GetBlockByTxID", "mychannel", ""),
		wrong("an unknown transaction ID for a block", "GetBlockByTxID", "mychannel", "abc"),
		wrong("no transaction", "GetTransactionByID", "mychannel"),
		wrong("an empty transaction ID", "GetTransactionByID", "mychannel", ""),
		wrong("an unknown transaction ID", "GetTransactionByID", "mychannel", "abcd"),
		step{"qscc: by a proposal for no channel", func(r *run) any {
			p := r.propose("qscc", "GetBlockByNumber", r.target.Channel, "1000000")
			p.channel.ChannelId = ""
			return r.rawProposal(first, r.signed(p))
		}},
	)
}

func csccSteps() []step {
	return []step{
		{"cscc: the channels", func(r *run) any {
			p := r.propose("cscc", "GetChannels")
			p.channel.ChannelId = ""
			response, err := peer.NewEndorserClient(r.peers[first]).ProcessProposal(r.ctx, r.signed(p))
			r.must(err)
			var channels peer.ChannelQueryResponse
			r.decode(response.GetResponse().GetPayload(), &channels)
			var names []string
			for _, c := range channels.GetChannels() {
				names = append(names, c.GetChannelId())
			}
			return say{"channels": names, "endorsed": response.GetEndorsement() != nil}
		}},
		{"cscc: the channels, by the gateway", func(r *run) any {
			return r.query("cscc", func(b []byte) any {
				var channels peer.ChannelQueryResponse
				r.decode(b, &channels)
				return len(channels.GetChannels())
			}, "GetChannels")
		}},
		{"cscc: the configuration's block", func(r *run) any {
			return r.query("cscc", func(b []byte) any {
				var block common.Block
				r.decode(b, &block)
				return []any{r.blockOf(&block), r.config(r.configOf(&block))}
			}, "GetConfigBlock", "mychannel")
		}},
		{"cscc: the configuration", func(r *run) any {
			return r.query("cscc", func(b []byte) any {
				var config common.Config
				r.decode(b, &config)
				return r.config(&config)
			}, "GetChannelConfig", "mychannel")
		}},
		{"cscc: by the channel's proposal", func(r *run) any {
			p := r.propose("cscc", "GetConfigBlock", r.target.Channel)
			response, err := peer.NewEndorserClient(r.peers[first]).ProcessProposal(r.ctx, r.signed(p))
			r.must(err)
			return say{"status": response.GetResponse().GetStatus(), "endorsed": response.GetEndorsement() != nil}
		}},
		{"cscc: configuration of an unknown channel", func(r *run) any { return r.evaluate("cscc", "GetChannelConfig", "unknown") }},
		{"cscc: block of an unknown channel", func(r *run) any { return r.evaluate("cscc", "GetConfigBlock", "unknown") }},
		{"cscc: configuration without a channel", func(r *run) any { return r.evaluate("cscc", "GetChannelConfig") }},
		{"cscc: configuration of an empty channel", func(r *run) any { return r.evaluate("cscc", "GetChannelConfig", "") }},
		{"cscc: no such function", func(r *run) any { return r.evaluate("cscc", "nothing", "mychannel") }},
		{"cscc: another's", func(r *run) any {
			var said []any
			for _, who := range users() {
				_, err := r.at(who.with, first).GetNetwork(r.target.Channel).GetContract("cscc").EvaluateWithContext(r.ctx, "GetConfigBlock", client.WithArguments("mychannel"))
				if err != nil {
					said = append(said, []any{who.name, r.failure(err)})
					continue
				}
				said = append(said, []any{who.name, "answered"})
			}
			return said
		}},
	}
}

// configOf is the configuration in a block.
func (r blockReader) configOf(b *common.Block) *common.Config {
	var (
		e       common.Envelope
		payload common.Payload
		config  common.ConfigEnvelope
	)
	r.decode(b.GetData().GetData()[0], &e)
	r.decode(e.GetPayload(), &payload)
	r.decode(payload.GetData(), &config)
	return config.GetConfig()
}

// config says what is in a configuration.
func (r blockReader) config(c *common.Config) say {
	return say{"sequence": c.GetSequence(), "channel": r.group(c.GetChannelGroup())}
}

func (r blockReader) group(g *common.ConfigGroup) say {
	said := say{"policy": g.GetModPolicy(), "version": g.GetVersion()}
	for name, v := range g.GetValues() {
		said["value "+name] = "by " + v.GetModPolicy()
	}
	for name, p := range g.GetPolicies() {
		said["policy "+name] = common.Policy_PolicyType(p.GetPolicy().GetType()).String() + " " + r.rule(p.GetPolicy()) + " by " + p.GetModPolicy()
	}
	for name, inner := range g.GetGroups() {
		said["group "+name] = r.group(inner)
	}
	return said
}

func (r blockReader) rule(p *common.Policy) string {
	switch common.Policy_PolicyType(p.GetType()) {
	case common.Policy_IMPLICIT_META:
		var m common.ImplicitMetaPolicy
		r.decode(p.GetValue(), &m)
		return m.GetRule().String() + " " + m.GetSubPolicy()
	case common.Policy_SIGNATURE:
		var s common.SignaturePolicyEnvelope
		r.decode(p.GetValue(), &s)
		return strconv.Itoa(len(s.GetIdentities())) + " principals"
	default:
		return ""
	}
}
