package handler

import (
	"context"
	"math"
	"regexp"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// maxChaincodeID is the length in bytes that a chaincode ID may have.
const maxChaincodeID = 256

// validChaincodeID accepts name:version, label:hash and what names of either consist of. A chaincode ID becomes part
// of paths and log names, so nothing else is.
var validChaincodeID = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9+_.:\-]*[A-Za-z0-9])?$`)

// CheckChaincodeID returns an error that says what is wrong with a chaincode ID, or nil.
func CheckChaincodeID(id string) error {
	switch {
	case id == "":
		return errors.New("chaincodeID name is empty")
	case len(id) > maxChaincodeID:
		return errors.Errorf("chaincodeID name %s has %d bytes, the limit is %d", quoted(id), len(id), maxChaincodeID)
	case !validChaincodeID.MatchString(id):
		return errors.Errorf("chaincodeID name %s is not valid: want letters, digits and + _ . : -, and a letter or digit at both ends", quoted(id))
	}
	return nil
}

// register accepts the chaincode's name, or ends the stream. REGISTERED and READY follow from another goroutine,
// since READY is sent synchronously and the registry is told after that.
func (h *Handler) register(msg *pb.ChaincodeMessage) error {
	if err := h.acceptRegistration(msg); err != nil {
		h.fault(FaultRefusedRegistration, msg.Txid, zap.Error(err))
		return err
	}
	h.log.Info("chaincode registered", zap.String("chaincode", h.ChaincodeID))
	h.spawn(h.notifyReady)
	return nil
}

func (h *Handler) acceptRegistration(msg *pb.ChaincodeMessage) error {
	id := &pb.ChaincodeID{}
	if err := proto.Unmarshal(msg.Payload, id); err != nil {
		return endStream(codes.InvalidArgument, "error in handling register chaincode, unmarshal failed: %s", err)
	}
	if err := CheckChaincodeID(id.Name); err != nil {
		return endStream(codes.InvalidArgument, "error in handling register chaincode, %s", err)
	}
	if want := h.cfg.ChaincodeID; want != "" && id.Name != want {
		return endStream(codes.PermissionDenied, "error in handling register chaincode, chaincodeID name %s is not the one of this stream, %s",
			quoted(id.Name), quoted(want))
	}
	h.ChaincodeID = id.Name
	if err := h.cfg.Registry.Register(h); err != nil {
		return &StreamError{Code: status.Code(err), Cause: err}
	}
	h.registered.Store(true)
	return nil
}

// notifyReady completes the registration of a chaincode and tells the registry.
func (h *Handler) notifyReady() {
	ctx := context.Background() // the stream's end is what ends the waits
	err := h.triggerNextState(ctx, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED}, true)
	if err == nil {
		err = h.triggerNextStateSync(ctx, &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY, Payload: h.additionalParams()})
	}
	if err != nil {
		h.endWith(err)
		return
	}
	h.cfg.Registry.Ready(h)
}

// additionalParams is what the peer offers chaincode beyond what all peers do. Older shims ignore it.
func (h *Handler) additionalParams() []byte {
	b, err := proto.Marshal(&pb.ChaincodeAdditionalParams{
		UseWriteBatch:          !h.cfg.NoWriteBatch,
		MaxSizeWriteBatch:      offered(h.cfg.MaxSizeWriteBatch),
		UseGetMultipleKeys:     !h.cfg.NoGetMultipleKeys,
		MaxSizeGetMultipleKeys: offered(h.cfg.MaxSizeGetMultipleKeys),
	})
	if err != nil {
		return nil // there is nothing in it that could not be marshalled
	}
	return b
}

func offered(limit int) uint32 {
	return uint32(min(atLeast100(limit), math.MaxInt32)) //nolint:gosec // made to fit
}

// checkRegistered ends a stream whose chaincode has not registered in time.
func (h *Handler) checkRegistered() error {
	if h.registered.Load() {
		return nil
	}
	return endStream(codes.DeadlineExceeded, "chaincode did not send REGISTER within %s, ending chaincode support stream", h.cfg.RegisterTimeout)
}
