package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	errPrivateData     = errors.New("private data is not supported by this peer's ledger")
	errPrivateInInit   = errors.New("private data APIs are not allowed in chaincode Init()")
	errOnlyPrivateData = errors.New("only applicable for private data")
)

// access is what a request is about to do with a collection.
type access uint8

const (
	hashing access = iota // any member of the channel may
	reading
	writing
)

// privateState returns the transaction's private data, if it may use the collection like that.
func (h *Handler) privateState(ctx context.Context, tx *transactionContext, collection string, a access) (ledger.PrivateState, error) {
	if err := h.checkCollection(ctx, tx, collection, a); err != nil {
		return nil, err
	}
	p, ok := tx.Simulation.sim.(ledger.PrivateState)
	if !ok {
		return nil, errPrivateData
	}
	return p, nil
}

// checkCollection returns an error unless the transaction may use the collection like that.
func (h *Handler) checkCollection(ctx context.Context, tx *transactionContext, collection string, a access) error {
	if tx.isInit {
		return errPrivateInInit
	}
	if a == hashing {
		return nil
	}
	may, err := h.permission(ctx, tx, collection)
	switch {
	case err != nil:
		return err
	case a == reading && !may.Read:
		return errors.Errorf("tx creator does not have read access permission on privatedata in chaincodeName:%s collectionName: %s", tx.Namespace, collection)
	case a == writing && !may.Write:
		return errors.Errorf("tx creator does not have write access permission on privatedata in chaincodeName:%s collectionName: %s", tx.Namespace, collection)
	}
	return nil
}

// permission asks the CollectionStore, unless the transaction may use the collection by an earlier answer.
func (h *Handler) permission(ctx context.Context, tx *transactionContext, collection string) (CollectionPermission, error) {
	if may, known := tx.permissions[collection]; known {
		return may, nil
	}
	may, err := h.cfg.CollectionStore.CollectionPermission(ctx, CollectionRequest{
		ChannelID: tx.ChannelID, TxID: tx.TxID, Namespace: tx.Namespace, Collection: collection,
		SignedProposal: tx.SignedProposal, Simulator: tx.Simulation.sim,
	})
	if err != nil || may == (CollectionPermission{}) { // which isn't kept: chaincode can make up any number of names
		return CollectionPermission{}, err
	}
	if tx.permissions == nil {
		tx.permissions = map[string]CollectionPermission{}
	}
	tx.permissions[collection] = may
	return may, nil
}

func (h *Handler) getPrivateData(ctx context.Context, tx *transactionContext, req *pb.GetState) ([]byte, error) {
	p, err := h.privateState(ctx, tx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	return p.GetPrivateData(ctx, tx.Namespace, req.Collection, req.Key)
}

func (h *Handler) getPrivateDataHash(ctx context.Context, tx *transactionContext, req *pb.GetState) ([]byte, error) {
	if req.Collection == "" {
		return nil, errOnlyPrivateData
	}
	p, err := h.privateState(ctx, tx, req.Collection, hashing)
	if err != nil {
		return nil, err
	}
	return p.GetPrivateDataHash(ctx, tx.Namespace, req.Collection, req.Key)
}

func (h *Handler) purgePrivateData(ctx context.Context, tx *transactionContext, req *pb.PurgePrivateState) ([]byte, error) {
	w := stateWrite{typ: pb.WriteRecord_PURGE_PRIVATE_DATA, collection: req.Collection, key: req.Key}
	return nil, h.writeState(ctx, tx, w)
}

func (h *Handler) getPrivateDataRange(ctx context.Context, tx *transactionContext, req *pb.GetStateByRange) ([]byte, error) {
	p, err := h.privateState(ctx, tx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	it, err := p.GetPrivateDataRange(ctx, tx.Namespace, req.Collection, ledger.Range{Start: req.StartKey, End: req.EndKey})
	return h.openStates(ctx, tx, it, err)
}

func (h *Handler) queryPrivateData(ctx context.Context, tx *transactionContext, req *pb.GetQueryResult) ([]byte, error) {
	if err := h.checkCollection(ctx, tx, req.Collection, reading); err != nil {
		return nil, err
	}
	q, ok := tx.Simulation.sim.(ledger.PrivateRichQuerier)
	if !ok {
		return nil, errNoRichQuery
	}
	it, err := q.ExecuteQueryOnPrivateData(ctx, tx.Namespace, req.Collection, req.Query)
	return h.openStates(ctx, tx, it, err)
}
