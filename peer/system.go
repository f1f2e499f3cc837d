package peer

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/system"
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
			return &system.Channel{Ledger: queried{c.ledger}, Configuration: c}
		},
		ChannelIDs: func() []string {
			var ids []string
			for _, c := range p.Channels() {
				ids = append(ids, c.ID())
			}
			return ids
		},
		ACL: p.acl,
	})
}

// isBuiltin reports whether a chaincode belongs to the peer: it runs on every channel.
func (p *Peer) isBuiltin(name string) bool { return slices.Contains(p.builtins, name) }

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
