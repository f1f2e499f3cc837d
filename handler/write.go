package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	errEmptyKey    = errors.New("key must not be an empty string")
	errReservedKey = errors.Errorf("key %q is reserved for the peer, use another one", InitializedKey)
)

// stateWrite is one change of state that chaincode asks for, by a message of its own or in a batch.
type stateWrite struct {
	typ        pb.WriteRecord_Type
	collection string // "" is the public state
	key        string
	value      []byte
	metadata   *pb.StateMetadata
}

// writeState makes a change that came by itself.
func (h *Handler) writeState(ctx context.Context, tx *transactionContext, w stateWrite) error {
	if err := h.checkWrite(ctx, tx, w); err != nil {
		return err
	}
	return w.apply(ctx, tx)
}

// writeBatch makes the changes of a batch, in its order. It checks all of them before it makes the first one. A ledger
// that fails in the middle leaves a part of the batch in the simulator, so that the transaction can't succeed any more.
func (h *Handler) writeBatch(ctx context.Context, tx *transactionContext, req *pb.WriteBatchState) ([]byte, error) {
	if limit := atLeast100(h.cfg.MaxSizeWriteBatch); len(req.Rec) > limit {
		return nil, errors.Errorf("a batch of %d writes is larger than the limit, %d", len(req.Rec), limit)
	}
	writes := make([]stateWrite, len(req.Rec))
	for i, r := range req.Rec {
		writes[i] = stateWrite{typ: r.GetType(), collection: r.GetCollection(), key: r.GetKey(), value: r.GetValue(), metadata: r.GetMetadata()}
		if err := h.checkWrite(ctx, tx, writes[i]); err != nil {
			return nil, err
		}
	}
	for i, w := range writes {
		if err := w.apply(ctx, tx); err != nil {
			if i > 0 {
				tx.poison(errors.Errorf("%d of the %d writes of a batch were made: %s", i, len(writes), err.Error())) // asked for here: see callRequest
			}
			return nil, err
		}
	}
	return nil, nil
}

// checkWrite returns why a change must not be made, as far as that can be told before the ledger is asked to.
func (h *Handler) checkWrite(ctx context.Context, tx *transactionContext, w stateWrite) error {
	switch w.typ {
	case pb.WriteRecord_PUT_STATE:
		if w.key == "" {
			return errEmptyKey
		}
	case pb.WriteRecord_DEL_STATE:
	case pb.WriteRecord_PUT_STATE_METADATA:
		if err := h.checkKeyLevelEndorsement(tx.ChannelID); err != nil {
			return err
		}
		if w.metadata == nil {
			return errors.New("metadata is missing: give its name and value")
		}
	case pb.WriteRecord_PURGE_PRIVATE_DATA:
		if err := h.checkPurge(tx.ChannelID); err != nil {
			return err
		}
		if w.collection == "" {
			return errOnlyPrivateData
		}
	default:
		return errors.New("unknown operation type")
	}
	switch {
	case w.collection != "":
		if err := h.checkCollection(ctx, tx, w.collection, writing); err != nil {
			return err
		}
	case w.key == InitializedKey:
		return errReservedKey
	}
	return w.checkLedger(tx.Simulation.sim)
}

// checkLedger returns an error if the ledger can't make the change.
func (w *stateWrite) checkLedger(sim ledger.Simulator) error {
	ok, why := true, errPrivateData
	switch metadata := w.typ == pb.WriteRecord_PUT_STATE_METADATA; {
	case metadata && w.collection != "":
		_, ok = sim.(ledger.PrivateMetadataState)
		why = errMetadata
	case metadata:
		_, ok = sim.(ledger.MetadataState)
		why = errMetadata
	case w.collection != "":
		_, ok = sim.(ledger.PrivateState)
	}
	if !ok {
		return why
	}
	return nil
}

// apply makes the change in the transaction's simulator, which checkWrite has found to be able to.
func (w *stateWrite) apply(ctx context.Context, tx *transactionContext) error {
	sim := tx.Simulation.sim
	switch {
	case w.typ == pb.WriteRecord_PUT_STATE_METADATA:
		return w.applyMetadata(ctx, tx)
	case w.collection != "":
		return w.applyPrivate(ctx, tx, sim.(ledger.PrivateState))
	case w.typ == pb.WriteRecord_DEL_STATE:
		return sim.DeleteState(ctx, tx.Namespace, w.key)
	default:
		return sim.SetState(ctx, tx.Namespace, w.key, w.value)
	}
}

func (w *stateWrite) applyPrivate(ctx context.Context, tx *transactionContext, p ledger.PrivateState) error {
	switch w.typ {
	case pb.WriteRecord_DEL_STATE:
		return p.DeletePrivateData(ctx, tx.Namespace, w.collection, w.key)
	case pb.WriteRecord_PURGE_PRIVATE_DATA:
		return p.PurgePrivateData(ctx, tx.Namespace, w.collection, w.key)
	default:
		return p.SetPrivateData(ctx, tx.Namespace, w.collection, w.key, w.value)
	}
}
