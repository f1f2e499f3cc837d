package peer

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/system"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// newSystem makes the chaincodes that belong to the peer.
func (p *Peer) newSystem() (*system.System, error) {
	return system.New(system.Config{
		Channel: func(id string) *system.Channel {
			c := p.Channel(id)
			if c == nil {
				return nil
			}
			return &system.Channel{Ledger: queried{c.ledger}}
		},
		ChannelIDs: func() []string {
			var ids []string
			for _, c := range p.Channels() {
				ids = append(ids, c.ID())
			}
			return ids
		},
		ACL: acl.CheckerFunc(p.checkSystemACL),
	})
}

// isBuiltin reports whether a chaincode belongs to the peer: it runs on every channel.
func (p *Peer) isBuiltin(name string) bool { return slices.Contains(p.builtins, name) }

// checkSystemACL goes by Fabric's defaults (core/aclmgmt): members of the peer's organization may ask for its channels, its
// administrators may join some, and what is about a channel is for the channel's readers.
func (p *Peer) checkSystemACL(_ context.Context, r acl.Request) error {
	role := map[string]identity.Role{
		"cscc/GetChannels": identity.Member, "cscc/JoinChain": identity.Admin, "cscc/JoinChainBySnapshot": identity.Admin, "cscc/JoinBySnapshotStatus": identity.Admin,
	}[r.Resource]
	if role != "" {
		return p.checkLocal(r, role)
	}
	if !slices.Contains([]string{
		"qscc/GetChainInfo", "qscc/GetBlockByNumber", "qscc/GetBlockByHash", "qscc/GetTransactionByID", "qscc/GetBlockByTxID", "cscc/GetConfigBlock", "cscc/GetChannelConfig",
	}, r.Resource) {
		return errors.Errorf("Unmapped policy for %s", r.Resource)
	}
	c := p.Channel(r.ChannelID)
	if c == nil {
		return errors.Errorf("Failed to get policy manager for channel [%s]", r.ChannelID)
	}
	policy, err := c.Policy(policies.AnyRule, readers)
	if err != nil {
		return err
	}
	var signers []*identity.Verified
	if who, err := c.verifier.Identify(r.Identity); err == nil && who.Verify(r.Data, r.Signature) == nil {
		signers = append(signers, who)
	}
	if err := policy.Evaluate(signers); err != nil {
		return errors.Errorf("Failed evaluating policy on signed data during check policy on channel [%s] with policy [/Channel/Application/Readers]: [%s]", r.ChannelID, err)
	}
	return nil
}

// checkLocal checks that somebody has a role in the peer's organization.
func (p *Peer) checkLocal(r acl.Request, role identity.Role) error {
	policy := strings.ToUpper(string(role[:1])) + string(role[1:]) + "s"
	if p.local == nil {
		return errors.Errorf("Failed deserializing proposal creator during channelless check policy with policy [%s]: [nobody is known here]", policy)
	}
	who, err := p.local.Identify(r.Identity)
	if err != nil {
		return errors.Errorf("Failed deserializing proposal creator during channelless check policy with policy [%s]: [%s]", policy, err)
	}
	if !who.Satisfies(identity.Principal{MSPID: who.MSPID(), Role: role}) {
		return errors.Errorf("Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [%s]: "+
			"[The identity is not an admin under this MSP [%s]: The identity does not contain OU [ADMIN], MSP: [%s]]", policy, who.MSPID(), who.MSPID())
	}
	return who.Verify(r.Data, r.Signature)
}

// queried is a ledger as qscc reads it.
type queried struct{ ledger *kvledger.Ledger }

var _ system.Ledger = queried{}

// Info implements system.Ledger.
func (q queried) Info(ctx context.Context) (*pb.BlockchainInfo, error) {
	i, err := q.ledger.Info(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.BlockchainInfo{Height: i.Height, CurrentBlockHash: i.CurrentBlockHash, PreviousBlockHash: i.PreviousBlockHash}, nil
}

// Block implements system.Ledger.
func (q queried) Block(ctx context.Context, number uint64) (*pb.Block, error) {
	return foundBlock(q.ledger.Block(ctx, number))
}

// BlockByHash implements system.Ledger.
func (q queried) BlockByHash(ctx context.Context, hash []byte) (*pb.Block, error) {
	return foundBlock(q.ledger.BlockByHash(ctx, hash))
}

// BlockByTxID implements system.Ledger.
func (q queried) BlockByTxID(ctx context.Context, txID string) (*pb.Block, error) {
	return foundBlock(q.ledger.BlockByTxID(ctx, txID))
}

// Transaction implements system.Ledger.
func (q queried) Transaction(ctx context.Context, txID string) (*pb.ProcessedTransaction, error) {
	tx, err := q.ledger.Transaction(ctx, txID)
	if err != nil {
		return nil, found(err)
	}
	envelope := new(pb.Envelope)
	if err := proto.Unmarshal(tx.Envelope, envelope); err != nil {
		return nil, errors.Wrap(err, "error unmarshalling Envelope")
	}
	return &pb.ProcessedTransaction{TransactionEnvelope: envelope, ValidationCode: int32(tx.Code)}, nil
}

// foundBlock is a block that was read.
func foundBlock(b *kvledger.CommittedBlock, err error) (*pb.Block, error) {
	if err != nil {
		return nil, found(err)
	}
	return b.Message(), nil
}

// found is an error of a ledger as qscc knows it.
func found(err error) error {
	if errors.Is(err, kvledger.ErrNotFound) {
		return system.ErrNotFound
	}
	return err
}
