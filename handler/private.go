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

func (w *worker) getPrivateData(ctx context.Context, req *pb.GetState) ([]byte, error) {
	p, err := w.may.privateState(ctx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	if err := w.note(req.Collection, req.Key); err != nil {
		return nil, err
	}
	return p.GetPrivateData(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) getPrivateDataHash(ctx context.Context, req *pb.GetState) ([]byte, error) {
	if req.Collection == "" {
		return nil, errOnlyPrivateData
	}
	p, err := w.may.privateState(ctx, req.Collection, hashing)
	if err != nil {
		return nil, err
	}
	if err := w.note(req.Collection, req.Key); err != nil {
		return nil, err
	}
	return p.GetPrivateDataHash(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) purgePrivateData(ctx context.Context, req *pb.PurgePrivateState) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_PURGE_PRIVATE_DATA, collection: req.Collection, key: req.Key})
}

func (w *worker) getPrivateDataRange(ctx context.Context, req *pb.GetStateByRange) ([]byte, error) {
	p, err := w.may.privateState(ctx, req.Collection, reading)
	if err != nil {
		return nil, err
	}
	query, err := w.queries.begin(pagination{}, "", req.Collection, req.StartKey, req.EndKey)
	if err != nil {
		return nil, err
	}
	it, err := p.GetPrivateDataRange(ctx, w.tx.Namespace, req.Collection, ledger.Range{Start: req.StartKey, End: req.EndKey})
	return w.queries.openStates(ctx, query, it, err)
}

func (w *worker) queryPrivateData(ctx context.Context, req *pb.GetQueryResult) ([]byte, error) {
	if err := w.may.checkCollection(ctx, req.Collection, reading); err != nil {
		return nil, err
	}
	q, ok := w.tx.sim().(ledger.PrivateRichQuerier)
	if !ok {
		return nil, errNoRichQuery
	}
	query, err := w.queries.begin(pagination{}, req.Query, req.Collection)
	if err != nil {
		return nil, err
	}
	it, err := q.ExecuteQueryOnPrivateData(ctx, w.tx.Namespace, req.Collection, req.Query)
	return w.queries.openStates(ctx, query, it, err)
}
