package interop_test

import (
	"context"
	"maps"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// policy is what the channels have agreed on: everything is allowed that has not been denied, and no chaincode has to
// be initialized that was not defined like that.
type policy struct {
	mu          sync.Mutex
	denied      map[string]bool
	definitions map[string]chaincodesupport.Definition
	decorations map[string][]byte
}

var (
	_ chaincodesupport.Definitions = (*policy)(nil)
	_ chaincodesupport.Decorator   = (*policy)(nil)
	_ handler.ACLProvider          = (*policy)(nil)
	_ handler.CollectionStore      = (*policy)(nil)
	_ handler.ApplicationConfig    = (*policy)(nil)
)

func newPolicy() *policy {
	return &policy{
		denied: map[string]bool{}, definitions: map[string]chaincodesupport.Definition{}, decorations: map[string][]byte{},
	}
}

// deny forbids something: "read COLLECTION", "write COLLECTION", "call CHANNEL", "key-level-endorsement", "purge", or
// "config", which is to have no application configuration.
func (p *policy) deny(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied[what] = true
}

func (p *policy) allows(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.denied[what]
}

// define makes a chaincode one of that version, which has to be initialized if init is set.
func (p *policy) define(name, version string, init bool) {
	p.defineAs(name, chaincodesupport.Definition{ChaincodeID: name + ":1", Version: version, InitRequired: init})
}

// defineAs is define for any definition.
func (p *policy) defineAs(name string, d chaincodesupport.Definition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.definitions[name] = d
}

// defines says whether define has been called for a chaincode.
func (p *policy) defines(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.definitions[name]
	return ok
}

// decorate adds to the input of every transaction from now on.
func (p *policy) decorate(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decorations[name] = []byte(value)
}

// Definition implements chaincodesupport.Definitions.
func (p *policy) Definition(_ context.Context, tx handler.TxParams) (chaincodesupport.Definition, error) {
	name := tx.Namespace
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.definitions[name]; ok {
		return d, nil
	}
	if name == "unknown" {
		return chaincodesupport.Definition{}, errors.New("chaincode unknown not found")
	}
	return chaincodesupport.Definition{ChaincodeID: name + ":1"}, nil
}

// Decorate implements chaincodesupport.Decorator.
func (p *policy) Decorate(context.Context, handler.TxParams, chaincodesupport.Input) (map[string][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.decorations), nil
}

// CheckACL implements handler.ACLProvider.
func (p *policy) CheckACL(_ context.Context, resource, channelID string, _ *pb.SignedProposal) error {
	if resource != handler.ChaincodeToChaincode {
		return errors.Errorf("nobody should ask about %s", resource)
	}
	if !p.allows("call " + channelID) {
		return errors.Errorf("%s is denied on %s", resource, channelID)
	}
	return nil
}

// CollectionPermission implements handler.CollectionStore.
func (p *policy) CollectionPermission(_ context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	return handler.CollectionPermission{
		Read: p.allows("read " + r.Collection), Write: p.allows("write " + r.Collection),
	}, nil
}

// ApplicationCapabilities implements handler.ApplicationConfig.
func (p *policy) ApplicationCapabilities(context.Context, string) (handler.ApplicationCapabilities, error) {
	if !p.allows("config") {
		return handler.ApplicationCapabilities{}, handler.ErrUnknownChannel
	}
	return handler.ApplicationCapabilities{
		KeyLevelEndorsement: p.allows("key-level-endorsement"), PurgePrivateData: p.allows("purge"),
	}, nil
}
