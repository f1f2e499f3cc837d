// Package committer checks the blocks that an ordering service has made, and commits them, as Fabric's peers do
// (core/committer/txvalidator/v20).
//
//	c, err := committer.New(committer.Config{ChannelID: "mychannel", Verifier: members, Definitions: definitions, Ledger: ledger})
//	codes, err := c.Commit(ctx, block)
//
// An ordering service doesn't look into envelopes. So each envelope of a block is checked here: its form, who has signed it, whether
// its ID is new, and whether those whom the policies name have endorsed what it writes. Then the ledger looks for conflicts, and
// keeps the block. A transaction that fails stays in the block, with the code that Fabric's peers give, and changes nothing.
// Peers must agree on every code. internal/envelopes has a table of them, which is tried on Fabric, too.
//
// # What differs from Fabric
//
// Some blocks stop a peer of Fabric, or end it. Here they get codes:
//
//   - An envelope without a header has BAD_COMMON_HEADER, and an action without anything endorsed has INVALID_ENDORSER_TRANSACTION.
//     Fabric's peer panics.
//   - A key whose policy can't be decoded can't be written: ENDORSEMENT_POLICY_FAILURE. Fabric's peer stops the channel.
//   - A transaction that nobody looks at after its form is bad changes no policies. In Fabric, a later transaction of the block that
//     writes the same key waits for ever.
//   - A transaction of another channel has TARGET_CHAIN_NOT_FOUND. Fabric looks for its creator among the members of that other
//     channel, and mostly finds BAD_CREATOR_SIGNATURE.
//   - The reference ledger refuses read/write sets that no simulator makes, such as one that writes a key twice, with BAD_RWSET or
//     INVALID_WRITESET. Fabric takes them, if they are endorsed.
//   - Two namespaces may each be a reason to refuse a transaction. Fabric takes any. Here, an unknown chaincode counts before a policy.
package committer

import (
	"context"
	"runtime"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/loglimit"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config says what a committer stands on.
type Config struct {
	// ChannelID is the channel whose blocks are committed. Required.
	ChannelID string
	// Verifier knows the members of the channel's organizations. Required.
	Verifier *identity.Verifier
	// Organizations are the endorsement policies of the organizations by the IDs of their MSPs
	// (/Channel/Application/<organization>/Endorsement). Their implicit collections need them. For an organization of Verifier
	// that has none here, one of its members is enough, as in Fabric.
	Organizations map[string]policies.Policy
	// Definitions knows which chaincodes the channel has, and their policies. Required.
	Definitions Definitions
	// Ledger keeps the blocks. Required.
	Ledger Ledger
	// PrivateData has what endorsers have kept of private data. Nil: only the hashes are committed.
	PrivateData PrivateData
	// Configs decides about transactions that change the channel's configuration. Nil: they are invalid.
	Configs Configs
	// VerifyBlock checks who has made a block, before anything else of it is looked at. If it returns an error, the block is not
	// committed. Nil: blocks are believed, since they come from this process.
	VerifyBlock func(ctx context.Context, b *pb.Block) error
	// Workers is how many envelopes are checked at the same time. Zero: as many as there are processors (GOMAXPROCS).
	Workers int
	// Refused is told of each invalid transaction, after its block is committed and before Commit returns. Nil: nobody is.
	Refused func(Refusal)
	// Logger gets a line for each block, and why transactions are invalid, as far as there aren't too many. Nil: nothing is logged.
	Logger *zap.Logger
}

// Ledger is a channel's ledger. A *kvledger.Ledger is one.
type Ledger interface {
	// Height returns the number of blocks that are committed.
	Height(ctx context.Context) (uint64, error)
	// TransactionCode returns where a committed transaction is, valid or not, and its code, or kvledger.ErrNotFound.
	TransactionCode(ctx context.Context, txID string) (kvledger.Version, kvledger.ValidationCode, error)
	// KeyMetadata returns the committed metadata of a key, by name.
	KeyMetadata(ctx context.Context, namespace, key string) (map[string][]byte, error)
	// PrivateKeyMetadata returns the committed metadata of a collection's key, given its SHA-256.
	PrivateKeyMetadata(ctx context.Context, namespace, collection string, keyHash []byte) (map[string][]byte, error)
	// Commit looks for conflicts between the transactions that have no code yet, and commits the block.
	Commit(ctx context.Context, b kvledger.Block) ([]kvledger.ValidationCode, error)
}

var _ Ledger = (*kvledger.Ledger)(nil)

// Committer commits the blocks of a channel. It is safe for concurrent use, but blocks are committed one after the other.
type Committer struct {
	cfg        Config
	committing chan struct{}  // holds one token while a block is being committed
	refusals   loglimit.Lines // that are logged
}

// New returns a Committer. There is nothing to close.
func New(cfg Config) (*Committer, error) {
	for name, missing := range map[string]bool{
		"ChannelID": cfg.ChannelID == "", "Verifier": cfg.Verifier == nil, "Definitions": cfg.Definitions == nil, "Ledger": cfg.Ledger == nil,
	} {
		if missing {
			return nil, errors.Errorf("make committer: Config.%s is missing", name)
		}
	}
	if cfg.Workers < 0 {
		return nil, errors.Errorf("make committer: Config.Workers is %d, want a positive number, or 0 for one a processor", cfg.Workers)
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.Named("committer")
	return &Committer{cfg: cfg, committing: make(chan struct{}, 1)}, nil
}

// Commit validates the envelopes of the channel's next block, and commits it. It returns a code for each envelope, in their order.
// It keeps the block's bytes while it runs, and the ledger may keep them longer, so they must not be modified.
//
// After an error there are no codes. Either nothing was committed, or the ledger couldn't find out: its height tells. The block can
// be committed again. A block whose number, hashes or maker are wrong is such an error, and not a matter of codes.
func (c *Committer) Commit(ctx context.Context, b *pb.Block) ([]kvledger.ValidationCode, error) {
	select {
	case c.committing <- struct{}{}:
		defer func() { <-c.committing }()
	case <-ctx.Done():
		return nil, errors.WithMessage(ctx.Err(), "wait for the block before")
	}
	number := b.GetHeader().GetNumber()
	codes, err := c.commit(ctx, b)
	if err != nil {
		return nil, errors.WithMessagef(err, "commit block %d of channel %s", number, c.cfg.ChannelID)
	}
	return codes, nil
}

func (c *Committer) commit(ctx context.Context, b *pb.Block) ([]kvledger.ValidationCode, error) {
	if err := c.checkBlock(ctx, b); err != nil {
		return nil, err
	}
	v := c.newValidation(b)
	if err := v.checkAll(ctx); err != nil {
		return nil, err
	}
	if err := v.judgeAll(ctx); err != nil {
		return nil, err
	}
	block, private, err := v.block(ctx)
	if err != nil {
		return nil, err
	}
	codes, err := c.cfg.Ledger.Commit(ctx, block)
	if err != nil {
		return nil, err
	}
	if len(private) > 0 {
		c.cfg.PrivateData.Forget(private)
	}
	v.report(codes)
	return codes, nil
}
