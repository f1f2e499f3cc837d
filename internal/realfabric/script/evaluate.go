package script

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

func evaluateSteps() []step {
	return []step{
		evaluate("a key that isn't there", program.Either, "get", "$k"),
		evaluate("arguments", program.Either, "arguments", "", "a b", "ü", "\x00"),
		evaluate("no such function", program.Either, "nothing"),
		evaluate("a write", program.Either, "put", "$k", "v"),
		evaluate("an unknown chaincode", "unknown", "get", "k"),
		evaluate("a chaincode's name with a version", program.Either+":1.0", "get", "k"),
		evaluate("a contract's name", program.Either, "nothing:get", "k"),
		{"evaluate: contract by its name", func(r *run) any {
			return r.answer(r.network().GetContractWithName(program.Either, "some").EvaluateWithContext(r.ctx, "get"))
		}},
		{"evaluate: an unknown channel", func(r *run) any {
			return r.answer(r.as("User1@"+first).GetNetwork("unknown").GetContract(program.Either).EvaluateWithContext(r.ctx, "get"))
		}},
		{"evaluate: what was put, by both organizations", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			r.level(r.ctx)
			return []any{r.evaluate(program.Either, "get", "$k"), r.answer(r.secondContract(program.Either).EvaluateWithContext(r.ctx, "get", client.WithArguments(r.key("k"))))}
		}},
		{"evaluate: a megabyte", func(r *run) any {
			b, err := r.contract(program.Either).EvaluateWithContext(r.ctx, "large", client.WithArguments("1048576"))
			r.must(err)
			return len(b)
		}},
		{"evaluate: the client's deadline", func(r *run) any {
			ctx, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
			defer cancel()
			_, err := r.contract(program.Either).EvaluateWithContext(ctx, "wait", client.WithArguments("500"))
			return r.failure(err)["code"] // the client's text, or the gateway's, whichever is first
		}},
		{"evaluate: the client has canceled", func(r *run) any {
			ctx, cancel := context.WithCancel(r.ctx)
			cancel()
			return r.answer(r.contract(program.Either).EvaluateWithContext(ctx, "get", client.WithArguments("k")))
		}},
	}
}

// secondContract is a chaincode, for the second organization's user.
func (s *session) secondContract(name string) *client.Contract {
	return s.as("User1@" + second).GetNetwork(s.target.Channel).GetContract(name)
}

// statuses are those that a chaincode can answer with, as text.
func statuses() []row[string] {
	var rows []row[string]
	for _, status := range []string{"-1", "0", "1", "199", "200", "201", "399", "400", "404", "499", "500", "501", "2147483647"} {
		rows = append(rows, row[string]{"status " + status, status})
	}
	return rows
}

func evaluateStatusSteps() []step {
	return table("evaluate: ", statuses(), func(r *run, status string) any {
		return r.evaluate(program.Either, "answer", status, "a message", "a payload")
	})
}

// users are those who can sign a call.
func users() []row[string] {
	return []row[string]{
		{"by an administrator", "Admin@" + first},
		{"by a client with attributes", "Green@" + first},
		{"by a peer", "Peer@" + first},
		{"by the other organization's client", "User1@" + second},
		{"with an expired certificate", "Expired@" + first},
		{"by a foreign organization", "Stranger@Org3MSP"},
		{"with another CA's certificate", "Forger@" + first},
	}
}

func evaluateWhoSteps() []step {
	all := table("evaluate: ", users(), func(r *run, who string) any {
		return r.answer(r.at(who, first).GetNetwork(r.target.Channel).GetContract(program.Either).EvaluateWithContext(r.ctx, "who"))
	})
	return append(all,
		step{"evaluate: attributes", func(r *run) any {
			return r.answer(r.as("Green@"+first).GetNetwork(r.target.Channel).GetContract(program.Either).
				EvaluateWithContext(r.ctx, "attribute", client.WithArguments("color")))
		}},
		step{"evaluate: attributes of somebody who has none", func(r *run) any { return r.evaluate(program.Either, "attribute", "color") }},
	)
}

// call is a call of a chaincode's function transient.
type call struct {
	chaincode string
	options   []client.ProposalOption
}

// targets are calls for which it is said who is to endorse, or that have transient data.
func targets() []row[call] {
	secret := client.WithTransient(map[string][]byte{"value": []byte("v"), "other": []byte("w")})
	at := func(organizations ...string) client.ProposalOption {
		return client.WithEndorsingOrganizations(organizations...)
	}
	with := func(chaincode string, options ...client.ProposalOption) call { return call{chaincode, options} }
	return []row[call]{
		{"by the own organization", with(program.Either, at(first))},
		{"by the other organization", with(program.Either, at(second))},
		{"by both organizations", with(program.Either, at(first, second))},
		{"by the orderer's organization", with(program.Either, at("OrdererMSP"))},
		{"by an unknown organization", with(program.Either, at("Org3MSP"))},
		{"by two unknown organizations", with(program.Either, at("Org4MSP", "Org3MSP"))},
		{"by an organization that is known, and one that isn't", with(program.Either, at(first, "Org3MSP"))},
		{"by an organization twice", with(program.Either, at(first, first))},
		{"by too few", with(program.Both, at(second))},
		{"an unknown chaincode by the own organization", with("unknown", at(first))},
		{"an unknown chaincode by the other organization", with("unknown", at(second))},
		{"an unknown chaincode, with transient data", with("unknown", secret)},
		{"transient data", with(program.Either, secret)},
		{"transient data for the other organization", with(program.Either, secret, at(second))},
		{"transient data, both organizations", with(program.Both, secret)},
	}
}

func evaluateTargetSteps() []step {
	return table("evaluate: ", targets(), func(r *run, c call) any {
		return r.answer(r.contract(c.chaincode).EvaluateWithContext(r.ctx, "transient", c.options...))
	})
}

func stateSteps() []step {
	return []step{
		{"state: ranges, pages and deleted keys", func(r *run) any {
			r.put(program.Either, "put", "$a", "1", "$b", "2", "$c", "3", "$d", "4")
			r.put(program.Either, "del", "$b")
			return []any{
				r.evaluate(program.Either, "range", "$", "$~"), r.evaluate(program.Either, "range", "$b", "$d"), r.evaluate(program.Either, "range", "$d", "$a"),
				r.evaluate(program.Either, "page", "$", "$~", "2", ""), r.evaluate(program.Either, "page", "$", "$~", "2", "$d"),
			}
		}},
		{"state: composite keys", func(r *run) any {
			r.put(program.Either, "putcomposite", "color~name", "blue", r.name, "1")
			r.put(program.Either, "putcomposite", "color~name", "blue", "other "+r.name, "2")
			return []any{r.evaluate(program.Either, "partial", "color~name", "blue"), r.evaluate(program.Either, "partial", "color~name", "red")}
		}},
		{"state: history", func(r *run) any {
			r.put(program.Either, "put", "$k", "1")
			r.put(program.Either, "del", "$k")
			r.put(program.Either, "put", "$k", "2")
			return []any{r.evaluate(program.Either, "history", "$k"), r.evaluate(program.Either, "history", "$none")}
		}},
		evaluate("a rich query", program.Either, "query", `{"selector":{}}`),
		evaluate("an empty key", program.Either, "get", ""),
		submit("an empty key", program.Either, "put", "", "v"),
		submit("an empty value", program.Either, "put", "$k", ""),
		submit("keys in any order", program.Either, "put", "$b", "1", "$a", "2", "$b", "3"),
		submit("nothing", program.Either, "put"),
		submit("a key that is deleted, and isn't there", program.Either, "del", "$k"),
	}
}
