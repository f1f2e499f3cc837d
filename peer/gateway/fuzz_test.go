package gateway_test

import (
	"context"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Whatever a client sends has an answer, or an error with a code of its own.
func FuzzRequests(f *testing.F) {
	w := newWorld(f)
	w.order(accepts)
	w.ledger.commit(event("tx asset Created"))
	g := w.gateway(f)
	proposal := w.proposal(f, "asset", "mychannel", map[string][]byte{"k": []byte("v")})
	for i, m := range []proto.Message{
		&pb.EvaluateRequest{ProposedTransaction: proposal, TargetOrganizations: []string{"Org2MSP"}},
		&pb.EndorseRequest{ProposedTransaction: proposal, EndorsingOrganizations: []string{"Org2MSP", "Org1MSP"}},
		submitRequest("mychannel"), statusRequest("mychannel", "tx"),
		eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }),
	} {
		f.Add(uint8(i), marshal(m))
		f.Add(uint8(i), []byte{})
	}
	enough := errors.New("enough")
	f.Fuzz(func(t *testing.T, method uint8, data []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		switch method % 5 {
		case 0:
			err = call(ctx, data, g.Evaluate)
		case 1:
			err = call(ctx, data, g.Endorse)
		case 2:
			err = call(ctx, data, g.Submit)
		case 3:
			cancel() // it waits for what never comes
			err = call(ctx, data, g.CommitStatus)
		case 4:
			cancel()
			err = call(ctx, data, func(ctx context.Context, r *pb.SignedChaincodeEventsRequest) (*pb.ChaincodeEventsResponse, error) {
				return nil, g.Events(ctx, r, func(*pb.ChaincodeEventsResponse) error { return enough })
			})
		}
		cancel()
		if code := status.Code(err); code == codes.Unknown && !errors.Is(err, enough) || code == codes.Internal {
			t.Errorf("%v", err)
		}
		if w.ledger.open != 0 {
			t.Error("blocks are left open")
		}
	})
}

// call calls a method with a request that is given as bytes. It is no error if they are no request.
func call[In, Out any, Request interface {
	*In
	proto.Message
}](ctx context.Context, data []byte, method func(context.Context, *In) (*Out, error)) error {
	var in In
	err := proto.Unmarshal(data, Request(&in))
	if err == nil {
		_, err = method(ctx, &in)
		return err
	}
	return nil
}

// Whatever stands in a block, a client gets its events or an error, and both are the same however often they are asked for.
func FuzzBlock(f *testing.F) {
	f.Add(event("tx asset Created").Envelope)
	f.Add([]byte{})
	w := newWorld(f)
	g := w.gateway(f)
	f.Fuzz(func(t *testing.T, envelope []byte) {
		w.ledger = newLedger()
		tx := event("mark asset Created")
		tx.Envelope = envelope
		w.ledger.commit(tx)
		w.ledger.commit(event("end asset End"))
		var got received
		enough := errors.New("enough")
		err := g.Events(t.Context(), eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }), func(r *pb.ChaincodeEventsResponse) error {
			if err := got.send(r); err != nil || r.GetBlockNumber() == 0 {
				return err
			}
			return enough
		})
		if !errors.Is(err, enough) && status.Code(err) != codes.Aborted {
			t.Errorf("%v after %q", err, got.String())
		}
	})
}
