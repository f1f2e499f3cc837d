package runtimetest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// peer is the suite's peer. Chaincode that dials it, or whose stream is given to handle, registers with it.
type peer struct {
	address string
	arrived chan *chaincode
	handled atomic.Int32 // how often handle was called
}

// chaincode is a chaincode that has registered.
type chaincode struct {
	id      string
	tell    chan string
	answers chan string
	gone    chan struct{} // closed when its stream has ended
}

// newPeer starts a peer, which ends with the test.
func newPeer(t testing.TB) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{address: l.Addr().String(), arrived: make(chan *chaincode, 1)}
	srv := grpc.NewServer()
	pbgrpc.RegisterChaincodeSupportServer(srv, service{p})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // which is for a short test
			t.Errorf("Serve: %v", err)
		}
	})
	return p
}

// service is the gRPC service for chaincode that dials the peer.
type service struct{ *peer }

// Register implements pbgrpc.ChaincodeSupportServer.
func (s service) Register(stream pbgrpc.ChaincodeSupport_RegisterServer) error {
	return s.serve(stream.Context(), stream)
}

// handle is a runtime.StreamHandler.
func (p *peer) handle(ctx context.Context, s pb.Stream) error {
	p.handled.Add(1)
	return p.serve(ctx, s)
}

// serve lets one chaincode register, and tells it what the test says, until the stream or ctx ends.
func (p *peer) serve(ctx context.Context, s pb.Stream) error {
	id, err := registered(s)
	if err != nil {
		return err
	}
	c := &chaincode{id: id, tell: make(chan string), answers: make(chan string, 1), gone: make(chan struct{})}
	defer close(c.gone)
	received := make(chan error, 1)
	go func() {
		for {
			m, err := s.Recv()
			if err != nil {
				received <- err
				return
			}
			c.answers <- string(m.Payload)
		}
	}()
	p.arrived <- c
	for {
		select {
		case what := <-c.tell:
			if err := s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_TRANSACTION, Txid: "tx", Payload: []byte(what)}); err != nil {
				return err
			}
		case err := <-received:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// registered receives REGISTER, answers it, and returns the ID in it.
func registered(s pb.Stream) (chaincodeID string, err error) {
	m, err := s.Recv()
	if err != nil {
		return "", err
	}
	var id pb.ChaincodeID
	if err := proto.Unmarshal(m.Payload, &id); err != nil || m.Type != pb.ChaincodeMessage_REGISTER {
		return "", errors.Errorf("first message is %v, want REGISTER", m)
	}
	return id.Name, s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED})
}

// wantAnswer checks that the chaincode answers, and is the right one.
func (c *chaincode) wantAnswer(t testing.TB) {
	t.Helper()
	c.say(t, "call")
	select {
	case id := <-c.answers:
		if id != c.id {
			t.Errorf("%s answers, want %s", id, c.id)
		}
	case <-c.gone:
		t.Fatalf("the stream of %s has ended", c.id)
	case <-time.After(patience):
		t.Fatalf("%s does not answer", c.id)
	}
}

// say tells the chaincode what to do.
func (c *chaincode) say(t testing.TB, what string) {
	t.Helper()
	select {
	case c.tell <- what:
	case <-c.gone:
		t.Fatalf("the stream of %s has ended", c.id)
	case <-time.After(patience):
		t.Fatalf("%s can't be told to %s", c.id, what)
	}
}
