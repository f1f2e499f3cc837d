package script

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/discovery"
	"github.com/hyperledger/fabric-protos-go-apiv2/gossip"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/ccpeer/ccpeer/internal/realfabric/script/program"
)

// discover asks the first organization's peer.
func (r *run) discover(by string, queries ...*discovery.Query) any {
	request := &discovery.Request{Authentication: &discovery.AuthInfo{ClientIdentity: r.users[by].creator, ClientTlsCertHash: r.hash}, Queries: queries}
	return r.discoverBytes(by, marshal(request))
}

func (r *run) discoverBytes(by string, request []byte) any {
	response, err := discovery.NewDiscoveryClient(r.peers[first]).Discover(r.ctx, &discovery.SignedRequest{Payload: request, Signature: r.signature(by, request)})
	if err != nil {
		return r.failure(err)
	}
	var said []any
	for _, result := range response.GetResults() {
		switch t := result.GetResult().(type) {
		case *discovery.QueryResult_Error:
			said = append(said, say{"error": r.text(t.Error.GetContent())})
		case *discovery.QueryResult_ConfigResult:
			said = append(said, r.discoveredConfig(t.ConfigResult))
		case *discovery.QueryResult_CcQueryRes:
			said = append(said, r.descriptors(t.CcQueryRes))
		case *discovery.QueryResult_Members:
			said = append(said, r.members(t.Members))
		}
	}
	return said
}

func (r blockReader) discoveredConfig(c *discovery.ConfigResult) say {
	msps, orderers := say{}, say{}
	for id, m := range c.GetMsps() {
		msps[id] = say{
			"name": m.GetName(), "rootCerts": len(m.GetRootCerts()), "intermediateCerts": len(m.GetIntermediateCerts()), "admins": len(m.GetAdmins()),
			"tlsRootCerts": len(m.GetTlsRootCerts()), "nodeOUs": m.GetFabricNodeOus().GetEnable(), "crypto": m.GetCryptoConfig().GetSignatureHashFamily(),
			"units": units(m),
		}
	}
	for id, endpoints := range c.GetOrderers() {
		var all []string
		for _, e := range endpoints.GetEndpoint() {
			address := net.JoinHostPort(e.GetHost(), portOf(e))
			if address == r.target.Orderer.Address {
				address = "<orderer>"
			}
			all = append(all, r.text(address))
		}
		orderers[id] = all
	}
	return say{"msps": msps, "orderers": orderers}
}

func units(m *msp.FabricMSPConfig) []string {
	ous := m.GetFabricNodeOus()
	var all []string
	for _, o := range []*msp.FabricOUIdentifier{ous.GetClientOuIdentifier(), ous.GetPeerOuIdentifier(), ous.GetAdminOuIdentifier(), ous.GetOrdererOuIdentifier()} {
		all = append(all, o.GetOrganizationalUnitIdentifier())
	}
	return all
}

// member says what is known of a peer.
func (r blockReader) member(p *discovery.Peer) say {
	said := say{"organization": r.mspOf(p.GetIdentity())}
	var alive, state gossip.GossipMessage
	if p.GetMembershipInfo() != nil {
		r.decode(p.GetMembershipInfo().GetPayload(), &alive)
		said["endpoint"] = r.text(alive.GetAliveMsg().GetMembership().GetEndpoint())
	}
	if p.GetStateInfo() != nil {
		r.decode(p.GetStateInfo().GetPayload(), &state)
		var chaincodes []string
		for _, c := range state.GetStateInfo().GetProperties().GetChaincodes() {
			chaincodes = append(chaincodes, c.GetName()+":"+c.GetVersion())
		}
		slices.Sort(chaincodes)
		said["chaincodes"], said["leftChannel"] = chaincodes, state.GetStateInfo().GetProperties().GetLeftChannel()
		said["hasHeight"] = state.GetStateInfo().GetProperties().GetLedgerHeight() > 0
	}
	return said
}

func (r blockReader) members(m *discovery.PeerMembershipResult) say {
	said := say{}
	for organization, peers := range m.GetPeersByOrg() {
		var all []say
		for _, p := range peers.GetPeers() {
			all = append(all, r.member(p))
		}
		said[organization] = all
	}
	return say{"members": said}
}

func (r blockReader) descriptors(result *discovery.ChaincodeQueryResult) []any {
	var all []any
	for _, d := range result.GetContent() {
		groups, names := say{}, map[string]string{}
		for name, peers := range d.GetEndorsersByGroups() {
			var in []string
			for _, p := range peers.GetPeers() {
				in = append(in, r.mspOf(p.GetIdentity()))
			}
			slices.Sort(in)
			names[name] = strings.Join(in, "+")
			groups[names[name]] = len(in)
		}
		var layouts []string
		for _, l := range d.GetLayouts() {
			var parts []string
			for group, quantity := range l.GetQuantitiesByGroup() {
				parts = append(parts, names[group]+"×"+string(rune('0'+quantity)))
			}
			slices.Sort(parts)
			layouts = append(layouts, strings.Join(parts, " "))
		}
		slices.Sort(layouts)
		all = append(all, say{"chaincode": d.GetChaincode(), "groups": groups, "layouts": layouts})
	}
	return all
}

// Each is a query for the channel.
func (r *run) configQuery() *discovery.Query {
	return &discovery.Query{Channel: r.target.Channel, Query: &discovery.Query_ConfigQuery{ConfigQuery: &discovery.ConfigQuery{}}}
}

func (r *run) peerQuery() *discovery.Query {
	return &discovery.Query{Channel: r.target.Channel, Query: &discovery.Query_PeerQuery{PeerQuery: &discovery.PeerMembershipQuery{}}}
}

func localQuery() *discovery.Query {
	return &discovery.Query{Query: &discovery.Query_LocalPeers{LocalPeers: &discovery.LocalPeerQuery{}}}
}

// endorsersQuery asks who is to endorse calls of chaincodes.
func (r *run) endorsersQuery(interests ...*peer.ChaincodeInterest) *discovery.Query {
	return &discovery.Query{Channel: r.target.Channel, Query: &discovery.Query_CcQuery{CcQuery: &discovery.ChaincodeQuery{Interests: interests}}}
}

func interest(calls ...*peer.ChaincodeCall) *peer.ChaincodeInterest {
	return &peer.ChaincodeInterest{Chaincodes: calls}
}

func named(name string, collections ...string) *peer.ChaincodeCall {
	return &peer.ChaincodeCall{Name: name, CollectionNames: collections}
}

func discoverySteps() []step {
	const user = "User1@" + first
	ask := func(name string, queries func(r *run) []*discovery.Query) step {
		return step{"discovery: " + name, func(r *run) any { return r.discover(user, queries(r)...) }}
	}
	of := func(name string, interests ...*peer.ChaincodeInterest) step {
		return ask("who endorses "+name, func(r *run) []*discovery.Query { return []*discovery.Query{r.endorsersQuery(interests...)} })
	}
	all := table("discovery: ", users(), func(r *run, who string) any {
		return []any{r.discover(who, r.configQuery()), r.discover(who, localQuery())}
	})
	return append(all,
		ask("configuration", func(r *run) []*discovery.Query { return []*discovery.Query{r.configQuery()} }),
		ask("peers", func(r *run) []*discovery.Query { return []*discovery.Query{r.peerQuery()} }),
		ask("all at once", func(r *run) []*discovery.Query {
			return []*discovery.Query{r.configQuery(), r.peerQuery(), r.endorsersQuery(interest(named(program.Both)))}
		}),
		ask("nothing", func(*run) []*discovery.Query { return nil }),
		ask("a query without a type", func(r *run) []*discovery.Query { return []*discovery.Query{{Channel: r.target.Channel}} }),
		ask("no channel", func(*run) []*discovery.Query {
			return []*discovery.Query{{Query: &discovery.Query_ConfigQuery{ConfigQuery: &discovery.ConfigQuery{}}}}
		}),
		ask("an unknown channel", func(*run) []*discovery.Query {
			return []*discovery.Query{{Channel: "unknown", Query: &discovery.Query_ConfigQuery{ConfigQuery: &discovery.ConfigQuery{}}}}
		}),
		step{"discovery: an administrator's local peers", func(r *run) any { return r.discover("Admin@"+first, localQuery()) }},
		of("both", interest(named(program.Both))),
		of("either", interest(named(program.Either))),
		of("first", interest(named(program.First))),
		of("second", interest(named(program.Second))),
		of("an unknown chaincode", interest(named("unknown"))),
		of("nothing", interest()),
		of("nobody"),
		of("two chaincodes", interest(named(program.First), named(program.Second))),
		of("a collection", interest(named(program.Secret, program.OfFirst))),
		of("two collections", interest(named(program.Secret, program.Shared, program.OfSecond))),
		of("an unknown collection", interest(named(program.Secret, "unknown"))),
		of("two interests", interest(named(program.First)), interest(named(program.Both))),
		of("a chaincode of the peer", interest(named("qscc"))),
		step{"discovery: bytes that aren't a request", func(r *run) any { return r.discoverBytes(user, []byte("\xff")) }},
		step{"discovery: no authentication", func(r *run) any {
			return r.discoverBytes(user, marshal(&discovery.Request{Queries: []*discovery.Query{r.configQuery()}}))
		}},
		step{"discovery: signed by another", func(r *run) any {
			request := &discovery.Request{Authentication: &discovery.AuthInfo{ClientIdentity: r.users[user].creator, ClientTlsCertHash: r.hash}, Queries: []*discovery.Query{r.configQuery()}}
			return r.discoverBytes("Admin@"+first, marshal(request))
		}},
		step{"discovery: another hash of a TLS certificate", func(r *run) any {
			return r.discoverBytes(user, marshal(&discovery.Request{
				Authentication: &discovery.AuthInfo{ClientIdentity: r.users[user].creator, ClientTlsCertHash: []byte("hash")}, Queries: []*discovery.Query{r.configQuery()},
			}))
		}},
		step{"discovery: no hash of a TLS certificate", func(r *run) any {
			return r.discoverBytes(user, marshal(&discovery.Request{Authentication: &discovery.AuthInfo{ClientIdentity: r.users[user].creator}, Queries: []*discovery.Query{r.configQuery()}}))
		}},
	)
}

func portOf(e *discovery.Endpoint) string { return strconv.FormatUint(uint64(e.GetPort()), 10) }
