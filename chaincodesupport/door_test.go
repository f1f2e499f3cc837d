//go:build unix

package chaincodesupport_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// client is a connection to the peer, which is closed at the test's end.
func client(t testing.TB, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pb.MaxMessageSize), grpc.MaxCallSendMsgSize(pb.MaxMessageSize)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// open opens a stream, and sends REGISTER unless the chaincode ID is empty. It returns the first message, or error.
func open(t testing.TB, conn *grpc.ClientConn, chaincodeID string) (pb.ClientStream, *msg, error) {
	t.Helper()
	s, err := pbgrpc.DialChaincodeSupport(t.Context(), conn)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Send(registration(chaincodeID)); err != nil && err != io.EOF {
		return nil, nil, err
	}
	m, err := s.Recv()
	return s, m, err
}

// certified are credentials of a chaincode that dials a peer with such an Authenticator.
func certified(t testing.TB, auth *accesscontrol.Authenticator, chaincodeID string) credentials.TransportCredentials {
	t.Helper()
	c, err := auth.Issue(chaincodeID)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:gosec // the test knows which peer this is
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
}

func newAuth(t testing.TB) *accesscontrol.Authenticator {
	t.Helper()
	auth, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// F90: whatever the connection is, a message that is fine after REGISTER is too much before it.
func TestFaultMuchBeforeRegister(t *testing.T) {
	auth := newAuth(t)
	for _, test := range []struct {
		name, network, address string
		tls                    bool
	}{
		{"TCP", "tcp", "127.0.0.1:0", false},
		{"socket", "unix", filepath.Join(t.TempDir(), "s"), false},
		{"TLS", "tcp", "127.0.0.1:0", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, logs := observer.New(zap.WarnLevel)
			cfg, creds := chaincodesupport.Config{DevMode: true, Hooks: handler.Hooks{Logger: zap.New(core)}}, insecure.NewCredentials()
			if test.tls {
				cfg.Credentials, cfg.Identify, creds = auth.ServerCredentials(), auth.Identify, certified(t, auth, "asset:1")
			}
			cs := newSupport(t, cfg)
			l, err := net.Listen(test.network, test.address)
			if err != nil {
				t.Fatal(err)
			}
			serveOn(t, l, cs, cs.ServerOptions())
			address := l.Addr().String()
			if test.network == "unix" {
				address = "unix:" + address
			}
			large := &msg{Type: pb.ChaincodeMessage_KEEPALIVE, Payload: make([]byte, 16<<20)}
			s, err := pbgrpc.DialChaincodeSupport(t.Context(), client(t, address, creds))
			if err != nil {
				t.Fatal(err)
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_ = s.Send(large) // untilError says why it fails
			}()
			wantStatus(t, untilError(s), codes.ResourceExhausted, "more than 81920 bytes were sent before a chaincode was registered")
			<-sent
			if n := logs.FilterLevelExact(zapcore.WarnLevel).FilterMessage("refuse chaincode").Len(); n != 1 {
				t.Errorf("there are %d lines about it: %v", n, logs.All())
			}
			s, m, err := open(t, client(t, address, creds), "asset:1")
			if err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
				t.Fatalf("an honest one: %v, %v", m, err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(large); err != nil {
				t.Error(err)
			}
			bounce(t, s)
		})
	}
}

// bounce waits until the peer has read what was sent: it answers a request.
func bounce(t testing.TB, s pb.Stream) {
	t.Helper()
	if err := s.Send(&msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "none", ChannelId: "ch"}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Recv(); err != nil || m.Type != pb.ChaincodeMessage_ERROR {
		t.Errorf("got %v, %v", m, err)
	}
}

// F90: a connection whose registered stream has ended is a stranger again.
func TestFaultMuchAfterStream(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	conn := client(t, serve(t, cs), insecure.NewCredentials())
	s, m, err := open(t, conn, "asset:1")
	if err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
		t.Fatalf("got %v, %v", m, err)
	}
	if err := cs.Stop(t.Context(), "asset:1"); err != nil {
		t.Fatal(err)
	}
	_ = untilError(s)
	if s, err = pbgrpc.DialChaincodeSupport(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	_ = s.Send(&msg{Type: pb.ChaincodeMessage_KEEPALIVE, Payload: make([]byte, 1<<20)}) // untilError says why it fails
	wantStatus(t, untilError(s), codes.ResourceExhausted, "more than 81920 bytes were sent")
}

// F91: one connection can't have many streams, unless the Config says so.
func TestFaultStreamsOfConnection(t *testing.T) {
	for _, test := range []struct{ limit, served int }{{0, 2}, {1, 1}, {5, 5}} {
		t.Run(fmt.Sprint(test.limit), func(t *testing.T) {
			cs := newSupport(t, chaincodesupport.Config{DevMode: true, MaxStreamsPerConnection: test.limit})
			conn := client(t, serve(t, cs), insecure.NewCredentials())
			for i := range test.served {
				if _, m, err := open(t, conn, fmt.Sprintf("c:%d", i)); err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
					t.Fatalf("stream %d: %v, %v", i, m, err)
				}
			}
			_, _, err := open(t, conn, "more:1")
			wantStatus(t, err, codes.ResourceExhausted, fmt.Sprintf("the connection has too many streams: %d is the limit (Config.MaxStreamsPerConnection)", test.served))
			if err := cs.Stop(t.Context(), "c:0"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the place is free", func() bool {
				_, m, err := open(t, conn, "more:1")
				return err == nil && m.Type == pb.ChaincodeMessage_REGISTERED
			})
		})
	}
}

// F91: one certificate opens as many connections, and as many streams on each, as it can. Another chaincode gets in.
func TestFaultStreamsOfIdentity(t *testing.T) {
	auth := newAuth(t)
	core, logs := observer.New(zap.WarnLevel)
	cs := newSupport(t, chaincodesupport.Config{
		DevMode: true, Credentials: auth.ServerCredentials(), Identify: auth.Identify, MaxStreams: 5, MaxConnections: 6,
		MaxStreamsPerConnection: 10, Hooks: handler.Hooks{Logger: zap.New(core)},
	})
	address, hostile := serve(t, cs), certified(t, auth, "hostile:1")
	live, m, err := open(t, client(t, address, hostile), "hostile:1")
	if err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
		t.Fatalf("the first: %v, %v", m, err)
	}
	second := client(t, address, hostile)
	_, _, err = open(t, second, "hostile:1")
	wantStatus(t, err, codes.AlreadyExists, "")
	if _, err = pbgrpc.DialChaincodeSupport(t.Context(), second); err != nil { // says nothing, and stays
		t.Fatal(err)
	}
	eventually(t, "a stream more is refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := pbgrpc.DialChaincodeSupport(ctx, second)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv()
		return err != nil && strings.Contains(err.Error(), "chaincode hostile:1 has too many streams: 2 is the limit (Config.MaxStreamsPerIdentity)")
	})
	for range 50 {
		if _, _, err := open(t, client(t, address, hostile), "hostile:1"); err == nil {
			t.Fatal("a third connection has a stream")
		}
	}
	if s, m, err := open(t, client(t, address, certified(t, auth, "asset:1")), "asset:1"); err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
		t.Errorf("another chaincode: %v, %v", m, err)
	} else if _, err := s.Recv(); err != nil {
		t.Errorf("another chaincode: %v", err)
	}
	if _, err := live.Recv(); err != nil { // READY
		t.Errorf("the first: %v", err)
	}
	if n := logs.FilterMessage("refuse chaincode").Len(); n > 20 {
		t.Errorf("there are %d lines about it", n)
	}
}

// F92: strangers hold all the places that they can get. A registered chaincode goes on, and nothing is left of strangers who
// have gone.
func TestFaultStrangers(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true, MaxConnections: 10})
	address := serve(t, cs)
	s, m, err := open(t, client(t, address, insecure.NewCredentials()), "asset:1")
	if err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
		t.Fatalf("got %v, %v", m, err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	hungUp := make(chan struct{}, 100)
	var strangers []net.Conn
	for range cap(hungUp) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		strangers = append(strangers, c)
		go func() {
			if _, err := io.Copy(io.Discard, c); err == nil || !strings.Contains(err.Error(), "closed network connection") {
				hungUp <- struct{}{}
			}
		}()
	}
	for range len(strangers) - 5 { // within RegisterTimeout, after which the others would be, too
		select {
		case <-hungUp:
		case <-time.After(5 * time.Second):
			t.Fatal("the strangers were let in")
		}
	}
	bounce(t, s)
	if _, _, err := open(t, client(t, address, insecure.NewCredentials()), "late:1"); err == nil {
		t.Error("there was a place left")
	}
	for _, c := range strangers {
		_ = c.Close()
	}
	eventually(t, "a newcomer gets in", func() bool {
		_, m, err := open(t, client(t, address, insecure.NewCredentials()), "late:1")
		return err == nil && m.Type == pb.ChaincodeMessage_REGISTERED
	})
}

// F92: connections on which a chaincode was registered end. Strangers get no more places by that.
func TestPlacesOfThoseWhoLeave(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true, MaxConnections: 4, Limits: handler.Limits{RegisterTimeout: time.Hour}})
	address := serve(t, cs)
	for range 4 {
		eventually(t, "chaincode gets in", func() bool {
			conn := client(t, address, insecure.NewCredentials())
			_, m, err := open(t, conn, "asset:1")
			_ = conn.Close()
			return err == nil && m.Type == pb.ChaincodeMessage_REGISTERED
		})
	}
	eventually(t, "the last one has left", func() bool { return len(cs.List()) == 0 })
	hungUp := make(chan struct{}, 3)
	for range cap(hungUp) { // of which two may stay
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		go func() {
			if _, err := io.Copy(io.Discard, c); err == nil || !strings.Contains(err.Error(), "closed network connection") {
				hungUp <- struct{}{}
			}
		}()
	}
	select {
	case <-hungUp:
	case <-time.After(patience):
		t.Error("all strangers were let in")
	}
}

// Config.Identify sees the connection as it would without a door.
func TestIdentifySeesPeer(t *testing.T) {
	seen := make(chan *peer.Peer, 1)
	cs := newSupport(t, chaincodesupport.Config{DevMode: true, Identify: func(ctx context.Context) (string, error) {
		p, _ := peer.FromContext(ctx)
		seen <- p
		return "", nil
	}})
	address := serve(t, cs)
	if _, _, err := open(t, client(t, address, insecure.NewCredentials()), "asset:1"); err != nil {
		t.Fatal(err)
	}
	p := <-seen
	if _, ok := p.Addr.(*net.TCPAddr); !ok {
		t.Errorf("the address is a %T", p.Addr)
	}
	if a, ok := p.LocalAddr.(*net.TCPAddr); !ok || a.String() != address {
		t.Errorf("the local address is %v, a %T", p.LocalAddr, p.LocalAddr)
	}
}

// frame is one of HTTP/2.
func frame(typ, flags byte, stream uint32, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(typ)) //nolint:gosec // it is short
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + payload
}

// F93: a header of 3 KiB that is repeated 5,000 times takes a byte each time on the wire, and 15 MiB in memory.
func TestFaultPackedHeaders(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	c, err := net.Dial("tcp", serve(t, cs))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	const (
		settings, headers, reset = 4, 1, 3
		path                     = "/protos.ChaincodeSupport/Register"
		content                  = "application/grpc"
	)
	block := "\x83\x86" + // POST, http
		"\x04" + string(rune(len(path))) + path + // not to be indexed
		"\x0f\x10" + string(rune(len(content))) + content +
		"\x40\x01x\x7f\x81\x17" + strings.Repeat("v", 3072) + // indexed: 127 + 1 + 23<<7 bytes
		strings.Repeat("\xbe", 5000)
	says := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, "") + frame(headers, 4, 1, block)
	if _, err := io.WriteString(c, says); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("no reset: %v", err)
		}
		n := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, n); err != nil {
			t.Fatal(err)
		}
		switch stream := binary.BigEndian.Uint32(head[5:]); {
		case stream == 1 && head[3] == reset:
			return
		case stream == 1:
			t.Fatalf("the stream was served: frame of type %d", head[3])
		}
	}
}
