package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// InitializedKey is the key under which the peer notes, in a chaincode's namespace, which version of it was initialized
// (Fabric: core/chaincode, InitializedKeyName). Chaincode may read it, but not write it.
const InitializedKey = "\x00\U0010ffffinitialized"

func (w *worker) getState(ctx context.Context, req *pb.GetState) ([]byte, error) {
	if req.Collection != "" {
		return w.getPrivateData(ctx, req)
	}
	if err := w.note("", req.Key); err != nil {
		return nil, err
	}
	return w.tx.sim().GetState(ctx, w.tx.Namespace, req.Key)
}

func (w *worker) putState(ctx context.Context, req *pb.PutState) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_PUT_STATE, collection: req.Collection, key: req.Key, value: req.Value})
}

func (w *worker) delState(ctx context.Context, req *pb.DelState) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_DEL_STATE, collection: req.Collection, key: req.Key})
}

// getStateMultiple answers with one value for each key, in the order of the keys.
func (w *worker) getStateMultiple(ctx context.Context, req *pb.GetStateMultiple) ([]byte, error) {
	if limit := batch(w.cfg.Offer.MultipleKeys); len(req.Keys) > limit {
		return nil, errors.Errorf("%d keys are asked for at once, the limit is %d", len(req.Keys), limit)
	}
	noted := len(req.Collection)
	for _, key := range req.Keys {
		noted += len(key) + noteBytes
	}
	if err := w.charge(noted); err != nil {
		return nil, err
	}
	values, err := w.multiple(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(values) != len(req.Keys) {
		return nil, errors.Errorf("ledger returned %d values for %d keys", len(values), len(req.Keys))
	}
	size := 0
	for _, value := range values {
		size += len(value)
	}
	if limit := w.cfg.maxAnswer(); size > limit { // said before it is encoded
		return nil, errors.Errorf("the values of %d keys have %d bytes, the limit is %d: ask for fewer at once", len(req.Keys), size, limit)
	}
	if err := w.room.atLeast(ctx, 0, size); err != nil {
		return nil, err
	}
	return marshal(&pb.GetStateMultipleResult{Values: values})
}

func (w *worker) multiple(ctx context.Context, req *pb.GetStateMultiple) ([][]byte, error) {
	sim := w.tx.sim()
	get := func(key string) ([]byte, error) { return sim.GetState(ctx, w.tx.Namespace, key) }
	if req.Collection != "" {
		private, err := w.may.privateState(ctx, req.Collection, reading)
		if err != nil {
			return nil, err
		}
		get = func(key string) ([]byte, error) {
			return private.GetPrivateData(ctx, w.tx.Namespace, req.Collection, key)
		}
	} else if m, ok := sim.(ledger.MultiGetter); ok {
		return m.GetStateMultipleKeys(ctx, w.tx.Namespace, req.Keys)
	}
	values := make([][]byte, len(req.Keys))
	for i, key := range req.Keys {
		var err error
		before := w.room.read
		if values[i], err = get(key); err != nil {
			return nil, err
		}
		if err = w.room.atLeast(ctx, before, len(values[i])); err != nil {
			return nil, err
		}
	}
	return values, nil
}
