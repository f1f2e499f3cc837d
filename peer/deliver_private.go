package peer

import (
	"context"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// privateBlocks are the private data of a channel's blocks, as this peer has them.
type privateBlocks struct{ c *Channel }

var _ deliver.PrivateData = privateBlocks{}

// PrivateData implements deliver.PrivateData.
func (b privateBlocks) PrivateData(ctx context.Context, block uint64) (map[uint64]*pb.TxPvtReadWriteSet, error) {
	return kvledger.PrivateDataOf(ctx, b.c.ledger, block)
}

// MayRead implements deliver.PrivateData. As in Fabric, everybody who may have the block may have the data of a collection that isn't
// MemberOnlyRead, and implicit ones aren't (core/peer/deliverevents.go, CheckCollectionPolicy). Definitions are those of now.
func (b privateBlocks) MayRead(ctx context.Context, c deliver.Collection, client acl.Request) (bool, error) {
	config, err := b.c.collection(ctx, c.Namespace, c.Name)
	if err != nil {
		return false, err
	}
	if config != nil && !config.MemberOnlyRead || config == nil && strings.HasPrefix(c.Name, ledger.ImplicitCollectionPrefix) {
		return true, nil
	}
	who, err := b.c.verifier.Identify(client.Identity)
	if err != nil || who.Verify(client.Data, client.Signature) != nil {
		return false, nil //nolint:nilerr // it is nobody
	}
	if config == nil { // without a definition, every collection is this organization's
		return who.MSPID() == b.c.peer.MSPID(), nil
	}
	policy, err := policies.Parse(config.Policy)
	if err != nil {
		return false, errors.WithMessagef(err, "parse policy of collection %s", c.Name)
	}
	return policy.Evaluate([]*identity.Verified{who}) == nil, nil
}
