package committer

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Definitions knows what a channel has agreed on for its chaincodes. It is asked once for each namespace of a block, before the block
// changes anything, possibly for several at the same time. It must not depend on anything but the blocks before: peers must agree.
type Definitions interface {
	// Definition returns what the channel has agreed on for a chaincode, or nil if the channel doesn't have it. The name may be anything
	// that a stranger has written. That of the lifecycle is _lifecycle: without a definition, nobody can write there. An error keeps
	// the block from being committed.
	Definition(ctx context.Context, chaincode string) (*Definition, error)
}

// DefinitionsFunc is a function that is Definitions.
type DefinitionsFunc func(ctx context.Context, chaincode string) (*Definition, error)

var _ Definitions = DefinitionsFunc(nil)

// Definition implements Definitions.
func (f DefinitionsFunc) Definition(ctx context.Context, chaincode string) (*Definition, error) {
	return f(ctx, chaincode)
}

// Definition is what a channel has agreed on for a chaincode, as far as a committer must know it. It must not be modified.
type Definition struct {
	// Endorsement is the policy that the chaincode's transactions must fulfil. Required.
	Endorsement policies.Policy
	// Collections are the policies of its collections. A nil one is Endorsement. A collection that isn't here can't be written. The
	// implicit collections of organizations needn't be here: see Config.Organizations.
	Collections map[string]policies.Policy
	// AnyCollection says that collections that aren't in Collections can be written, too. Their policy is Endorsement. Fabric has
	// no such thing: it is for development.
	AnyCollection bool
}

// definitions asks for each definition once.
type definitions struct {
	from Definitions

	mu    sync.Mutex
	known map[string]func() (*Definition, error)
}

func (d *definitions) of(ctx context.Context, chaincode string) (*Definition, error) {
	d.mu.Lock()
	ask := d.known[chaincode]
	if ask == nil {
		ask = sync.OnceValues(func() (*Definition, error) { return d.ask(ctx, chaincode) })
		if d.known == nil {
			d.known = map[string]func() (*Definition, error){}
		}
		d.known[chaincode] = ask
	}
	d.mu.Unlock()
	return ask()
}

func (d *definitions) ask(ctx context.Context, chaincode string) (*Definition, error) {
	definition, err := d.from.Definition(ctx, chaincode)
	if err != nil {
		return nil, errors.WithMessagef(err, "look for the definition of chaincode %.64q", chaincode)
	}
	if definition != nil && definition.Endorsement == nil {
		return nil, errors.Errorf("the definition of chaincode %.64q has no endorsement policy", chaincode)
	}
	return definition, nil
}

// PrivateData has the private read/write sets that were kept when transactions were endorsed. If nobody has kept one, the hashes are
// committed all the same, and reading the value is an error until somebody writes it again.
type PrivateData interface {
	// PrivateRWSet returns what is known of the private data of a transaction, a marshalled TxPvtReadWriteSet, or nil. wanted is what
	// it writes, in case there are several sets for its ID: only what fits the hashes is committed. An error keeps the block from being
	// committed.
	PrivateRWSet(ctx context.Context, txID string, wanted []CollectionHash) ([]byte, error)
	// Forget is told of the transactions with private data that are committed, validly or not. They won't be asked for again.
	Forget(txIDs []string)
}

// CollectionHash is the hash of what a transaction writes in a collection: the SHA-256 of the marshalled KVRWSet.
type CollectionHash struct {
	Namespace, Collection string
	Hash                  []byte
}

// ErrInvalidConfig is, or is wrapped by, the error of Configs for a configuration that is not accepted. The transaction then has the
// code INVALID_CONFIG_TRANSACTION.
var ErrInvalidConfig = errors.New("the configuration is not accepted")

// Configs decides about the transactions that change a channel's configuration. Members of the channel can make such envelopes and
// sign them, but only an ordering service should put them into blocks. So whoever accepts one must check what is in it.
type Configs interface {
	// Configure accepts a new configuration. It is called before the block is committed, and if that fails, it is called again with the
	// same. payload has the marshalled ConfigEnvelope as its data. position is where it stands in the block. A member of the channel has
	// signed it, except in block 0, of which nothing was checked. An error that doesn't wrap ErrInvalidConfig keeps the block from
	// being committed.
	Configure(ctx context.Context, b *pb.Block, position int, payload *pb.Payload) error
}

// ConfigsFunc is a function that is Configs.
type ConfigsFunc func(ctx context.Context, b *pb.Block, position int, payload *pb.Payload) error

var _ Configs = ConfigsFunc(nil)

// Configure implements Configs.
func (f ConfigsFunc) Configure(ctx context.Context, b *pb.Block, position int, payload *pb.Payload) error {
	return f(ctx, b, position, payload)
}

// configure asks whether a configuration is accepted.
func (v *validation) configure(ctx context.Context, position int, payload *pb.Payload) error {
	if v.committer.cfg.Configs == nil {
		return refuse(kvledger.InvalidConfigTransaction, "nobody decides about configurations here")
	}
	err := v.committer.cfg.Configs.Configure(ctx, v.of, position, payload)
	if errors.Is(err, ErrInvalidConfig) {
		return refuseBecause(kvledger.InvalidConfigTransaction, err)
	}
	return errors.WithMessage(err, "configure channel")
}
