package peer

import (
	"context"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// candidate is a peer that can endorse.
type candidate struct {
	peer    *Peer
	channel *Channel
}

// candidates are the peers that can endorse a call. The first one is to be asked first: one of the client's organization if there
// is one. If the call says who is to be asked, it is those.
func (n *Network) candidates(who identity.Signer, call Call) ([]candidate, error) {
	var own, others, named []candidate
	mspID, byName := mspIDOf(who.Creator()), map[string]candidate{}
	known := false
	for _, p := range n.peers {
		c := candidate{p, p.Channel(call.Channel)}
		if c.channel == nil {
			continue
		}
		known = true
		byName[p.Name()] = c
		if _, ok := byName[p.MSPID()]; !ok {
			byName[p.MSPID()] = c
		}
		switch {
		case !p.runs(c.channel, call.Chaincode):
		case p.MSPID() == mspID:
			own = append(own, c)
		default:
			others = append(others, c)
		}
	}
	if !known {
		return nil, errors.Errorf("channel '%s' not found", call.Channel)
	}
	for _, name := range call.Endorsers {
		c, ok := byName[name]
		if !ok {
			return nil, errors.Errorf("there is no peer %q on channel %s: Call.Endorsers takes names of peers and IDs of MSPs", name, call.Channel)
		}
		named = append(named, c)
	}
	if named != nil {
		return named, nil
	}
	if all := append(own, others...); len(all) > 0 {
		return all, nil
	}
	return nil, errors.Errorf("no peer of channel %s has chaincode %q: deploy it", call.Channel, call.Chaincode)
}

// runs reports whether a peer can be expected to run a channel's chaincode.
func (p *Peer) runs(c *Channel, name string) bool {
	d := c.definitions.find(name)
	if d == nil {
		return p.cfg.Support.Definitions != nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.runtimes[d.ID] != nil || p.cfg.Support.Runtimes != nil || p.cfg.Support.DevMode
}

// plan returns who must endorse besides the first, given what the first has endorsed: enough for the policies of the chaincodes
// and of the keys that are written.
func plan(ctx context.Context, call Call, first *answer, candidates []candidate) ([]candidate, error) {
	w, err := wants(ctx, candidates[0].channel, call.Chaincode, first.rwset)
	if err != nil {
		return nil, err
	}
	var may []candidate
	for _, c := range candidates {
		ok, err := w.trusts(ctx, c.channel.self)
		if err != nil {
			return nil, err
		}
		if ok {
			may = append(may, c)
		}
	}
	if len(may) == 0 || may[0].peer != first.peer {
		may = append([]candidate{candidates[0]}, may...) // it has seen the data already
	}
	tries := 0
	enough := func(chosen []candidate) bool {
		tries++
		return tries <= maxTries && w.enough(chosen)
	}
	for size := range len(may) {
		if chosen := choose(may[:1], may[1:], size, enough); chosen != nil {
			return chosen[1:], nil
		}
	}
	if w.enough(may) {
		return may[1:], nil
	}
	if len(w.collections) > 0 && len(may) < len(candidates) {
		return nil, errors.Errorf("no combination of peers can be derived which satisfy the endorsement policy: "+
			"requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): [%s]", w.collectionNames())
	}
	return nil, errors.Errorf("no combination of peers can be derived which satisfy the endorsement policy: %d can endorse chaincode %s on channel %s",
		len(may), call.Chaincode, call.Channel)
}

// maxTries is how many combinations of peers are tried, fewest peers first, before all are asked.
const maxTries = 10_000

// choose adds as many peers as it is told to those that are chosen, so that they are enough. It returns nil if it can't.
func choose(chosen, from []candidate, more int, enough func([]candidate) bool) []candidate {
	if more == 0 {
		if enough(chosen) {
			return chosen
		}
		return nil
	}
	for i := 0; i+more <= len(from); i++ {
		with := append(chosen[:len(chosen):len(chosen)], from[i])
		if found := choose(with, from[i+1:], more-1, enough); found != nil {
			return found
		}
	}
	return nil
}

// wanted is what a transaction needs.
type wanted struct {
	channel     *Channel
	policies    []policies.Policy
	known       map[string]bool
	collections []nsCollection // that it reads or writes
}

type nsCollection struct{ namespace, name string }

// validationParameter is the name under which a key's metadata has its policy (Fabric: peer/metadata).
const validationParameter = "VALIDATION_PARAMETER"

// wants finds out which policies a transaction must fulfil: that of the chaincode that was called, and those of all that it writes
// to. A key with a policy of its own is not under its chaincode's. Whether they are fulfilled in the end is the committer's to say.
func wants(ctx context.Context, c *Channel, called string, rwset []byte) (*wanted, error) {
	var set pb.TxReadWriteSet
	if err := proto.Unmarshal(rwset, &set); err != nil {
		return nil, errors.Wrap(err, "decode read/write set")
	}
	w, calledHas := &wanted{channel: c, known: map[string]bool{}}, false
	for _, ns := range set.GetNsRwset() {
		for _, coll := range ns.GetCollectionHashedRwset() {
			w.collections = append(w.collections, nsCollection{ns.GetNamespace(), coll.GetCollectionName()})
		}
		keys, err := keysOf(ns)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if err := w.addKey(ctx, ns.GetNamespace(), k); err != nil {
				return nil, err
			}
		}
		calledHas = calledHas || ns.GetNamespace() == called && len(keys) > 0
	}
	if !calledHas { // somebody must sign even if nothing is written
		w.addChaincode(called)
	}
	return w, nil
}

// addKey adds the policy of a key.
func (w *wanted) addKey(ctx context.Context, namespace string, k written) error {
	metadata, err := w.channel.ledger.KeyMetadata(ctx, namespace, k.key)
	if k.collection != "" {
		metadata, err = w.channel.ledger.PrivateKeyMetadata(ctx, namespace, k.collection, []byte(k.key))
	}
	if err != nil {
		return err
	}
	parameter := metadata[validationParameter]
	mspID, implicit := strings.CutPrefix(k.collection, implicitCollection)
	switch {
	case len(parameter) > 0:
		p, err := policies.Unmarshal(parameter)
		if err != nil {
			return errors.WithMessage(err, "read policy of a key")
		}
		w.add("key "+string(parameter), p)
	case implicit:
		w.add("organization "+mspID, organizationPolicy(mspID, rolesOf[endorsement]))
	default:
		w.addChaincode(namespace)
	}
	return nil
}

func (w *wanted) addChaincode(name string) {
	if d := w.channel.definitions.find(name); d != nil {
		w.add("chaincode "+name, d.policy)
	}
}

// add adds a policy, unless it is there already by its name.
func (w *wanted) add(name string, p policies.Policy) {
	if !w.known[name] {
		w.known[name] = true
		w.policies = append(w.policies, p)
	}
}

// written is a key that is written, or the hash of one.
type written struct {
	collection string // "" for public keys
	key        string
}

// keysOf returns the keys that a transaction writes in a namespace.
func keysOf(ns *pb.NsReadWriteSet) ([]written, error) {
	var (
		all    []written
		public pb.KVRWSet
	)
	if err := proto.Unmarshal(ns.GetRwset(), &public); err != nil {
		return nil, errors.Wrap(err, "decode read/write set")
	}
	for _, w := range public.GetWrites() {
		all = append(all, written{"", w.GetKey()})
	}
	for _, w := range public.GetMetadataWrites() {
		all = append(all, written{"", w.GetKey()})
	}
	for _, coll := range ns.GetCollectionHashedRwset() {
		var hashed pb.HashedRWSet
		if err := proto.Unmarshal(coll.GetHashedRwset(), &hashed); err != nil {
			return nil, errors.Wrap(err, "decode read/write set of collection")
		}
		for _, w := range hashed.GetHashedWrites() {
			all = append(all, written{coll.GetCollectionName(), string(w.GetKeyHash())})
		}
		for _, w := range hashed.GetMetadataWrites() {
			all = append(all, written{coll.GetCollectionName(), string(w.GetKeyHash())})
		}
	}
	return all, nil
}

// trusts reports whether a peer may have all private data that the transaction is about. Only such a peer is asked: the proposal
// may have the data.
func (w *wanted) trusts(ctx context.Context, who *identity.Verified) (bool, error) {
	for _, coll := range w.collections {
		if ok, err := w.channel.mayHave(ctx, coll.namespace, coll.name, who); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// enough reports whether peers fulfil all policies.
func (w *wanted) enough(chosen []candidate) bool {
	var signers []*identity.Verified
	for _, c := range chosen {
		signers = append(signers, c.channel.self)
	}
	for _, p := range w.policies {
		if p.Evaluate(signers) != nil {
			return false
		}
	}
	return true
}

func (w *wanted) collectionNames() string {
	var names []string
	for _, coll := range w.collections {
		names = append(names, coll.name)
	}
	return strings.Join(names, ", ")
}
