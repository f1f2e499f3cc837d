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
func (w *worker) privateState(ctx context.Context, collection string, a access) (ledger.PrivateState, error) {
	if err := w.checkCollection(ctx, collection, a); err != nil {
		return nil, err
	}
	p, ok := w.sim().(ledger.PrivateState)
	if !ok {
		return nil, errPrivateData
	}
	return p, nil
}

// checkCollection returns an error unless the transaction may use the collection like that.
func (w *worker) checkCollection(ctx context.Context, collection string, a access) error {
	if w.tx.typ == pb.ChaincodeMessage_INIT {
		return errPrivateInInit
	}
	if a == hashing {
		return nil
	}
	may, err := w.permission(ctx, collection)
	switch {
	case err != nil:
		return err
	case a == reading && !may.Read:
		return errors.Errorf("tx creator does not have read access permission on privatedata in chaincodeName:%s collectionName: %s", w.tx.Namespace, collection)
	case a == writing && !may.Write:
		return errors.Errorf("tx creator does not have write access permission on privatedata in chaincodeName:%s collectionName: %s", w.tx.Namespace, collection)
	}
	return nil
}

// permission asks the CollectionStore, unless the transaction may use the collection by an earlier answer.
func (w *worker) permission(ctx context.Context, collection string) (CollectionPermission, error) {
	if may, known := w.permissions[collection]; known {
		return may, nil
	}
	may, err := w.cfg.CollectionStore.CollectionPermission(ctx, CollectionRequest{
		ChannelID: w.tx.ChannelID, TxID: w.tx.TxID, Namespace: w.tx.Namespace, Collection: collection,
		SignedProposal: w.tx.SignedProposal, Simulator: w.sim(),
	})
	if err != nil || may == (CollectionPermission{}) { // which isn't kept: chaincode can make up any number of names
		return CollectionPermission{}, err
	}
	if w.permissions == nil {
		w.permissions = map[string]CollectionPermission{}
	}
	w.permissions[collection] = may
	return may, nil
}

func (w *worker) getPrivateData(ctx context.Context, req *pb.GetState) ([]byte, error) {
	p, err := w.privateState(ctx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	return p.GetPrivateData(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) getPrivateDataHash(ctx context.Context, req *pb.GetState) ([]byte, error) {
	if req.Collection == "" {
		return nil, errOnlyPrivateData
	}
	p, err := w.privateState(ctx, req.Collection, hashing)
	if err != nil {
		return nil, err
	}
	return p.GetPrivateDataHash(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) purgePrivateData(ctx context.Context, req *pb.PurgePrivateState) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_PURGE_PRIVATE_DATA, collection: req.Collection, key: req.Key})
}

func (w *worker) getPrivateDataRange(ctx context.Context, req *pb.GetStateByRange) ([]byte, error) {
	p, err := w.privateState(ctx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	it, err := p.GetPrivateDataRange(ctx, w.tx.Namespace, req.Collection, ledger.Range{Start: req.StartKey, End: req.EndKey})
	return w.openStates(ctx, it, err)
}

func (w *worker) queryPrivateData(ctx context.Context, req *pb.GetQueryResult) ([]byte, error) {
	if err := w.checkCollection(ctx, req.Collection, reading); err != nil {
		return nil, err
	}
	q, ok := w.sim().(ledger.PrivateRichQuerier)
	if !ok {
		return nil, errNoRichQuery
	}
	it, err := q.ExecuteQueryOnPrivateData(ctx, w.tx.Namespace, req.Collection, req.Query)
	return w.openStates(ctx, it, err)
}
