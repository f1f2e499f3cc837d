package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// InitializedKey is where the peer notes, in a chaincode's namespace, which version of it was initialized
// (Fabric: core/chaincode, InitializedKeyName). Chaincode may read it, and not write it.
const InitializedKey = "\x00\U0010ffffinitialized"

func (h *Handler) getState(ctx context.Context, tx *transactionContext, req *pb.GetState) ([]byte, error) {
	if req.Collection != "" {
		return h.getPrivateData(ctx, tx, req)
	}
	return tx.Simulation.sim.GetState(ctx, tx.Namespace, req.Key)
}

func (h *Handler) putState(ctx context.Context, tx *transactionContext, req *pb.PutState) ([]byte, error) {
	w := stateWrite{typ: pb.WriteRecord_PUT_STATE, collection: req.Collection, key: req.Key, value: req.Value}
	return nil, h.writeState(ctx, tx, w)
}

func (h *Handler) delState(ctx context.Context, tx *transactionContext, req *pb.DelState) ([]byte, error) {
	w := stateWrite{typ: pb.WriteRecord_DEL_STATE, collection: req.Collection, key: req.Key}
	return nil, h.writeState(ctx, tx, w)
}

// getStateMultiple answers positionally.
func (h *Handler) getStateMultiple(ctx context.Context, tx *transactionContext, req *pb.GetStateMultiple) ([]byte, error) {
	if limit := atLeast100(h.cfg.MaxSizeGetMultipleKeys); len(req.Keys) > limit {
		return nil, errors.Errorf("%d keys are asked for at once, the limit is %d", len(req.Keys), limit)
	}
	values, err := h.multiple(ctx, tx, req)
	if err != nil {
		return nil, err
	}
	if len(values) != len(req.Keys) {
		return nil, errors.Errorf("ledger returned %d values for %d keys", len(values), len(req.Keys))
	}
	return marshal(&pb.GetStateMultipleResult{Values: values})
}

func (h *Handler) multiple(ctx context.Context, tx *transactionContext, req *pb.GetStateMultiple) ([][]byte, error) {
	sim := tx.Simulation.sim
	get := func(key string) ([]byte, error) { return sim.GetState(ctx, tx.Namespace, key) }
	if req.Collection != "" {
		private, err := h.privateState(ctx, tx, req.Collection, reading)
		if err != nil {
			return nil, err
		}
		get = func(key string) ([]byte, error) {
			return private.GetPrivateData(ctx, tx.Namespace, req.Collection, key)
		}
	} else if m, ok := sim.(ledger.MultiGetter); ok {
		return m.GetStateMultipleKeys(ctx, tx.Namespace, req.Keys)
	}
	values := make([][]byte, len(req.Keys))
	for i, key := range req.Keys {
		var err error
		if values[i], err = get(key); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// atLeast100 is a limit as chaincode sees it: official shims take no less than 100.
func atLeast100(limit int) int { return max(limit, 100) }
