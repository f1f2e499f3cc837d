package chaincodesupport_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// serving calls Serve, and returns the address and what Serve will have returned.
func serving(t *testing.T, cs *chaincodesupport.ChaincodeSupport) (address string, served <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cs.Serve(l) }()
	return l.Addr().String(), done
}

// Close ends what Serve serves. Chaincode that talks is told why; connections that say nothing hold nobody up.
func TestServe(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	address, served := serving(t, cs)
	second, servedToo := serving(t, cs)
	s := dial(t, address)
	if err := s.Send(registration("asset:1")); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Recv(); err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
		t.Fatalf("got %v, %v", m, err)
	}
	silent, err := net.Dial("tcp", second) // in the middle of a handshake, for as long as it likes
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if _, err := io.WriteString(silent, "PRI * HTTP"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cs.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if d := time.Since(began); d > 5*time.Second { // of the 10 that a handshake may take
		t.Errorf("Close took %s", d)
	}
	for _, served := range []<-chan error{served, servedToo} {
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(time.Second): // in which the test hears of it
			t.Error("Close didn't wait for Serve")
		}
	}
	wantStatus(t, untilError(s), codes.Unavailable, closing)
	_, late := serving(t, cs)
	if err := <-late; !errors.Is(err, chaincodesupport.ErrClosed) {
		t.Errorf("Serve after Close: %v", err)
	}
}

// A listener that fails is Serve's error, and the end of the streams that came by it.
func TestServeFails(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- cs.Serve(l) }()
	s := dial(t, l.Addr().String())
	if err := s.Send(registration("asset:1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := untilError(s); err == nil {
		t.Error("the stream goes on")
	}
}

// A server that isn't made with the options of this ChaincodeSupport is refused, unless the Config says otherwise. Its
// operator is told once.
func TestForeignServer(t *testing.T) {
	other := newSupport(t, chaincodesupport.Config{})
	for _, test := range []struct {
		name     string
		opts     func(cs *chaincodesupport.ChaincodeSupport) []grpc.ServerOption
		insecure bool
		accepted bool
	}{
		{"its own", (*chaincodesupport.ChaincodeSupport).ServerOptions, false, true},
		{"none", func(*chaincodesupport.ChaincodeSupport) []grpc.ServerOption { return nil }, false, false},
		{"another one's", func(*chaincodesupport.ChaincodeSupport) []grpc.ServerOption { return other.ServerOptions() }, false, false},
		{"none, insecure", func(*chaincodesupport.ChaincodeSupport) []grpc.ServerOption { return nil }, true, true},
		{"its own, with an interceptor", func(cs *chaincodesupport.ChaincodeSupport) []grpc.ServerOption {
			return append(cs.ServerOptions(), grpc.StreamInterceptor(passOn), grpc.ChainStreamInterceptor(passOn))
		}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.ErrorLevel)
				cs := newSupport(t, chaincodesupport.Config{DevMode: true, InsecureForeignServer: test.insecure, Hooks: handler.Hooks{Logger: zap.New(core)}})
				_, dialer := inMemory(t, cs, test.opts(cs))
				for range 2 {
					s := dial(t, "passthrough:peer", dialer, grpc.WithTransportCredentials(insecure.NewCredentials()))
					_ = s.Send(registration("asset:1")) // Recv says why, if it fails
					_, err := s.Recv()
					if test.accepted {
						if err != nil {
							t.Error(err)
						}
						return
					}
					wantStatus(t, err, codes.FailedPrecondition, "the gRPC server was not made with ChaincodeSupport.ServerOptions")
				}
				if n := logs.FilterMessage("refuse chaincode").Len(); n != 1 {
					t.Errorf("it was logged %d times", n)
				}
			})
		})
	}
}

// passOn is an interceptor whose streams have contexts of their own.
func passOn(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	return handle(srv, intercepted{s, ctx})
}

type intercepted struct {
	grpc.ServerStream
	ctx context.Context
}

func (i intercepted) Context() context.Context { return i.ctx }
