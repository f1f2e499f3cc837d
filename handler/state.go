package handler

import (
	"context"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	errPrivateData = errors.New("private data is not supported by this peer")
	errEmptyKey    = errors.New("key must not be an empty string")
)

func (h *Handler) getState(ctx context.Context, tx *transactionContext, req *pb.GetState) ([]byte, error) {
	if req.Collection != "" {
		return nil, errPrivateData
	}
	return tx.Simulation.sim.GetState(ctx, tx.Namespace, req.Key)
}

func (h *Handler) putState(ctx context.Context, tx *transactionContext, req *pb.PutState) ([]byte, error) {
	switch {
	case req.Collection != "":
		return nil, errPrivateData
	case req.Key == "":
		return nil, errEmptyKey
	}
	return nil, tx.Simulation.sim.SetState(ctx, tx.Namespace, req.Key, req.Value)
}

func (h *Handler) delState(ctx context.Context, tx *transactionContext, req *pb.DelState) ([]byte, error) {
	if req.Collection != "" {
		return nil, errPrivateData
	}
	return nil, tx.Simulation.sim.DeleteState(ctx, tx.Namespace, req.Key)
}
