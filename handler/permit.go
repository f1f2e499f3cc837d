package handler

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// permit is what a transaction may do, as far as hooks decide it. What they have allowed is remembered until the transaction
// ends.
type permit struct {
	*session
	tx          *transactionContext
	permissions map[string]CollectionPermission // by collection; only what the hook has answered
}

// access is what a request is about to do with a collection.
type access uint8

const (
	hashing access = iota // any member of the channel may
	reading
	writing
)

// privateState returns the transaction's private data, if it may use the collection in that way.
func (p *permit) privateState(ctx context.Context, collection string, a access) (ledger.PrivateState, error) {
	if err := p.checkCollection(ctx, collection, a); err != nil {
		return nil, err
	}
	state, ok := p.tx.sim().(ledger.PrivateState)
	if !ok {
		return nil, errPrivateData
	}
	return state, nil
}

// checkCollection returns an error unless the transaction may use the collection in that way.
func (p *permit) checkCollection(ctx context.Context, collection string, a access) error {
	if p.tx.typ == pb.ChaincodeMessage_INIT {
		return errPrivateInInit
	}
	if a == hashing {
		return nil
	}
	may, err := p.permission(ctx, collection)
	switch {
	case err != nil:
		return err
	case a == reading && !may.Read:
		return errors.Errorf("tx creator does not have read access permission on privatedata in chaincodeName:%s collectionName: %s", p.tx.Namespace, collection)
	case a == writing && !may.Write:
		return errors.Errorf("tx creator does not have write access permission on privatedata in chaincodeName:%s collectionName: %s", p.tx.Namespace, collection)
	}
	return nil
}

// permission returns what the transaction may do with a collection. It asks the CollectionStore, unless an earlier answer
// allows it already.
func (p *permit) permission(ctx context.Context, collection string) (CollectionPermission, error) {
	if may, known := p.permissions[collection]; known {
		return may, nil
	}
	may, err := p.cfg.CollectionStore.CollectionPermission(ctx, CollectionRequest{
		ChannelID: p.tx.ChannelID, TxID: p.tx.TxID, Namespace: p.tx.Namespace, Collection: collection,
		SignedProposal: p.tx.SignedProposal, Simulator: p.tx.sim(),
	})
	if err != nil || may == (CollectionPermission{}) { // a refusal isn't kept: chaincode can make up any number of names
		return CollectionPermission{}, err
	}
	if err := p.tx.worker.note(collection, ""); err != nil { // what is allowed may be any number of names, too
		return CollectionPermission{}, err
	}
	if p.permissions == nil {
		p.permissions = map[string]CollectionPermission{}
	}
	p.permissions[collection] = may
	return may, nil
}

// capabilities returns which capabilities the channel's members have agreed on.
func (p *permit) capabilities(ctx context.Context) (ApplicationCapabilities, error) {
	c, err := p.cfg.ApplicationConfig.ApplicationCapabilities(ctx, p.tx.ChannelID)
	return c, ofChannel(err, "application config does not exist for "+p.tx.ChannelID)
}

// ofChannel replaces ErrUnknownChannel of a hook by the text that Fabric's peer has for a channel that isn't there.
func ofChannel(err error, text string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknownChannel):
		return errors.New(text)
	default:
		return errors.WithMessage(err, text)
	}
}

func (p *permit) checkKeyLevelEndorsement(ctx context.Context) error {
	c, err := p.capabilities(ctx)
	if err == nil && !c.KeyLevelEndorsement {
		err = errors.New("key level endorsement is not enabled, channel application capability of V1_3 or later is required")
	}
	return err
}

func (p *permit) checkPurge(ctx context.Context) error {
	c, err := p.capabilities(ctx)
	if err == nil && !c.PurgePrivateData {
		err = errors.New("purge private data is not enabled, channel application capability of V2_5 or later is required")
	}
	return err
}

// checkCall returns why the transaction must not call a chaincode, or nil.
func (p *permit) checkCall(ctx context.Context, to callee) error {
	acl, tx := p.cfg.ACL, p.tx
	switch {
	case slices.Contains(p.cfg.Builtins, to.name):
		return nil
	case tx.Simulation == nil:
		return errors.New(noTransaction)
	case acl == nil && to.channelID == tx.ChannelID:
		return nil
	case acl == nil:
		return errors.Errorf("access denied: this peer has no access control, so that %s must not be called from channel %s", quoted(to.String()), quoted(tx.ChannelID))
	}
	if _, all := acl.(InsecureAllowAll); all {
		return nil
	}
	if tx.SignedProposal == nil {
		return errors.Errorf("signed proposal must not be nil from caller [%s]", to)
	}
	return acl.CheckACL(ctx, ChaincodeToChaincode, to.channelID, tx.SignedProposal)
}
