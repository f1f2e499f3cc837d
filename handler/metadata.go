package handler

import (
	"context"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

var errMetadata = errors.New("key metadata is not supported by this peer's ledger")

// capabilities returns what the channel's members have agreed on.
func (h *Handler) capabilities(channelID string) (ApplicationCapabilities, error) {
	c, ok := h.cfg.ApplicationConfig.ApplicationCapabilities(channelID)
	if !ok {
		return c, errors.Errorf("application config does not exist for %s", channelID)
	}
	return c, nil
}

func (h *Handler) checkKeyLevelEndorsement(channelID string) error {
	c, err := h.capabilities(channelID)
	if err == nil && !c.KeyLevelEndorsement {
		err = errors.New("key level endorsement is not enabled, channel application capability of V1_3 or later is required")
	}
	return err
}

func (h *Handler) checkPurge(channelID string) error {
	c, err := h.capabilities(channelID)
	if err == nil && !c.PurgePrivateData {
		err = errors.New("purge private data is not enabled, channel application capability of V2_5 or later is required")
	}
	return err
}

func (h *Handler) getStateMetadata(ctx context.Context, tx *transactionContext, req *pb.GetStateMetadata) ([]byte, error) {
	if err := h.checkKeyLevelEndorsement(tx.ChannelID); err != nil {
		return nil, err
	}
	m, err := h.metadata(ctx, tx, req)
	if err != nil {
		return nil, err
	}
	result := new(pb.StateMetadataResult)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		result.Entries = append(result.Entries, &pb.StateMetadata{Metakey: name, Value: m[name]})
	}
	return marshal(result)
}

func (h *Handler) metadata(ctx context.Context, tx *transactionContext, req *pb.GetStateMetadata) (map[string][]byte, error) {
	if req.Collection == "" {
		s, ok := tx.Simulation.sim.(ledger.MetadataState)
		if !ok {
			return nil, errMetadata
		}
		return s.GetStateMetadata(ctx, tx.Namespace, req.Key)
	}
	if err := h.checkCollection(ctx, tx, req.Collection, reading); err != nil {
		return nil, err
	}
	s, ok := tx.Simulation.sim.(ledger.PrivateMetadataState)
	if !ok {
		return nil, errMetadata
	}
	return s.GetPrivateDataMetadata(ctx, tx.Namespace, req.Collection, req.Key)
}

func (h *Handler) putStateMetadata(ctx context.Context, tx *transactionContext, req *pb.PutStateMetadata) ([]byte, error) {
	w := stateWrite{typ: pb.WriteRecord_PUT_STATE_METADATA, collection: req.Collection, key: req.Key, metadata: req.Metadata}
	return nil, h.writeState(ctx, tx, w)
}

// applyMetadata replaces all of a key's metadata by the one entry that the message holds, as Fabric's peer does.
func (w *stateWrite) applyMetadata(ctx context.Context, tx *transactionContext) error {
	m := map[string][]byte{w.metadata.Metakey: w.metadata.Value}
	if w.collection != "" {
		s := tx.Simulation.sim.(ledger.PrivateMetadataState)
		return s.SetPrivateDataMetadata(ctx, tx.Namespace, w.collection, w.key, m)
	}
	return tx.Simulation.sim.(ledger.MetadataState).SetStateMetadata(ctx, tx.Namespace, w.key, m)
}
