package peer

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ChannelConfig is what a peer must know of a channel to join it.
type ChannelConfig struct {
	// ID is the channel's ID. Required.
	ID string
	// Organizations are the channel's members. At least one is required.
	Organizations []identity.Organization
}

// Channel is a channel that a peer is on. It is safe for concurrent use.
type Channel struct {
	cfg         ChannelConfig
	peer        *Peer
	mspIDs      []string
	verifier    *identity.Verifier
	self        *identity.Verified // the peer
	writers     policies.Policy
	ledger      *kvledger.Ledger
	definitions *definitions
	private     transient
	committer   *committer.Committer
	waiting     waiting
	configured  configured

	height  atomic.Uint64 // of what is committed, or is being committed
	reasons map[int]error // why transactions of the block that is being committed are invalid, by position

	running context.Context //nolint:containedctx // it ends when the channel does
	stop    context.CancelFunc
	ended   chan struct{}
	blocks  ordering.Blocks
}

// Join takes the peer to a channel, and begins to commit the channel's blocks, from the one on that its ledger doesn't have.
func (p *Peer) Join(ctx context.Context, cfg ChannelConfig) (*Channel, error) {
	c, err := p.open(ctx, cfg)
	if err == nil {
		err = c.start(ctx)
	}
	return c, errors.WithMessagef(err, "join channel %s as %s", cfg.ID, p.cfg.Name)
}

// open makes a channel whose blocks are not committed yet.
func (p *Peer) open(ctx context.Context, cfg ChannelConfig) (*Channel, error) {
	c := &Channel{cfg: cfg, peer: p, reasons: map[int]error{}, ended: make(chan struct{})}
	var err error
	if c.verifier, err = p.cfg.Signatures.NewVerifier(cfg.Organizations...); err != nil {
		return nil, err
	}
	if c.self, err = c.verifier.Identify(p.cfg.Signer.Creator()); err != nil {
		return nil, errors.WithMessage(err, "the peer is no member")
	}
	c.mspIDs = c.verifier.MSPIDs()
	if c.writers, err = channelPolicy(policies.AnyRule, writers, c.mspIDs); err != nil {
		return nil, err
	}
	if c.ledger, err = p.provider.Open(ctx, cfg.ID); err != nil {
		return nil, err
	}
	c.definitions = &definitions{organizations: c.mspIDs, byName: map[string]*definition{}}
	c.committer, err = committer.New(c.committerConfig())
	return c, err
}

func (c *Channel) committerConfig() committer.Config {
	return committer.Config{
		ChannelID: c.cfg.ID, Verifier: c.verifier, Organizations: endorsementPolicies(c.mspIDs), Definitions: c.definitions,
		Ledger: c.ledger, PrivateData: &c.private, Configs: committer.ConfigsFunc(c.configure), Logger: c.peer.cfg.Logger,
		Refused: func(r committer.Refusal) { c.reasons[r.Position] = r.Reason },
	}
}

// start has the channel's blocks committed.
func (c *Channel) start(ctx context.Context) error {
	height, err := c.ledger.Height(ctx)
	if err != nil {
		return err
	}
	c.height.Store(height)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	reached := context.AfterFunc(ctx, stop) // an ordering service may be far away; what it delivers later outlives ctx
	blocks, err := c.peer.cfg.Orderer.Deliver(running, c.cfg.ID, height)
	if err != nil || !reached() {
		stop()
		if err == nil {
			blocks.Close()
			err = ctx.Err()
		}
		return err
	}
	c.running, c.stop, c.blocks = running, stop, blocks
	if err := c.peer.add(c); err != nil {
		stop()
		blocks.Close()
		return err
	}
	go c.run(running)
	return nil
}

// add takes the peer to a channel, unless it is closed, or on that channel already.
func (p *Peer) add(c *Channel) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errors.New("the peer is closed")
	case p.channels[c.cfg.ID] != nil:
		return errors.New("the peer is on it already")
	}
	p.channels[c.cfg.ID] = c
	return nil
}

// close stops committing, and waits until it has.
func (c *Channel) close() {
	c.stop()
	<-c.ended
	c.blocks.Close()
}

// fail ends the channel: it commits no more, and whoever waits is told why.
func (c *Channel) fail(err error) {
	c.peer.cfg.Logger.Error("channel ends", zap.String("channel", c.cfg.ID), zap.Error(err))
	c.waiting.end(errors.WithMessagef(err, "%s commits no more blocks of channel %s", c.peer.cfg.Name, c.cfg.ID))
	c.stop()
}

// ID returns the channel's ID.
func (c *Channel) ID() string { return c.cfg.ID }

// MSPIDs returns the IDs of the organizations that are its members, sorted. They must not be modified.
func (c *Channel) MSPIDs() []string { return c.mspIDs }

// Ledger returns the peer's ledger of the channel. It is for reading: what is committed comes from the orderer.
func (c *Channel) Ledger() *kvledger.Ledger { return c.ledger }

// Blocks returns a subscription to the blocks as this peer commits them, from a number on.
func (c *Channel) Blocks(from uint64) *kvledger.Subscription { return c.ledger.Subscribe(from) }

// awaitBlock returns a block of a channel, and waits for it as long as the peer is on the channel.
func awaitBlock(ctx context.Context, c *Channel, number uint64) (*kvledger.CommittedBlock, error) {
	blocks := c.ledger.Subscribe(number)
	defer blocks.Close()
	defer context.AfterFunc(c.running, blocks.Close)()
	return blocks.Next(ctx)
}

// Verifier returns who finds out who a member of the channel is.
func (c *Channel) Verifier() *identity.Verifier { return c.verifier }

// Policy returns a policy of the channel over those of its organizations, which have Readers, Writers, Endorsement and Admins.
func (c *Channel) Policy(rule policies.Rule, name string) (policies.Policy, error) {
	return channelPolicy(rule, name, c.mspIDs)
}

// Chaincodes returns what was deployed on the channel, in the order of the names, with what was left to the peer filled in.
func (c *Channel) Chaincodes() []Chaincode {
	var all []Chaincode
	for _, d := range c.definitions.all() {
		all = append(all, d.Chaincode)
	}
	return all
}

// committed reports whether a transaction's ID is used up. A channel that has ended would go on with what it once knew.
func (c *Channel) committed(ctx context.Context, txID string) (bool, error) {
	if err := c.waiting.final(); err != nil {
		return false, err
	}
	_, _, err := c.ledger.TransactionCode(ctx, txID)
	if errors.Is(err, kvledger.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// run commits the channel's blocks until it is told to stop, or there are no more.
func (c *Channel) run(ctx context.Context) {
	defer close(c.ended)
	defer c.blocks.Close() // the orderer waits for nobody who reads no more
	for {
		b, err := c.blocks.Next(ctx)
		if err == nil {
			err = c.commit(ctx, b)
		}
		if err == nil {
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, ordering.ErrClosed) {
			c.peer.cfg.Logger.Error("channel ends", zap.String("channel", c.cfg.ID), zap.Error(err))
		}
		c.waiting.end(errors.WithMessagef(err, "%s commits no more blocks of channel %s", c.peer.cfg.Name, c.cfg.ID))
		return
	}
}

// How long is waited before a block is tried again that couldn't be committed. It doubles.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
)

// commit commits a block. As long as that fails, it is tried again: a disk may be full for a while, and a database away. Meanwhile
// nobody waits for it in vain, and nothing else is ordered by this network.
func (c *Channel) commit(ctx context.Context, b *pb.Block) error {
	number, failed := b.GetHeader().GetNumber(), ""
	c.height.Store(number + 1)
	for pause := minRetry; ; pause = min(2*pause, maxRetry) {
		codes, err := c.tryCommit(ctx, b)
		if err == nil {
			c.waiting.recover()
			c.tell(b, codes)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		if err.Error() != failed {
			failed = err.Error()
			c.peer.cfg.Logger.Error("block can't be committed, and is tried again", zap.String("channel", c.cfg.ID), zap.Uint64("block", number), zap.Error(err))
		}
		c.waiting.fail(errors.WithMessagef(err, "%s can't commit block %d of channel %s, and tries again", c.peer.cfg.Name, number, c.cfg.ID))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryCommit commits a block. If an earlier try has done so, although it has failed, it returns what came of that.
func (c *Channel) tryCommit(ctx context.Context, b *pb.Block) ([]kvledger.ValidationCode, error) {
	c.reasons = map[int]error{}
	if isConfig(b) {
		c.configured.change(true)
	}
	codes, err := c.committer.Commit(ctx, b)
	if err == nil {
		return codes, nil
	}
	committed, readErr := c.ledger.Block(ctx, b.GetHeader().GetNumber())
	if readErr != nil || !proto.Equal(committed.Header, b.GetHeader()) {
		return nil, err
	}
	for _, tx := range committed.Transactions {
		codes = append(codes, tx.Code)
	}
	return codes, nil
}

// tell tells those who wait what became of a block's transactions. They know the IDs, for which nothing has to be decoded here.
func (c *Channel) tell(b *pb.Block, codes []kvledger.ValidationCode) {
	if isConfig(b) {
		c.configured.change(false)
	}
	var outcomes []Outcome
	for i := range codes {
		outcomes = append(outcomes, Outcome{Block: b.GetHeader().GetNumber(), Position: i, Code: codes[i], Reason: c.reasons[i]})
	}
	c.waiting.committed(b.GetData().GetData(), outcomes)
}
