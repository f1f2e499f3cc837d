package peer

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/system"
	"github.com/ccpeer/ccpeer/policies"
)

// Chaincode is what a channel agrees on about a chaincode, and what runs it. It is copied where it is given.
type Chaincode struct {
	// Name is its name on the channel, and its namespace. Required.
	Name string
	// Version is the version of the definition. Empty: the number of times that the chaincode was deployed on the channel.
	Version string
	// ID is what the chaincode registers as. Empty: Name:Version.
	ID string
	// Runtime runs the chaincode for every peer that it is given to. RuntimeOf makes a runtime for each peer, and is for those
	// that need to know it: CORE_PEER_LOCALMSPID is Peer.MSPID. If it returns nil, that peer doesn't endorse. Set one of them. Without
	// both, a peer goes on with what it has for ID, from another channel or from Peer.Install. Otherwise it commits the chaincode's
	// transactions, and endorses none.
	Runtime   runtime.Runtime
	RuntimeOf func(p *Peer) (runtime.Runtime, error)
	// Endorsement is the endorsement policy: a signature policy such as AND('Org1MSP.peer', 'Org2MSP.peer'), or one over those of
	// the channel's organizations. Empty: MAJORITY Endorsement.
	Endorsement string
	// InitRequired says that each version has to be initialized by a call with Call.Init.
	InitRequired bool
	// InitOptional says that calls may have Call.Init, although none has to: see chaincodesupport.Definition.
	InitOptional bool
	// Collections and Indexes are those of its namespace: see kvledger.Definition. They replace what an earlier version had.
	Collections []ledger.CollectionConfig
	Indexes     []kvledger.Index
	// AnyCollection says that the ledger gets no definition, so that the chaincode may use any collection. What an earlier version
	// was defined with stays. It is for development, as Fabric has no such thing, and needs a peer whose Hooks.CollectionStore
	// allows it. Collections and Indexes must be empty.
	AnyCollection bool
}

// runtimeFor returns what runs the chaincode for a peer, or nil.
func (cc *Chaincode) runtimeFor(p *Peer) (runtime.Runtime, error) {
	switch {
	case cc.Runtime != nil && cc.RuntimeOf != nil:
		return nil, errors.New("Chaincode.Runtime and Chaincode.RuntimeOf are both set, want one of them")
	case cc.RuntimeOf == nil:
		return cc.Runtime, nil
	}
	rt, err := cc.RuntimeOf(p)
	return rt, errors.WithMessagef(err, "make runtime for %s", p.Name())
}

// definition is a chaincode that a channel has.
type definition struct {
	Chaincode
	sequence int // how often it was deployed, from 1
	policy   policies.Policy
	ledger   []since // what ledgers have been told, in order of heights; the last one is in force
}

// definitions are a channel's. They are safe for concurrent use.
type definitions struct {
	organizations []string

	mu     sync.RWMutex
	byName map[string]*definition
}

var _ committer.Definitions = (*definitions)(nil)

// next completes and checks what is going to be deployed.
func (d *definitions) next(cc Chaincode) (*definition, error) {
	next := &definition{Chaincode: cc, sequence: 1}
	if old := d.find(cc.Name); old != nil {
		next.sequence = old.sequence + 1
	}
	if !validName(cc.Name) {
		return nil, errors.Errorf("invalid chaincode name '%.64s'. Names can only consist of alphanumerics, '_', and '-' and can only begin with alphanumerics", cc.Name)
	}
	if system.IsReserved(cc.Name) {
		return nil, errors.Errorf("chaincode name '%s' is the name of a system chaincode", cc.Name)
	}
	if next.Version == "" {
		next.Version = strconv.Itoa(next.sequence)
	}
	if next.ID == "" {
		next.ID = next.Name + ":" + next.Version
	}
	if next.Endorsement == "" {
		next.Endorsement = defaultEndorsement
	}
	if cc.AnyCollection && len(cc.Collections)+len(cc.Indexes) > 0 {
		return nil, errors.New("Chaincode.AnyCollection is set, and so are Collections or Indexes, want one of them")
	}
	next.Collections, next.Indexes = slices.Clone(cc.Collections), slices.Clone(cc.Indexes)
	var err error
	next.policy, err = parsePolicy(next.Endorsement, d.organizations)
	return next, errors.WithMessage(err, "parse Chaincode.Endorsement")
}

// validName reports whether a name is one that Fabric's lifecycle accepts: letters and digits, in parts between single dashes or
// underscores.
func validName(name string) bool {
	letter := false // before this one
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			letter = true
		case (r == '-' || r == '_') && letter:
			letter = false
		default:
			return false
		}
	}
	return letter
}

func (d *definitions) find(name string) *definition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byName[name]
}

func (d *definitions) put(next *definition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byName[next.Name] = next
}

// all returns the definitions in the order of their names.
func (d *definitions) all() []*definition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []*definition
	for _, def := range d.byName {
		all = append(all, def)
	}
	slices.SortFunc(all, func(a, b *definition) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Definition implements committer.Definitions.
func (d *definitions) Definition(_ context.Context, name string) (*committer.Definition, error) {
	def := d.find(name)
	if def == nil {
		return nil, nil
	}
	collections := map[string]policies.Policy{}
	for _, coll := range def.Collections {
		collections[coll.Name] = nil // the chaincode's
	}
	return &committer.Definition{Endorsement: def.policy, Collections: collections, AnyCollection: def.AnyCollection}, nil
}
