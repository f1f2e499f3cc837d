package script

import (
	"github.com/hyperledger/fabric-gateway/pkg/client"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// keyPolicySteps are about keys that have an endorsement policy of their own.
func keyPolicySteps() []step {
	put := func(r *run, chaincode string, organizations []string, args ...string) any {
		options := []client.ProposalOption{client.WithArguments(r.args(args)...)}
		if organizations != nil {
			options = append(options, client.WithEndorsingOrganizations(organizations...))
		}
		return r.submitBy(r.contract(chaincode), "put", options...)
	}
	return []step{
		{"key policy: set, read and removed", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			said := []any{r.evaluate(program.Either, "getpolicy", "$k")}
			r.put(program.Either, "policy", "$k", first, second)
			said = append(said, r.evaluate(program.Either, "getpolicy", "$k"))
			r.put(program.Either, "policy", "$k")
			return append(said, r.evaluate(program.Either, "getpolicy", "$k"))
		}},
		{"key policy: of a key that isn't there", func(r *run) any {
			return []any{r.submit(program.Either, "policy", "$k", first, second), r.evaluate(program.Either, "getpolicy", "$k"), put(r, program.Either, []string{first}, "$k", "v")}
		}},
		{"key policy: endorsed by too few, and by all", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			r.put(program.Either, "policy", "$k", first, second)
			return []any{put(r, program.Either, []string{first}, "$k", "1"), put(r, program.Either, nil, "$k", "2"), r.evaluate(program.Either, "get", "$k")}
		}},
		{"key policy: who is asked for endorsement", func(r *run) any {
			r.put(program.Either, "put", "$k", "v", "$l", "v")
			r.put(program.Either, "policy", "$k", second)
			endorse := func(function string, args ...string) any {
				return r.endorse(r.contract(program.Either), function, client.WithArguments(r.args(args)...))
			}
			return []any{
				endorse("put", "$k", "1"), endorse("get", "$k"), endorse("put", "$l", "1"), endorse("put", "$k", "1", "$l", "1"), endorse("del", "$k"),
				endorse("policy", "$k", first),
			}
		}},
		{"key policy: replaces the chaincode's", func(r *run) any {
			r.put(program.Both, "put", "$k", "v", "$l", "v")
			r.put(program.Both, "policy", "$k", first)
			return []any{put(r, program.Both, []string{first}, "$k", "1"), put(r, program.Both, []string{first}, "$k", "1", "$l", "1")}
		}},
		{"key policy: a deleted key has none", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			r.put(program.Either, "policy", "$k", second)
			r.put(program.Either, "del", "$k")
			return []any{r.evaluate(program.Either, "getpolicy", "$k"), put(r, program.Either, []string{first}, "$k", "1")}
		}},
		{"key policy: of an unknown organization", func(r *run) any {
			r.put(program.Either, "put", "$k", "v")
			r.put(program.Either, "policy", "$k", "Org3MSP")
			return []any{put(r, program.Either, nil, "$k", "1"), put(r, program.Either, []string{first, second}, "$k", "1")}
		}},
		{"key policy: in a transaction of the chaincode that it calls", func(r *run) any {
			r.put(program.Other, "put", "$k", "v")
			r.put(program.Other, "policy", "$k", second)
			return r.endorse(r.contract(program.Either), "call", client.WithArguments(program.Other, "", "put", r.key("k"), "1"))
		}},
	}
}

// secret evaluates a function by each organization.
func (r caller) secrets(function string, args ...string) []any {
	r.level(r.ctx)
	options := client.WithArguments(r.args(args)...)
	return []any{
		r.answer(r.contract(program.Secret).EvaluateWithContext(r.ctx, function, options)),
		r.answer(r.secondContract(program.Secret).EvaluateWithContext(r.ctx, function, options)),
	}
}

// putAt submits private data with the endorsement of organizations.
func (r caller) putAt(organizations []string, args ...string) any {
	return r.submitBy(r.contract(program.Secret), "putp", client.WithArguments(r.args(args)...), client.WithEndorsingOrganizations(organizations...))
}

func privateSteps() []step {
	return []step{
		{"private: a collection of both organizations", func(r *run) any {
			said := r.submit(program.Secret, "putp", program.Shared, "$k", "v")
			return []any{said, r.secrets("getp", program.Shared, "$k"), r.secrets("hashp", program.Shared, "$k")}
		}},
		{"private: the first organization's collection", func(r *run) any {
			said := r.putAt([]string{first}, program.OfFirst, "$k", "v")
			return []any{said, r.secrets("getp", program.OfFirst, "$k"), r.secrets("hashp", program.OfFirst, "$k")}
		}},
		{"private: the second organization's collection", func(r *run) any {
			said := r.putAt([]string{second}, program.OfSecond, "$k", "v")
			return []any{said, r.secrets("getp", program.OfSecond, "$k"), r.secrets("hashp", program.OfSecond, "$k")}
		}},
		{"private: transient data", func(r *run) any {
			transient := client.WithTransient(map[string][]byte{"value": []byte("v")})
			said := r.submitBy(r.contract(program.Secret), "putt", client.WithArguments(program.Shared, r.key("k")), transient)
			return []any{said, r.secrets("getp", program.Shared, "$k")}
		}},
		{"private: an unknown collection", func(r *run) any {
			return []any{r.evaluate(program.Secret, "getp", "unknown", "k"), r.submit(program.Secret, "putp", "unknown", "k", "v"), r.evaluate(program.Either, "getp", "unknown", "k")}
		}},
		{"private: an implicit collection", func(r *run) any {
			said := r.putAt([]string{first}, "_implicit_org_Org1MSP", "$k", "v")
			return []any{said, r.secrets("getp", "_implicit_org_Org1MSP", "$k"), r.secrets("hashp", "_implicit_org_Org1MSP", "$k")}
		}},
		{"private: ranges", func(r *run) any {
			r.put(program.Secret, "putp", program.Shared, "$a", "1")
			r.put(program.Secret, "putp", program.Shared, "$b", "2")
			return r.secrets("rangep", program.Shared, "$", "$~")
		}},
		{"private: deleted and purged", func(r *run) any {
			r.put(program.Secret, "putp", program.Shared, "$a", "1")
			r.put(program.Secret, "putp", program.Shared, "$b", "2")
			r.put(program.Secret, "delp", program.Shared, "$a")
			r.put(program.Secret, "purgep", program.Shared, "$b")
			return []any{
				r.secrets("getp", program.Shared, "$a"), r.secrets("hashp", program.Shared, "$a"), r.secrets("getp", program.Shared, "$b"),
				r.secrets("hashp", program.Shared, "$b"),
			}
		}},
		{"private: it lives for some blocks", func(r *run) any {
			said := []any{r.submit(program.Secret, "putp", program.Brief, "$k", "v")}
			for range 4 {
				said = append(said, r.secrets("getp", program.Brief, "$k"))
				r.put(program.Other, "put", "$k", "v")
			}
			return said
		}},
		{"private: guarded from clients of others", func(r *run) any {
			r.put(program.Secret, "putp", program.Guarded, "$k", "v")
			other := r.at("User1@"+second, first).GetNetwork(r.target.Channel).GetContract(program.Secret)
			return []any{
				r.evaluate(program.Secret, "getp", program.Guarded, "$k"),
				r.answer(other.EvaluateWithContext(r.ctx, "getp", client.WithArguments(program.Guarded, r.key("k")))),
				r.submitBy(other, "putp", client.WithArguments(program.Guarded, r.key("l"), "v")),
				r.answer(other.EvaluateWithContext(r.ctx, "hashp", client.WithArguments(program.Guarded, r.key("k")))),
			}
		}},
	}
}

func privateWriteSteps() []step {
	return []step{
		{"private: conflict of values that were read", func(r *run) any {
			r.put(program.Secret, "putp", program.Shared, "$k", "1")
			tx := r.endorsed(r.contract(program.Secret), "hashp", client.WithArguments(program.Shared, r.key("k")))
			r.put(program.Secret, "putp", program.Shared, "$k", "2")
			return r.send(tx)
		}},
		{"private: a key's policy", func(r *run) any {
			r.put(program.Secret, "putp", program.Shared, "$k", "1")
			said := r.submit(program.Secret, "policyp", program.Shared, "$k", first, second)
			return []any{said, r.putAt([]string{first}, program.Shared, "$k", "2"), r.putAt([]string{first, second}, program.Shared, "$k", "3")}
		}},
		{"private: who is asked for endorsement", func(r *run) any {
			endorse := func(function string, args ...string) any {
				return r.endorse(r.contract(program.Secret), function, client.WithArguments(r.args(args)...))
			}
			r.putAt([]string{first}, program.OfFirst, "$k", "v")
			r.putAt([]string{second}, program.OfSecond, "$k", "v")
			return []any{
				endorse("putp", program.OfFirst, "$k", "1"), endorse("putp", program.OfSecond, "$k", "1"), endorse("getp", program.OfFirst, "$k"),
				endorse("getp", program.OfSecond, "$k"), endorse("hashp", program.OfSecond, "$k"), endorse("getp", program.Shared, "$none"),
			}
		}},
		{"private: transient data for a collection that the own organization isn't a member of", func(r *run) any {
			transient := client.WithTransient(map[string][]byte{"value": []byte("v")})
			return []any{
				r.endorse(r.contract(program.Secret), "putt", client.WithArguments(program.OfSecond, r.key("k")), transient),
				r.endorse(r.secondContract(program.Secret), "putt", client.WithArguments(program.OfFirst, r.key("k")), transient),
			}
		}},
		{"private: a chaincode that it calls", func(r *run) any {
			said := r.submit(program.Either, "call", program.Secret, "", "putp", program.Shared, "$k", "v")
			return []any{said, r.secrets("getp", program.Shared, "$k")}
		}},
		{"private: public and private in one transaction", func(r *run) any {
			return r.submit(program.Either, "callput", "$k", program.Secret, "", "putp", program.Shared, "$k", "v")
		}},
	}
}

// callSteps are about chaincodes that call each other.
func callSteps() []step {
	return []step{
		{"call: another chaincode that writes", func(r *run) any {
			said := r.submit(program.Either, "call", program.Other, "", "put", "$k", "v")
			return []any{said, r.evaluate(program.Other, "get", "$k"), r.evaluate(program.Either, "get", "$k")}
		}},
		evaluate("a call of an unknown chaincode", program.Either, "call", "unknown", "", "get", "k"),
		evaluate("a call of an unknown channel", program.Either, "call", program.Other, "unknown", "get", "k"),
		evaluate("a call of itself", program.Either, "call", program.Either, "", "get", "k"),
		evaluate("a call of a chaincode of the peer", program.Either, "call", "qscc", "", "GetChainInfo", "mychannel"),
		evaluate("a call that fails", program.Either, "call", program.Other, "", "answer", "500", "failed", ""),
		evaluate("a call with status 404", program.Either, "call", program.Other, "", "answer", "404", "failed", "payload"),
		{"call: a chaincode that needs another endorsement", func(r *run) any {
			return []any{
				r.endorse(r.contract(program.Either), "call", client.WithArguments(program.Second, "", "put", r.key("k"), "v")),
				r.endorse(r.contract(program.Either), "call", client.WithArguments(program.Second, "", "get", r.key("k"))),
				r.submitBy(r.contract(program.Either), "call", client.WithArguments(program.Second, "", "put", r.key("k"), "v"), client.WithEndorsingOrganizations(first)),
			}
		}},
		{"call: the event of the one that was called is lost", func(r *run) any {
			tx := r.prepared(r.endorsed(r.contract(program.Either), "call", client.WithArguments(program.Other, "", "event", "told", "it")))
			return tx["actions"]
		}},
		submit("what a call answered", program.Either, "callput", "$k", program.Other, "", "answer", "201", "made", "it"),
	}
}
