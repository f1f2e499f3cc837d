package dial_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Chaincode servers end a connection on which somebody pings more often than every 60 s. The stream of an idle chaincode
// lives on, and yet the peer pings: a connection that is dead is noticed.
func TestServersAllowOurPings(t *testing.T) {
	for _, test := range []struct {
		name    string
		allowed time.Duration // between two pings
		lives   bool
	}{
		{"what servers insist on", 60 * time.Second, true},
		{"more than that", 90 * time.Second, false}, // so there are pings
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := idleStream(t, keepalive.EnforcementPolicy{MinTime: test.allowed, PermitWithoutStream: true})
				select {
				case err := <-ended:
					if test.lives {
						t.Errorf("the stream has ended: %v", err)
					}
				case <-time.After(time.Hour):
					if !test.lives {
						t.Error("the peer doesn't ping")
					}
				}
			})
		})
	}
}

// idleStream opens a stream to a server that says nothing, as the peer does. The channel gets why it has ended.
func idleStream(t *testing.T, policy keepalive.EnforcementPolicy) <-chan error {
	l := bufconn.Listen(1 << 16)
	srv := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(policy))
	pbgrpc.RegisterChaincodeServer(srv, connectFunc(func(s pbgrpc.Chaincode_ConnectServer) error {
		<-s.Context().Done()
		return nil
	}))
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient("passthrough:server", append(dial.Options(dial.Config{Address: "127.0.0.1:1"}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s, err := pbgrpc.DialChaincode(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Recv()
		ended <- err
	}()
	return ended
}
