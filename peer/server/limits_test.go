package server_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/peer/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// F223: one call more than there may be is refused with Fabric's text. Streams have places, too, and give them back.
func TestConcurrency(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	wait := func(ctx context.Context) error {
		begun <- struct{}{}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, address := start(t, server.Config{
		Services: server.Services{
			Gateway: gateway{wait},
			Deliver: deliver(func(s pbgrpc.Deliver_DeliverServer) error { return wait(s.Context()) }),
			Endorser: endorser(func(ctx context.Context, _ *pb.SignedProposal) (*pb.ProposalResponse, error) {
				return &pb.ProposalResponse{}, wait(ctx)
			}),
		},
		Limits: server.Limits{GatewayConcurrency: 1, DeliverConcurrency: 1, EndorserConcurrency: 1},
	})
	conn := dial(t, address, nil)
	stream := func(method string) error {
		s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), conn, method)
		if err == nil {
			_ = s.Send(&pb.Envelope{}) // Recv says why not
			_ = s.CloseSend()
			_, err = s.Recv()
		}
		if err == io.EOF {
			return nil
		}
		return err
	}
	for service, call := range map[string]func() error{
		"/gateway.Gateway": func() error { return stream(pbgrpc.Gateway_ChaincodeEvents_FullMethodName) },
		"/protos.Deliver":  func() error { return stream(pbgrpc.Deliver_DeliverFiltered_FullMethodName) },
		"/protos.Endorser": func() error {
			_, err := propose(t, conn, nil)
			return err
		},
	} {
		for range 2 { // the place is given back
			first := make(chan error, 1)
			go func() { first <- call() }()
			<-begun
			err := call()
			if want := "too many requests for " + service + ", exceeding concurrency limit (1)"; status.Code(err) != codes.Unknown || status.Convert(err).Message() != want {
				t.Errorf("got %v, want Unknown %s", err, want)
			}
			finish <- struct{}{}
			if err := <-first; err != nil {
				t.Errorf("%s: %v", service, err)
			}
		}
	}
}

// The defaults are Fabric's, and a negative limit is none.
func TestDefaultConcurrency(t *testing.T) {
	const fabric, more = 500, 510
	for _, test := range []struct{ limit, refused int }{{0, more - fabric}, {-1, 0}} {
		finish, begun := make(chan struct{}), make(chan struct{}, more)
		_, address := start(t, server.Config{
			Services: server.Services{Gateway: gateway{func(context.Context) error {
				begun <- struct{}{}
				<-finish
				return nil
			}}},
			Limits: server.Limits{GatewayConcurrency: test.limit},
		})
		conn := dial(t, address, nil)
		answers := make(chan error, more)
		for range more {
			go func() {
				_, err := pbgrpc.Call[pb.SubmitResponse](t.Context(), conn, pbgrpc.Gateway_Submit_FullMethodName, &pb.SubmitRequest{})
				answers <- err
			}()
		}
		for range test.refused {
			wantStatus(t, <-answers, codes.Unknown, "too many requests for /gateway.Gateway, exceeding concurrency limit (500)")
		}
		for range more - test.refused {
			<-begun
		}
		close(finish)
		for range more - test.refused {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	}
}

// handshaking returns a connection that is in the middle of a handshake, for as long as it likes.
func handshaking(t testing.TB, address string) net.Conn {
	t.Helper()
	c := connect(t, address)
	if _, err := io.WriteString(c, "PRI * HTTP"); err != nil {
		t.Fatal(err)
	}
	return c
}

func connect(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantHungUp waits until the server closes a connection. It returns what came before.
func wantHungUp(t testing.TB, c net.Conn) []byte {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	came, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as net returns it
		t.Error("the server has not hung up")
	}
	return came
}

// Frames of HTTP/2, with their headers.
var (
	greeting      = append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, nil)...)
	acknowledging = frame(4, 1, 0, nil)
	ping          = frame(6, 0, 0, make([]byte, 8))
)

func frame(typ, flags, stream byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, 0, 0, 0, stream}, payload...)
}

// F220: those who connect and say nothing, or nothing useful, are hung up on. Nobody else notices.
func TestSilentClients(t *testing.T) {
	_, address := start(t, server.Config{
		Services: server.Services{Endorser: endorser(echo)},
		Limits:   server.Limits{HandshakeTimeout: 50 * time.Millisecond, UnusedTimeout: 100 * time.Millisecond},
	})
	used := dial(t, address, nil)
	if _, err := propose(t, used, nil); err != nil {
		t.Fatal(err)
	}
	before := used.GetState()
	wantHungUp(t, connect(t, address))
	wantHungUp(t, handshaking(t, address))
	idle := connect(t, address)
	if _, err := idle.Write(append(greeting, acknowledging...)); err != nil {
		t.Fatal(err)
	}
	wantHungUp(t, idle)
	if after := used.GetState(); after != before {
		t.Errorf("the connection that was used is %s, and was %s", after, before)
	}
}

// F220: a secure server hangs up on those who don't shake hands.
func TestSilentClientsOfTLS(t *testing.T) {
	ca := newAuthority(t)
	_, address := start(t, server.Config{
		Services: server.Services{Endorser: endorser(echo)}, TLS: &server.TLS{Certificate: ca.issue(t)},
		Limits: server.Limits{HandshakeTimeout: 50 * time.Millisecond},
	})
	wantHungUp(t, connect(t, address))
}

// F221: there are no more connections than there may be. A place is free again when its connection has ended.
func TestMaxConnections(t *testing.T) {
	_, address := start(t, server.Config{Services: server.Services{Endorser: endorser(echo)}, Limits: server.Limits{MaxConnections: 2}})
	first, second := dial(t, address, nil), dial(t, address, nil)
	for _, conn := range []*grpc.ClientConn{first, second} {
		if _, err := propose(t, conn, nil); err != nil {
			t.Fatal(err)
		}
	}
	wantHungUp(t, connect(t, address))
	third := dial(t, address, nil)
	if _, err := propose(t, third, nil); status.Code(err) != codes.Unavailable {
		t.Errorf("the third connection: %v", err)
	}
	for _, conn := range []*grpc.ClientConn{third, first} { // the third would try again
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The server needs a moment to notice.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := pbgrpc.Call[pb.ProposalResponse](ctx, dial(t, address, nil), pbgrpc.Endorser_ProcessProposal_FullMethodName, &pb.SignedProposal{}, grpc.WaitForReady(true)); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

// F222: whoever sends too many headers gets no answer, and others do.
func TestHeaderFlood(t *testing.T) {
	_, address := start(t, server.Config{Services: server.Services{Endorser: endorser(echo)}, Limits: server.Limits{MaxHeaderBytes: 4096}})
	conn := dial(t, address, nil)
	flood := metadata.AppendToOutgoingContext(t.Context(), "x", string(bytes.Repeat([]byte("x"), 5000)))
	if _, err := pbgrpc.Call[pb.ProposalResponse](flood, conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, &pb.SignedProposal{}); err == nil {
		t.Error("the headers were accepted")
	}
	// A block of headers that never ends.
	endless := connect(t, address)
	if _, err := endless.Write(append(greeting, frame(1, 0, 1, []byte{0x82})...)); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := endless.Write(frame(9, 0, 1, bytes.Repeat([]byte{0x82}, 8192))); err != nil {
				return
			}
		}
	}()
	wantHungUp(t, endless)
	if _, err := propose(t, dial(t, address, nil), nil); err != nil {
		t.Error(err)
	}
}

// F222: whoever pings too often is hung up on, and told so.
func TestPingFlood(t *testing.T) {
	_, address := start(t, server.Config{Services: server.Services{Endorser: endorser(echo)}})
	c := connect(t, address)
	if _, err := c.Write(append(greeting, acknowledging...)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.Write(ping); err != nil {
			break // it has been hung up on
		}
	}
	if came := wantHungUp(t, c); !bytes.Contains(came, []byte("too_many_pings")) {
		t.Errorf("got %q", came)
	}
}
