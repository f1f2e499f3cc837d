package chaincodesupport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

func identifyAs(chaincodeID string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return chaincodeID, err }
}

// serve serves cs over TCP until the test's end, and returns the address.
func serve(t testing.TB, cs *chaincodesupport.ChaincodeSupport) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, cs, cs.ServerOptions())
	return l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, cs *chaincodesupport.ChaincodeSupport, opts []grpc.ServerOption) {
	t.Helper()
	srv := grpc.NewServer(opts...)
	pbgrpc.RegisterChaincodeSupportServer(srv, cs)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// dial opens a stream to the peer, as a chaincode does.
func dial(t testing.TB, address string, opts ...grpc.DialOption) pb.ClientStream {
	t.Helper()
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pb.MaxMessageSize), grpc.MaxCallSendMsgSize(pb.MaxMessageSize)))
	conn, err := grpc.NewClient(address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s, err := pbgrpc.DialChaincodeSupport(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inMemory serves cs on a listener whose connections are pipes, so that time is the bubble's.
func inMemory(t testing.TB, cs *chaincodesupport.ChaincodeSupport, opts []grpc.ServerOption) (l *bufconn.Listener, dialer grpc.DialOption) {
	l = bufconn.Listen(1 << 16)
	opts = append(opts, grpc.Creds(insecure.NewCredentials())) // the default ones take a pipe for another machine
	serveOn(t, l, cs, opts)
	return l, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
}

// What comes back is what was sent, also when it is large.
func TestLargeValues(t *testing.T) {
	var address string
	echo := function(func(s stub) *shim.Response { return shim.Success(s.GetArgs()[0]) })
	cs := newSupport(t, chaincodesupport.Config{Runtimes: always(runFunc(func(ctx context.Context, id string, _ runtime.StreamHandler) error {
		return shim.Run(ctx, shim.Config{ChaincodeID: id, PeerAddress: address}, echo)
	}))})
	address = serve(t, cs)
	value := bytes.Repeat([]byte{0, 1, 2, 255}, 5<<20)
	r, err := cs.Execute(t.Context(), "echo:1", params("t"), chaincodesupport.Input{Args: [][]byte{value}})
	if err != nil || !bytes.Equal(r.Payload, value) {
		t.Errorf("Execute: %v", err)
	}
}

// F37: a value that fills a message of the greatest size, over TCP, there and back.
func TestLargestValue(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const size = pb.MaxMessageSize - 1<<10 // the rest of the message is not the value
	var address string
	chaincode := function(func(s stub) *shim.Response {
		if s.GetStringArgs()[0] == "put" {
			return outcome(s.PutState("k", bytes.Repeat([]byte{0xa5}, size)))
		}
		value, err := s.GetState("k")
		if err == nil && (len(value) != size || value[0] != 0xa5 || value[size-1] != 0xa5) {
			err = errors.Errorf("there are %d bytes", len(value))
		}
		return outcome(err)
	})
	n := newNetwork(t, chaincodesupport.Config{Runtimes: always(runFunc(func(ctx context.Context, id string, _ runtime.StreamHandler) error {
		return shim.Run(ctx, shim.Config{ChaincodeID: id, PeerAddress: address}, chaincode)
	}))}, nil)
	address = serve(t, n.ChaincodeSupport)
	n.wantResult("large", "t1", 200, "", "put")
	n.wantResult("large", "t2", 200, "", "get")
}

func outcome(err error) *shim.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// An idle chaincode that pings as official shims do, or more often, lives on; by default gRPC's server cuts it off.
func TestIdleChaincode(t *testing.T) {
	for _, test := range []struct {
		name   string
		every  time.Duration
		ours   bool
		broken bool
	}{
		{"every 60 s", time.Minute, true, false},
		{"every 12 s", 12 * time.Second, true, false},
		{"every 60 s, gRPC's defaults", time.Minute, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{DevMode: true, InsecureForeignServer: !test.ours})
				opts := cs.ServerOptions()
				if !test.ours {
					opts = nil
				}
				_, dialer := inMemory(t, cs, opts)
				s := dial(t, "passthrough:peer", dialer, grpc.WithKeepaliveParams(
					keepalive.ClientParameters{Time: test.every, Timeout: 20 * time.Second, PermitWithoutStream: true}))
				if err := s.Send(registration("asset:1")); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() {
					for {
						if _, err := s.Recv(); err != nil {
							ended <- err
							return
						}
					}
				}()
				<-time.After(10 * time.Minute)
				if broken := len(ended) > 0; broken != test.broken {
					t.Errorf("the connection is broken: %t", broken)
				}
			})
		})
	}
}

// F11: a connection that is fine but has no stream is not kept for ever.
func TestConnectionWithoutStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{})
		_, dialer := inMemory(t, cs, cs.ServerOptions())
		conn, err := grpc.NewClient("passthrough:peer", dialer, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conn.Connect()
		synctest.Wait()
		began := time.Now()
		if s := conn.GetState(); s != connectivity.Ready || !conn.WaitForStateChange(t.Context(), s) {
			t.Fatalf("connection is %s", s)
		}
		if d := time.Since(began); d < 50*time.Second || d > 2*time.Minute {
			t.Errorf("closed after %s", d)
		}
	})
}

// F31: a connection on which nobody answers is given up within 30 s.
func TestDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{})
		l, _ := inMemory(t, cs, cs.ServerOptions())
		conn, err := l.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+settings); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := io.Copy(io.Discard, conn); err != nil { // takes all, answers nothing
			t.Errorf("read: %v", err)
		}
		if d := time.Since(began); d < 20*time.Second || d > 30*time.Second {
			t.Errorf("given up after %s", d)
		}
	})
}
