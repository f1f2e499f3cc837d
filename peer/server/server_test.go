package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/peer/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

// Each service is reached by its clients, and those that there aren't are unimplemented.
func TestServices(t *testing.T) {
	all := server.Services{
		Gateway:  gateway{func(context.Context) error { return nil }},
		Deliver:  deliver(func(pbgrpc.Deliver_DeliverServer) error { return nil }),
		Endorser: endorser(echo), AtomicBroadcast: broadcast{}, Discovery: discovery{},
	}
	stream := func(ctx context.Context, conn *grpc.ClientConn, method string) error {
		s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, conn, method)
		if err != nil {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		_, err = s.Recv()
		return err
	}
	for _, test := range []struct {
		name string
		only server.Services
		call func(context.Context, *grpc.ClientConn) error
	}{
		{"Gateway", server.Services{Gateway: all.Gateway}, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := pbgrpc.Call[pb.EvaluateResponse](ctx, conn, pbgrpc.Gateway_Evaluate_FullMethodName, &pb.EvaluateRequest{})
			return err
		}},
		{"Deliver", server.Services{Deliver: all.Deliver}, func(ctx context.Context, conn *grpc.ClientConn) error {
			return stream(ctx, conn, pbgrpc.Deliver_DeliverFiltered_FullMethodName)
		}},
		{"Endorser", server.Services{Endorser: all.Endorser}, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := pbgrpc.Call[pb.ProposalResponse](ctx, conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, &pb.SignedProposal{})
			return err
		}},
		{"AtomicBroadcast", server.Services{AtomicBroadcast: all.AtomicBroadcast}, func(ctx context.Context, conn *grpc.ClientConn) error {
			return stream(ctx, conn, pbgrpc.AtomicBroadcast_Deliver_FullMethodName)
		}},
		{"Discovery", server.Services{Discovery: all.Discovery}, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := pbgrpc.Call[pb.DiscoveryResponse](ctx, conn, pbgrpc.Discovery_Discover_FullMethodName, &pb.SignedDiscoveryRequest{})
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, served := range []struct {
				what server.Services
				want bool
			}{{all, true}, {test.only, true}, {without(all, test.only), false}} {
				_, address := start(t, server.Config{Services: served.what})
				err := test.call(t.Context(), dial(t, address, nil))
				if got := status.Code(err) != codes.Unimplemented; got != served.want {
					t.Errorf("served: %t, want %t (%v)", got, served.want, err)
				}
			}
		})
	}
}

// without leaves out what there is in the other.
func without(all, other server.Services) server.Services {
	if other.Gateway != nil {
		all.Gateway = nil
	}
	if other.Deliver != nil {
		all.Deliver = nil
	}
	if other.Endorser != nil {
		all.Endorser = nil
	}
	if other.AtomicBroadcast != nil {
		all.AtomicBroadcast = nil
	}
	if other.Discovery != nil {
		all.Discovery = nil
	}
	return all
}

func TestWrongConfigs(t *testing.T) {
	services := server.Services{Endorser: endorser(echo)}
	for want, cfg := range map[string]server.Config{
		"make server: Config has no service":                            {},
		"make server: Config: MaxRecvMsgSize is -1, want 0 or more":     {Services: services, Limits: server.Limits{MaxRecvMsgSize: -1}},
		"make server: Config.TLS.Certificate is missing, or has no key": {Services: services, TLS: &server.TLS{}},
		"make server: Config: UnusedTimeout is -1ns, want 0 or more":    {Services: services, Limits: server.Limits{UnusedTimeout: -1}},
	} {
		if _, err := server.New(cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// With TLS, clients know who the server is. With mutual TLS the server knows its clients' certificates, as services need them.
func TestTLS(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	client := ca.issue(t)
	hash := endorser(func(ctx context.Context, _ *pb.SignedProposal) (*pb.ProposalResponse, error) {
		return &pb.ProposalResponse{Payload: pbgrpc.ClientCertificateHash(ctx)}, nil
	})
	services := server.Services{Endorser: hash}
	_, oneWay := start(t, server.Config{Services: services, TLS: &server.TLS{Certificate: ca.issue(t)}})
	_, mutual := start(t, server.Config{Services: services, TLS: &server.TLS{Certificate: ca.issue(t), ClientCAs: ca.pool()}})
	_, plain := start(t, server.Config{Services: services})
	of := sha256.Sum256(client.Certificate[0])
	for _, test := range []struct {
		name, address string
		client        *tls.Config
		want          codes.Code
		hash          []byte
	}{
		{"one way", oneWay, &tls.Config{RootCAs: ca.pool()}, codes.OK, nil},
		{"one way, of a client that has a certificate", oneWay, &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{client}}, codes.OK, nil},
		{"one way, TLS 1.2", oneWay, &tls.Config{RootCAs: ca.pool(), MaxVersion: tls.VersionTLS12}, codes.OK, nil},
		{"one way, TLS 1.1", oneWay, &tls.Config{RootCAs: ca.pool(), MaxVersion: tls.VersionTLS11}, codes.Unavailable, nil},
		{"of a client that doesn't know the CA", oneWay, &tls.Config{RootCAs: foreign.pool()}, codes.Unavailable, nil},
		{"of a client in plaintext", oneWay, nil, codes.Unavailable, nil},
		{"mutual", mutual, &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{client}}, codes.OK, of[:]},
		{"mutual, of a client without a certificate", mutual, &tls.Config{RootCAs: ca.pool()}, codes.Unavailable, nil},
		{"mutual, of a client of another CA", mutual, &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{foreign.issue(t)}}, codes.Unavailable, nil},
		{"plaintext", plain, nil, codes.OK, nil},
		{"plaintext, of a client with TLS", plain, &tls.Config{RootCAs: ca.pool()}, codes.Unavailable, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := propose(t, dial(t, test.address, test.client), nil)
			if status.Code(err) != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if !bytes.Equal(r.GetPayload(), test.hash) {
				t.Errorf("the service saw the certificate %x, want %x", r.GetPayload(), test.hash)
			}
		})
	}
}

// Whoever has no connection has shown no certificate.
func TestNoCertificate(t *testing.T) {
	if hash := pbgrpc.ClientCertificateHash(t.Context()); hash != nil {
		t.Errorf("got %x", hash)
	}
}

// F226: operators are told what is wrong when one end speaks TLS, and the other doesn't.
func TestMismatchIsLogged(t *testing.T) {
	ca := newAuthority(t)
	for _, test := range []struct {
		name   string
		server *server.TLS
		says   []byte
		want   string
	}{
		{"plaintext client", &server.TLS{Certificate: ca.issue(t)}, greeting, "this port speaks TLS, and the client doesn't"},
		{"TLS client", nil, append([]byte{22, 3, 1, 0, 100, 1}, make([]byte, 99)...), "this port speaks plaintext, and the client speaks TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.WarnLevel)
			s, address := start(t, server.Config{Services: server.Services{Endorser: endorser(echo)}, TLS: test.server, Logger: zap.New(core)})
			c := connect(t, address)
			if _, err := c.Write(test.says); err != nil {
				t.Fatal(err)
			}
			wantHungUp(t, c)
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			refusals := logs.FilterMessage("refuse connection").All()
			if len(refusals) == 0 || !strings.Contains(refusals[0].ContextMap()["error"].(string), test.want) {
				t.Errorf("logged: %v", logs.All())
			}
		})
	}
}

// Operators are told what it may mean that a client ends its handshake: some send an alert, and some hang up.
func TestDistrustIsLogged(t *testing.T) {
	ca := newAuthority(t)
	for name, come := range map[string]func(c net.Conn){
		"alert": func(c net.Conn) {
			_ = tls.Client(c, &tls.Config{ServerName: "elsewhere", RootCAs: ca.pool()}).Handshake()
		},
		"hang up": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zapcore.WarnLevel)
			s, address := start(t, server.Config{
				Services: server.Services{Endorser: endorser(echo)}, TLS: &server.TLS{Certificate: ca.issue(t)}, Logger: zap.New(core),
			})
			c := connect(t, address)
			come(c)
			wantHungUp(t, c)
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			refusals := logs.FilterMessage("refuse connection").All()
			if len(refusals) == 0 || !strings.HasPrefix(refusals[0].ContextMap()["error"].(string), "the client ends the handshake: it may not trust") {
				t.Errorf("logged: %v", logs.All())
			}
		})
	}
}

// Messages may be as large as Fabric's, or as the limits say.
func TestMessageSizes(t *testing.T) {
	large := endorser(func(_ context.Context, p *pb.SignedProposal) (*pb.ProposalResponse, error) {
		return &pb.ProposalResponse{Payload: make([]byte, len(p.ProposalBytes)*2)}, nil
	})
	_, address := start(t, server.Config{Services: server.Services{Endorser: large}, Limits: server.Limits{MaxRecvMsgSize: 3000, MaxSendMsgSize: 4000}})
	conn := dial(t, address, nil)
	for size, want := range map[int]codes.Code{1000: codes.OK, 2500: codes.ResourceExhausted, 3500: codes.ResourceExhausted} {
		if _, err := propose(t, conn, make([]byte, size)); status.Code(err) != want {
			t.Errorf("%d bytes: %v, want %s", size, err, want)
		}
	}
	_, address = start(t, server.Config{Services: server.Services{Endorser: large}})
	// More than gRPC's own 4 MiB.
	conn = dial(t, address, nil, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pb.MaxMessageSize)))
	if _, err := propose(t, conn, make([]byte, 5<<20)); err != nil {
		t.Error(err)
	}
}

// F224: a panic ends the call, and neither the process nor anybody else's call.
func TestPanic(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	_, address := start(t, server.Config{Logger: zap.New(core), Services: server.Services{
		Endorser: endorser(func(_ context.Context, p *pb.SignedProposal) (*pb.ProposalResponse, error) {
			if len(p.ProposalBytes) == 0 {
				panic("no bytes")
			}
			return &pb.ProposalResponse{}, nil
		}),
		Deliver: deliver(func(pbgrpc.Deliver_DeliverServer) error { panic("no blocks") }),
	}})
	conn := dial(t, address, nil)
	_, err := propose(t, conn, nil)
	wantStatus(t, err, codes.Internal, "the peer panicked in /protos.Endorser/ProcessProposal")
	s, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), conn, pbgrpc.Deliver_Deliver_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Recv()
	wantStatus(t, err, codes.Internal, "the peer panicked in /protos.Deliver/Deliver")
	if _, err := propose(t, conn, []byte("x")); err != nil {
		t.Error(err)
	}
	if all := logs.FilterMessage("a call panicked").All(); len(all) != 2 || all[0].ContextMap()["panic"] != "no bytes" {
		t.Errorf("logged: %v", logs.All())
	}
}

// F225: calls under way may finish when a server is closed. Streams end, also those that wait for their clients.
func TestClose(t *testing.T) {
	begun, finish := make(chan struct{}, 3), make(chan struct{})
	s, address := start(t, server.Config{Services: server.Services{
		Endorser: endorser(func(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error) {
			begun <- struct{}{}
			<-finish
			return &pb.ProposalResponse{}, nil
		}),
		Deliver: deliver(func(s pbgrpc.Deliver_DeliverServer) error {
			begun <- struct{}{}
			_, err := s.Recv()
			return err
		}),
		Gateway: gateway{func(ctx context.Context) error {
			begun <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}},
	}})
	conn := dial(t, address, nil)
	called := make(chan error, 1)
	go func() {
		_, err := propose(t, conn, nil)
		called <- err
	}()
	waiting, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](t.Context(), conn, pbgrpc.Deliver_Deliver_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	events, err := pbgrpc.Open[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse](t.Context(), conn, pbgrpc.Gateway_ChaincodeEvents_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Send(&pb.SignedChaincodeEventsRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := events.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-begun
	}
	silent := handshaking(t, address)
	closed := make(chan error, 1)
	go func() { closed <- s.Close(t.Context()) }()
	_, err = events.Recv()
	wantStatus(t, err, codes.Unavailable, "the peer is stopping")
	wantHungUp(t, silent)
	select {
	case err := <-closed:
		t.Errorf("Close returned before the call had finished: %v", err)
	default:
	}
	close(finish)
	if err := <-called; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err = waiting.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream that waited: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close again: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		t.Errorf("Serve after Close: %v", err)
	}
}

// F225: when the time to finish is over, calls are cut off.
func TestCloseCutsOff(t *testing.T) {
	begun := make(chan struct{})
	s, address := start(t, server.Config{Services: server.Services{Gateway: gateway{func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}}}})
	conn := dial(t, address, nil)
	called := make(chan error, 1)
	go func() {
		_, err := pbgrpc.Call[pb.CommitStatusResponse](t.Context(), conn, pbgrpc.Gateway_CommitStatus_FullMethodName, &pb.SignedCommitStatusRequest{})
		called <- err
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	wantStatus(t, <-called, codes.Unavailable, "")
}

// F225: a call that doesn't hear of its end is Close's error.
func TestCloseNamesWhatIsStillRunning(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	defer close(finish)
	s, err := server.New(server.Config{Services: server.Services{Endorser: endorser(func(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error) {
		close(begun)
		<-finish
		return nil, nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn := dial(t, l.Addr().String(), nil)
	go func() { _, _ = propose(t, conn, nil) }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const want = "close server: 1 calls are still running, though their contexts have ended"
	if err := s.Close(ctx); err == nil || err.Error() != want {
		t.Errorf("Close: %v, want %s", err, want)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
