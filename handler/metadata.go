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
func (w *worker) capabilities(ctx context.Context) (ApplicationCapabilities, error) {
	c, err := w.cfg.ApplicationConfig.ApplicationCapabilities(ctx, w.tx.ChannelID)
	return c, ofChannel(err, "application config does not exist for "+w.tx.ChannelID)
}

// ofChannel gives the error of a hook that looks for a channel the text that Fabric's peer has for a channel that isn't there.
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

func (w *worker) checkKeyLevelEndorsement(ctx context.Context) error {
	c, err := w.capabilities(ctx)
	if err == nil && !c.KeyLevelEndorsement {
		err = errors.New("key level endorsement is not enabled, channel application capability of V1_3 or later is required")
	}
	return err
}

func (w *worker) checkPurge(ctx context.Context) error {
	c, err := w.capabilities(ctx)
	if err == nil && !c.PurgePrivateData {
		err = errors.New("purge private data is not enabled, channel application capability of V2_5 or later is required")
	}
	return err
}

func (w *worker) getStateMetadata(ctx context.Context, req *pb.GetStateMetadata) ([]byte, error) {
	if err := w.checkKeyLevelEndorsement(ctx); err != nil {
		return nil, err
	}
	m, err := w.metadata(ctx, req)
	if err != nil {
		return nil, err
	}
	result := new(pb.StateMetadataResult)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		result.Entries = append(result.Entries, &pb.StateMetadata{Metakey: name, Value: m[name]})
	}
	return marshal(result)
}

func (w *worker) metadata(ctx context.Context, req *pb.GetStateMetadata) (map[string][]byte, error) {
	if req.Collection == "" {
		s, ok := w.sim().(ledger.MetadataState)
		if !ok {
			return nil, errMetadata
		}
		return s.GetStateMetadata(ctx, w.tx.Namespace, req.Key)
	}
	if err := w.checkCollection(ctx, req.Collection, reading); err != nil {
		return nil, err
	}
	s, ok := w.sim().(ledger.PrivateMetadataState)
	if !ok {
		return nil, errMetadata
	}
	return s.GetPrivateDataMetadata(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) putStateMetadata(ctx context.Context, req *pb.PutStateMetadata) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_PUT_STATE_METADATA, collection: req.Collection, key: req.Key, metadata: req.Metadata})
}
