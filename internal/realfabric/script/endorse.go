package script

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// endorse has a transaction endorsed, and says by whom.
func (r caller) endorse(contract *client.Contract, function string, options ...client.ProposalOption) any {
	p, err := contract.NewProposal(function, options...)
	r.must(err)
	tx, err := p.EndorseWithContext(r.ctx)
	if err != nil {
		return r.failure(err)
	}
	return say{"result": r.bytes(tx.Result()), "endorsers": r.prepared(tx)["actions"].([]say)[0]["endorsers"]}
}

// prepared says what is in an endorsed transaction.
func (r caller) prepared(tx *client.Transaction) say {
	b, err := tx.Bytes()
	r.must(err)
	var prepared gateway.PreparedTransaction
	r.decode(b, &prepared)
	return r.transaction(prepared.GetEnvelope())
}

func endorseSteps() []step {
	all := table("endorse: ", statuses(), func(r *run, status string) any {
		return r.endorse(r.contract(program.Either), "answer", client.WithArguments(status, "a message", "a payload"))
	})
	all = append(all, table("endorse: ", users(), func(r *run, who string) any {
		return r.endorse(r.at(who, first).GetNetwork(r.target.Channel).GetContract(program.Either), "who")
	})...)
	both := func(name, chaincode, function string, args ...string) step {
		return step{"endorse: " + name, func(r *run) any {
			return r.endorse(r.contract(chaincode), function, client.WithArguments(r.args(args)...))
		}}
	}
	return append(all,
		both("both organizations", program.Both, "put", "$k", "v"),
		both("the first organization", program.First, "put", "$k", "v"),
		both("the second organization", program.Second, "put", "$k", "v"),
		both("results that differ", program.Both, "differ"),
		both("writes that differ", program.Both, "differput", "$k"),
		both("an error of the second one who is asked", program.Both, "failby", "$k"),
		both("status 404 for both organizations", program.Both, "answer", "404", "none", ""),
		both("an unknown chaincode", "unknown", "get", "k"),
		both("a chaincode of the peer", "qscc", "GetChainInfo", "mychannel"),
		both("a function that isn't there", program.Both, "nothing"),
		step{"endorse: an unknown channel", func(r *run) any {
			return r.endorse(r.as("User1@"+first).GetNetwork("unknown").GetContract(program.Either), "get")
		}},
		step{"endorse: at the other organization's peer", func(r *run) any {
			return r.endorse(r.at("User1@"+first, second).GetNetwork(r.target.Channel).GetContract(program.Either), "who")
		}},
		step{"endorse: at the other organization's peer, for the first", func(r *run) any {
			return r.endorse(r.at("User1@"+first, second).GetNetwork(r.target.Channel).GetContract(program.First), "put", client.WithArguments(r.key("k"), "v"))
		}},
		step{"endorse: the client's deadline", func(r *run) any {
			ctx, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
			defer cancel()
			p, err := r.contract(program.Either).NewProposal("wait", client.WithArguments("500"))
			r.must(err)
			_, err = p.EndorseWithContext(ctx)
			return say{"type": r.failure(err)["type"], "code": r.failure(err)["code"]} // the text is the client's, or the gateway's
		}},
	)
}

func endorseTargetSteps() []step {
	return table("endorse: ", targets(), func(r *run, c call) any { return r.endorse(r.contract(c.chaincode), "transient", c.options...) })
}

// preparedSteps look at what a gateway gives back to be signed.
func preparedSteps() []step {
	prepare := func(name, chaincode, function string, options ...client.ProposalOption) step {
		return step{"prepared: " + name, func(r *run) any { return r.prepared(r.endorsed(r.contract(chaincode), function, options...)) }}
	}
	args := func(all ...string) client.ProposalOption { return client.WithArguments(all...) }
	return []step{
		prepare("reads nothing", program.Either, "who"),
		prepare("writes", program.Both, "put", args("prepared b", "1", "prepared a", "2")),
		prepare("a message and a payload", program.Either, "answer", args("201", "made", "it")),
		prepare("an event", program.Either, "putevent", args("prepared", "v", "told", "it")),
		prepare("the last of two events", program.Either, "twoevents"),
		prepare("a range", program.Either, "rangeput", args("prepared x", "prepared y", "prepared z", "1")),
		prepare("a deleted key", program.Either, "del", args("prepared none")),
		prepare("a key's policy", program.Either, "policy", args("prepared none", first)),
		prepare("private data", program.Secret, "putp", args(program.Shared, "prepared", "v")),
		prepare("transient data", program.Secret, "putt", args(program.Shared, "prepared"), client.WithTransient(map[string][]byte{"value": []byte("v")})),
		prepare("hash of private data", program.Secret, "hashp", args(program.Shared, "prepared none")),
		prepare("a call of another chaincode", program.Either, "call", args(program.Other, "", "put", "prepared", "v")),
		prepare("a chaincode of the peer", "qscc", "GetChainInfo", args("mychannel"), client.WithEndorsingOrganizations(first)),
		{"prepared: versions of what is read", func(r *run) any {
			r.put(program.Either, "put", "$a", "1", "$b", "2")
			r.put(program.Either, "put", "$b", "3")
			return []any{
				r.prepared(r.endorsed(r.contract(program.Either), "move", args(r.key("a"), "1")))["actions"],
				r.prepared(r.endorsed(r.contract(program.Either), "rangeput", args(r.key(""), r.key("~"), r.key("c"), "4")))["actions"],
			}
		}},
	}
}

// wrong are proposals that something is wrong with.
func wrong() []row[func(*proposal)] {
	return []row[func(*proposal)]{
		{"nothing", func(*proposal) {}},
		{"no channel header", func(p *proposal) { p.channel, p.extension = &common.ChannelHeader{}, nil }},
		{"no signature header", func(p *proposal) { p.signer = nil }},
		{"no channel", func(p *proposal) { p.channel.ChannelId = "" }},
		{"type MESSAGE", func(p *proposal) { p.channel.Type = int32(common.HeaderType_MESSAGE) }},
		{"type CONFIG", func(p *proposal) { p.channel.Type = int32(common.HeaderType_CONFIG) }},
		{"type that isn't one", func(p *proposal) { p.channel.Type = 99 }},
		{"epoch", func(p *proposal) { p.channel.Epoch = 1 }},
		{"version", func(p *proposal) { p.channel.Version = 7 }},
		{"hash of a TLS certificate", func(p *proposal) { p.channel.TlsCertHash = []byte("hash") }},
		{"no timestamp", func(p *proposal) { p.channel.Timestamp = nil }},
		{"no transaction ID", func(p *proposal) { p.channel.TxId = "" }},
		{"another transaction ID", func(p *proposal) { p.channel.TxId = "abc" }},
		{"no nonce", func(p *proposal) { p.signer.Nonce = nil }},
		{"no creator", func(p *proposal) { p.signer.Creator = nil }},
		{"creator that isn't one", func(p *proposal) {
			p.signer.Creator = []byte("nobody")
			p.channel.TxId = txID(p.signer.GetNonce(), p.signer.GetCreator())
		}},
		{"no extension", func(p *proposal) { p.extension = nil }},
		{"extension that isn't one", func(p *proposal) { p.extension, p.channel.Extension = nil, []byte("\xff") }},
		{"no chaincode in the extension", func(p *proposal) { p.extension.ChaincodeId = nil }},
		{"no name in the extension", func(p *proposal) { p.extension = extensionOf("") }},
		{"another name in the extension", func(p *proposal) { p.extension = extensionOf(program.Other) }},
		{"unknown name in the extension", func(p *proposal) { p.extension = extensionOf("unknown") }},
		{"no invocation", func(p *proposal) { p.invocation = nil }},
		{"no spec", func(p *proposal) { p.invocation.ChaincodeSpec = nil }},
		{"no chaincode in the spec", func(p *proposal) { p.invocation.ChaincodeSpec.ChaincodeId = nil }},
		{"no name in the spec", func(p *proposal) { p.invocation.ChaincodeSpec.ChaincodeId = chaincodeID("") }},
		{"another name in the spec", func(p *proposal) { p.invocation.ChaincodeSpec.ChaincodeId = chaincodeID(program.Other) }},
		{"unknown name in the spec", func(p *proposal) { p.invocation.ChaincodeSpec.ChaincodeId = chaincodeID("unknown") }},
		{"no input", func(p *proposal) { p.invocation.ChaincodeSpec.Input = nil }},
		{"no arguments", func(p *proposal) { p.invocation.ChaincodeSpec.Input.Args = nil }},
		{"for initialization", func(p *proposal) { p.invocation.ChaincodeSpec.Input.IsInit = true }},
	}
}
