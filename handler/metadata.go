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

func (w *worker) getStateMetadata(ctx context.Context, req *pb.GetStateMetadata) ([]byte, error) {
	if err := w.may.checkKeyLevelEndorsement(ctx); err != nil {
		return nil, err
	}
	if err := w.note(req.Collection, req.Key); err != nil {
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
		s, ok := w.tx.sim().(ledger.MetadataState)
		if !ok {
			return nil, errMetadata
		}
		return s.GetStateMetadata(ctx, w.tx.Namespace, req.Key)
	}
	if err := w.may.checkCollection(ctx, req.Collection, reading); err != nil {
		return nil, err
	}
	s, ok := w.tx.sim().(ledger.PrivateMetadataState)
	if !ok {
		return nil, errMetadata
	}
	return s.GetPrivateDataMetadata(ctx, w.tx.Namespace, req.Collection, req.Key)
}

func (w *worker) putStateMetadata(ctx context.Context, req *pb.PutStateMetadata) ([]byte, error) {
	return nil, w.write(ctx, stateWrite{typ: pb.WriteRecord_PUT_STATE_METADATA, collection: req.Collection, key: req.Key, metadata: req.Metadata})
}
