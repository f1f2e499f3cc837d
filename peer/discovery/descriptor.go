package discovery

import (
	"context"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Descriptor returns which peers of a channel must endorse a transaction: one that has to do with the chaincodes, collections and keys of
// an interest. The error has the text that Fabric's gateway tells clients, and its discovery doesn't.
func (s *Service) Descriptor(ctx context.Context, channelID string, interest *pb.ChaincodeInterest) (*pb.EndorsementDescriptor, error) {
	channel := s.cfg.Channel(channelID)
	if channel == nil {
		return nil, errors.Errorf("channel '%s' not found", channelID)
	}
	if err := checkInterests([]*pb.ChaincodeInterest{interest}); err != nil {
		return nil, err
	}
	return descriptor(ctx, channel, query{channelID, interest, newWork(ctx)})
}

// query is what is asked about a channel.
type query struct {
	channelID string
	interest  *pb.ChaincodeInterest
	work      *work
}

// analysis is what an interest means on a channel (Fabric: discovery/endorsement).
type analysis struct {
	query
	channel Channel
	peers   []Peer

	may        []*Peer                      // endorse
	chaincodes []*Chaincode                 // that are called, one for each call
	shown      []policies.Signature         // of collections whose data endorsers see: who may have it
	identified map[*Peer]*identity.Verified // nil for those who are nobody on the channel
}

func descriptor(ctx context.Context, channel Channel, q query) (*pb.EndorsementDescriptor, error) {
	peers, err := channel.Peers(ctx)
	if err != nil {
		return nil, err
	}
	a := &analysis{query: q, channel: channel, peers: peers}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	return a.descriptor()
}

// load reads the definitions that an interest is about.
func (a *analysis) load(ctx context.Context) error {
	for _, call := range a.interest.GetChaincodes() {
		c, err := a.channel.Chaincode(ctx, call.GetName())
		if err != nil {
			return err
		}
		if c == nil {
			return errors.Errorf("No metadata was found for chaincode %s in channel %s", call.GetName(), a.channelID)
		}
		a.chaincodes = append(a.chaincodes, c)
		if call.GetNoPrivateReads() {
			continue
		}
		for _, name := range call.GetCollectionNames() {
			coll := c.collection(name)
			if coll == nil {
				return errors.Errorf("collection %s doesn't exist in collection config for chaincode %s", name, call.GetName())
			}
			a.shown = append(a.shown, coll.Members)
		}
	}
	return nil
}

// collection returns a collection, or nil. Implicit ones are always there, for the members of their organization.
func (c *Chaincode) collection(name string) *Collection {
	for i := range c.Collections {
		if c.Collections[i].Name == name {
			return &c.Collections[i]
		}
	}
	if mspID, ok := strings.CutPrefix(name, ledger.ImplicitCollectionPrefix); ok {
		own := policies.Any(policies.SignedBy(identity.Principal{MSPID: mspID, Role: identity.Member}))
		return &Collection{Name: name, Members: own, Endorsement: &own}
	}
	return nil
}

// identify returns who a peer is, or nil if it is nobody on the channel.
func (a *analysis) identify(p *Peer) *identity.Verified {
	who, known := a.identified[p]
	if !known {
		if a.identified == nil {
			a.identified = map[*Peer]*identity.Verified{}
		}
		var err error
		if who, err = a.channel.Verifier().Identify(p.Identity); err != nil {
			who = nil
		}
		a.identified[p] = who
	}
	return who
}

// trusts reports whether a peer may have all private data that endorsers see.
func (a *analysis) trusts(who *identity.Verified) bool {
	for _, policy := range a.shown {
		if who == nil || !belongs(who, policy) {
			return false
		}
	}
	return true
}

// belongs reports whether somebody belongs to one of the groups that a policy names, whatever it makes of them.
func belongs(who *identity.Verified, p policies.Signature) bool {
	if p.Rules == nil {
		return who.Satisfies(p.Principal)
	}
	for _, rule := range p.Rules {
		if belongs(who, rule) {
			return true
		}
	}
	return false
}

// policies are those that a transaction must fulfil, each once.
func (a *analysis) policies() ([]policies.Signature, error) {
	all := distinct{seen: map[string]bool{}}
	for i, call := range a.interest.GetChaincodes() {
		own := a.chaincodes[i].policies(call.GetCollectionNames())
		if call.GetDisregardNamespacePolicy() {
			if len(own) == 1 && len(call.GetKeyPolicies()) == 0 {
				return nil, errors.Errorf("requested to disregard chaincode %s's policy but key and collection policies are missing, either "+
					"disable DisregardNamespacePolicy or specify at least one key policy or at least one collection policy", call.GetName())
			}
			own = own[1:]
		}
		for _, p := range own {
			all.add(p)
		}
	}
	for _, call := range a.interest.GetChaincodes() {
		for _, e := range call.GetKeyPolicies() {
			p, err := policies.FromEnvelope(e)
			if err != nil {
				return nil, errors.WithMessage(err, "state based endorsement policy cannot be satisfied")
			}
			all.add(p)
		}
	}
	if len(all.policies) == 0 {
		return nil, errors.New("no principal sets remained after filtering")
	}
	return all.policies, nil
}

// policies are those of a chaincode, or of some of its collections, each once. A collection without one of its own has the chaincode's.
func (c *Chaincode) policies(collections []string) []policies.Signature {
	if len(collections) == 0 {
		return []policies.Signature{c.Endorsement}
	}
	all := distinct{seen: map[string]bool{}}
	for _, name := range collections {
		p := c.Endorsement
		if coll := c.collection(name); coll != nil && coll.Endorsement != nil {
			p = *coll.Endorsement
		}
		all.add(p)
	}
	return all.policies
}

// distinct are policies, each once.
type distinct struct {
	policies []policies.Signature
	seen     map[string]bool // marshalled
}

func (d *distinct) add(p policies.Signature) {
	if key, err := p.Marshal(); err == nil {
		if d.seen[string(key)] {
			return
		}
		d.seen[string(key)] = true
	}
	d.policies = append(d.policies, p)
}

// descriptor finds out whose endorsements are enough.
func (a *analysis) descriptor() (*pb.EndorsementDescriptor, error) {
	wanted, err := a.policies()
	if err != nil {
		return nil, err
	}
	var who []*identity.Verified
	for i := range a.peers {
		p := &a.peers[i]
		if p.Endpoint != "" && a.trusts(a.identify(p)) {
			a.may, who = append(a.may, p), append(who, a.identify(p))
		}
	}
	s := newSearch(who, a.work)
	sets, err := s.all(wanted)
	if err != nil {
		return nil, err
	}
	if sets = newCrew(s, who).enough(sets, wanted); len(sets) == 0 {
		if a.work.left <= 0 {
			return nil, errors.New("the policies of this request have too many combinations")
		}
		return nil, errors.New("no peer combination can satisfy the endorsement policy")
	}
	return a.describe(s, wanted, sets)
}

// all returns the smallest sets that fulfil all of some policies.
func (s *search) all(wanted []policies.Signature) ([]set, error) {
	var sets []set
	for i, p := range wanted {
		one, err := s.fulfilling(p)
		if err != nil {
			return nil, err
		}
		for _, a := range one {
			if len(a) == 0 { // a policy that needs nobody is none, in Fabric
				return nil, errors.New("endorsement policy cannot be satisfied")
			}
		}
		if i == 0 {
			sets = one
			continue
		}
		sets = s.both(sets, one)
	}
	return sets, nil
}

// describe makes the layouts that those peers fill that can run the chaincodes, and the groups that are in them.
func (a *analysis) describe(s *search, wanted []policies.Signature, sets []set) (*pb.EndorsementDescriptor, error) {
	var who []*identity.Verified
	var messages []*pb.DiscoveredPeer
	for i, p := range a.may {
		if !p.runs(a.chaincodes) {
			continue
		}
		m, err := p.message(a.channelID)
		if err != nil {
			return nil, err
		}
		who, messages = append(who, s.peers[i]), append(messages, m)
	}
	c := newCrew(s, who)
	if len(who) < len(s.peers) {
		sets = c.enough(sets, wanted)
	}
	if len(sets) == 0 {
		return nil, errors.New("required chaincodes are not installed on sufficient peers")
	}
	d := &pb.EndorsementDescriptor{Chaincode: a.interest.GetChaincodes()[0].GetName(), EndorsersByGroups: map[string]*pb.DiscoveredPeers{}}
	for _, one := range sets {
		d.Layouts = append(d.Layouts, one.layout())
		for _, n := range one {
			if d.EndorsersByGroups[group(n)] != nil {
				continue
			}
			g := new(pb.DiscoveredPeers)
			for _, i := range c.members[n] {
				g.Peers = append(g.Peers, messages[i])
			}
			d.EndorsersByGroups[group(n)] = g
		}
	}
	return d, nil
}
