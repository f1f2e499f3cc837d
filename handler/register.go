package handler

import (
	"context"
	"math"
	"regexp"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// maxChaincodeID is the length in bytes that a chaincode ID may have.
const maxChaincodeID = 256

// validChaincodeID accepts name:version, label:hash, and what names of either form consist of. A chaincode ID becomes part
// of paths and log names, so nothing else is accepted.
var validChaincodeID = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9+_.:\-]*[A-Za-z0-9])?$`)

// CheckChaincodeID returns nil for a valid chaincode ID, and otherwise an error that says what is wrong with it.
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

// register checks the name that the chaincode wants, and starts a goroutine that asks the registry. The loop doesn't do that
// itself, because a registry may take its time, and so may sending READY.
func (l *loop) register(in received) error {
	id, err := l.registrar.check(in.msg)
	if err != nil {
		l.fault(FaultRefusedRegistration, txKey{}, err)
		return err
	}
	l.id.Store(&id)
	l.registering = true
	l.spawn(l.registrar.register)
	return nil
}

// checkRegistered ends a stream whose chaincode has not registered in time.
func (l *loop) checkRegistered() error {
	if l.named.Load() {
		return nil
	}
	if l.registering {
		return endStream(codes.DeadlineExceeded, "the peer did not accept chaincode %s within %s, ending chaincode support stream",
			l.chaincodeID(), l.cfg.RegisterTimeout)
	}
	return endStream(codes.DeadlineExceeded, "chaincode did not send REGISTER within %s, ending chaincode support stream", l.cfg.RegisterTimeout)
}

// registrar makes a handler known to the registry, and sees to it that the registry forgets it exactly once. The registry's
// acceptance and the stream's end may come in either order.
type registrar struct {
	*session
	handler *Handler
	sender  *sender
	state   atomic.Int32
}

// The states of a registrar.
const (
	unregistered int32 = iota
	accepted           // the registry has accepted the handler, and must be told when the stream has ended
	over               // the stream has ended
)

// check returns the chaincode ID that a REGISTER names, if this stream may have it.
func (r *registrar) check(msg *pb.ChaincodeMessage) (string, error) {
	id := &pb.ChaincodeID{}
	if err := proto.Unmarshal(msg.Payload, id); err != nil {
		return "", endStream(codes.InvalidArgument, "error in handling register chaincode, unmarshal failed: %s", err)
	}
	if err := CheckChaincodeID(id.Name); err != nil {
		return "", endStream(codes.InvalidArgument, "error in handling register chaincode, %s", err)
	}
	if want := r.cfg.ChaincodeID; want != "" && id.Name != want {
		return "", endStream(codes.PermissionDenied, "error in handling register chaincode, chaincodeID name %s is not the one of this stream, %s",
			quoted(id.Name), quoted(want))
	}
	return id.Name, nil
}

// register asks the registry, answers REGISTER, and tells the registry when READY has been sent. Its goroutine ends with the
// stream at the latest, unless the registry holds it up.
func (r *registrar) register() {
	if err := r.cfg.Registry.Register(r.handler); err != nil {
		err = &StreamError{Code: status.Code(err), Cause: err}
		r.fault(FaultRefusedRegistration, txKey{}, err)
		r.endWith(err)
		return
	}
	r.named.Store(true)
	if !r.state.CompareAndSwap(unregistered, accepted) { // the stream has ended meanwhile
		r.cfg.Registry.Deregister(r.handler)
		return
	}
	r.limiter.kinds[registrations].Log(r.log, zap.InfoLevel, "chaincode registered", zap.String("chaincode", r.chaincodeID()))
	if err := r.notifyReady(); err != nil {
		r.endWith(err)
		return
	}
	r.cfg.Registry.Ready(r.handler)
}

// end is called when the stream has ended.
func (r *registrar) end() {
	if r.state.Swap(over) == accepted {
		r.cfg.Registry.Deregister(r.handler)
	}
}

// notifyReady sends REGISTERED and READY, and returns when READY has been sent.
func (r *registrar) notifyReady() error {
	ctx := context.Background() // these waits end with the stream
	registered := newOutgoing(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED}, nil)
	if err := r.sender.triggerNextState(ctx, registered); err != nil {
		return err
	}
	sent := make(chan error, 1)
	ready := newOutgoing(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY, Payload: r.additionalParams()}, nil)
	ready.sent = sent
	if err := r.sender.triggerNextState(ctx, ready); err != nil {
		return err
	}
	select {
	case err := <-sent:
		return err
	case <-r.done:
		return ErrStreamTerminated
	}
}

// additionalParams says what the peer offers chaincode beyond what all peers do. Older shims ignore it.
func (r *registrar) additionalParams() []byte {
	offer := r.cfg.Offer
	b, err := proto.Marshal(&pb.ChaincodeAdditionalParams{
		UseWriteBatch:          offer.WriteBatch != unoffered,
		MaxSizeWriteBatch:      offered(offer.WriteBatch),
		UseGetMultipleKeys:     offer.MultipleKeys != unoffered,
		MaxSizeGetMultipleKeys: offered(offer.MultipleKeys),
	})
	if err != nil {
		return nil // nothing in it can fail to marshal
	}
	return b
}

func offered(offer int) uint32 {
	return uint32(min(batch(offer), math.MaxInt32)) //nolint:gosec // made to fit
}
