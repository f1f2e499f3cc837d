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

// write makes a change that came in a message of its own.
func (w *worker) write(ctx context.Context, c stateWrite) error {
	if err := c.check(ctx, w); err != nil {
		return err
	}
	if err := w.charge(c.bytes()); err != nil {
		return err
	}
	return c.apply(ctx, w)
}

// writeBatch makes the changes of a batch, in its order. It checks all of them before it makes the first one. A ledger that
// fails in the middle leaves a part of the batch in the simulator. The transaction can't succeed any more then.
func (w *worker) writeBatch(ctx context.Context, req *pb.WriteBatchState) ([]byte, error) {
	if limit := batch(w.cfg.Offer.WriteBatch); len(req.Rec) > limit {
		return nil, errors.Errorf("a batch of %d writes is larger than the limit, %d", len(req.Rec), limit)
	}
	changes, size := make([]stateWrite, len(req.Rec)), 0
	for i, r := range req.Rec {
		changes[i] = stateWrite{typ: r.GetType(), collection: r.GetCollection(), key: r.GetKey(), value: r.GetValue(), metadata: r.GetMetadata()}
		if err := changes[i].check(ctx, w); err != nil {
			return nil, err
		}
		size += changes[i].bytes()
	}
	if err := w.charge(size); err != nil {
		return nil, err
	}
	for i := range changes {
		if err := changes[i].apply(ctx, w); err != nil {
			if i > 0 {
				w.tx.trust.lose(errors.Errorf("%d of the %d writes of a batch were made: %s", i, len(changes), err.Error())) // Error is called here: serve says why
			}
			return nil, err
		}
	}
	return nil, nil
}

// check returns why a change must not be made, as far as that can be told before the ledger is asked.
func (c *stateWrite) check(ctx context.Context, w *worker) error {
	switch c.typ {
	case pb.WriteRecord_PUT_STATE:
		if c.key == "" {
			return errEmptyKey
		}
	case pb.WriteRecord_DEL_STATE:
	case pb.WriteRecord_PUT_STATE_METADATA:
		if err := w.may.checkKeyLevelEndorsement(ctx); err != nil {
			return err
		}
		if c.metadata == nil {
			return errors.New("metadata is missing: give its name and value")
		}
	case pb.WriteRecord_PURGE_PRIVATE_DATA:
		if err := w.may.checkPurge(ctx); err != nil {
			return err
		}
		if c.collection == "" {
			return errOnlyPrivateData
		}
	default:
		return errors.New("unknown operation type")
	}
	switch {
	case c.collection != "":
		if err := w.may.checkCollection(ctx, c.collection, writing); err != nil {
			return err
		}
	case c.key == InitializedKey:
		return errReservedKey
	}
	return c.checkLedger(w.tx.sim())
}

// checkLedger returns an error if the ledger can't make the change.
func (c *stateWrite) checkLedger(sim ledger.Simulator) error {
	ok, why := true, errPrivateData
	switch metadata := c.typ == pb.WriteRecord_PUT_STATE_METADATA; {
	case metadata && c.collection != "":
		_, ok = sim.(ledger.PrivateMetadataState)
		why = errMetadata
	case metadata:
		_, ok = sim.(ledger.MetadataState)
		why = errMetadata
	case c.collection != "":
		_, ok = sim.(ledger.PrivateState)
	}
	if !ok {
		return why
	}
	return nil
}

// apply makes the change in the transaction's simulator. check has found that the simulator can.
func (c *stateWrite) apply(ctx context.Context, w *worker) error {
	sim, namespace := w.tx.sim(), w.tx.Namespace
	switch {
	case c.typ == pb.WriteRecord_PUT_STATE_METADATA:
		return c.applyMetadata(ctx, w)
	case c.collection != "":
		return c.applyPrivate(ctx, sim.(ledger.PrivateState), namespace)
	case c.typ == pb.WriteRecord_DEL_STATE:
		return sim.DeleteState(ctx, namespace, c.key)
	default:
		return sim.SetState(ctx, namespace, c.key, c.value)
	}
}

func (c *stateWrite) applyPrivate(ctx context.Context, p ledger.PrivateState, namespace string) error {
	switch c.typ {
	case pb.WriteRecord_DEL_STATE:
		return p.DeletePrivateData(ctx, namespace, c.collection, c.key)
	case pb.WriteRecord_PURGE_PRIVATE_DATA:
		return p.PurgePrivateData(ctx, namespace, c.collection, c.key)
	default:
		return p.SetPrivateData(ctx, namespace, c.collection, c.key, c.value)
	}
}

// applyMetadata replaces all of a key's metadata by the one entry of the message, as Fabric's peer does.
func (c *stateWrite) applyMetadata(ctx context.Context, w *worker) error {
	m := map[string][]byte{c.metadata.Metakey: c.metadata.Value}
	if c.collection != "" {
		return w.tx.sim().(ledger.PrivateMetadataState).SetPrivateDataMetadata(ctx, w.tx.Namespace, c.collection, c.key, m)
	}
	return w.tx.sim().(ledger.MetadataState).SetStateMetadata(ctx, w.tx.Namespace, c.key, m)
}
