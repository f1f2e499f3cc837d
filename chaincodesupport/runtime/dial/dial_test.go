package dial_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

func TestExecute(t *testing.T) {
	for name, listen := range map[string]func(testing.TB) *listener{"tcp": listenTCP, "unix": listenUnix} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			serve(t, plaintext(l, echo))
			cs := newSupport(t, newRuntime(t, dial.Config{Address: l.address()}))
			wantEcho(t, cs, "t1")
			wantEcho(t, cs, "t2")
			large := bytes.Repeat([]byte("x"), 20<<20)
			if got, err := execute(t, cs, "t3", large); err != nil || !bytes.Equal(got, large) {
				t.Errorf("20 MiB came back as %d bytes, %v", len(got), err)
			}
			if err := cs.Stop(t.Context(), "asset:1"); err != nil {
				t.Errorf("Stop: %v", err)
			}
			wantEcho(t, cs, "t4") // on a new connection
		})
	}
}

// F68: what answers is not the chaincode that was to be dialled.
func TestWrongName(t *testing.T) {
	l := listenTCP(t)
	server := plaintext(l, echo)
	server.CCID = "other:1"
	serve(t, server)
	err := newSupport(t, newRuntime(t, dial.Config{Address: l.address()})).Launch(t.Context(), "asset:1")
	wantText(t, err, `chaincode registration failed: connection to asset:1 failed: error in handling register chaincode, `+
		`chaincodeID name "other:1" is not the one of this stream, "asset:1"`)
	if status.Code(errors.Cause(unwrapped(err))) != codes.PermissionDenied {
		t.Errorf("status of %v is not PermissionDenied", err)
	}
}

// unwrapped returns the cause of a ConnectionError.
func unwrapped(err error) error {
	var failed *dial.ConnectionError
	if errors.As(err, &failed) {
		return failed.Cause
	}
	return nil
}

// F68: nobody listens. That is known at once, and the system's error is there to look at.
func TestNobodyListens(t *testing.T) {
	needsErrno(t)
	for name, test := range map[string]struct {
		listen func(testing.TB) *listener
		want   error
		text   string
	}{
		"tcp":  {listenTCP, syscall.ECONNREFUSED, "connect: connection refused"},
		"unix": {listenUnix, syscall.ENOENT, "connect: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			l := test.listen(t)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			cs := newSupport(t, newRuntime(t, dial.Config{Address: l.address(), DialTimeout: time.Hour}))
			for range 2 { // a failure is not kept
				err := cs.Launch(t.Context(), "asset:1")
				wantText(t, err, "chaincode registration failed: connection to asset:1 failed: dial "+name+" "+l.Addr().String()+": "+test.text)
				if !errors.Is(err, test.want) {
					t.Errorf("%v is not %v", err, test.want)
				}
			}
			wantLater(t, l, cs.Launch)
		})
	}
}

// wantLater serves where nobody listened before, and launches.
func wantLater(t *testing.T, l *listener, launch func(context.Context, string) error) {
	t.Helper()
	again := listen(t, l.Addr().Network(), l.Addr().String())
	serve(t, plaintext(again, echo))
	if err := launch(t.Context(), "asset:1"); err != nil {
		t.Errorf("somebody listens by now: %v", err)
	}
}

// F68: a server that accepts and says nothing, and one whose backlog is all that there is of it.
func TestSilentServer(t *testing.T) {
	l := listenTCP(t)
	rt := newRuntime(t, dial.Config{Address: l.address(), DialTimeout: 50 * time.Millisecond})
	began := time.Now()
	err := rt.Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: no answer from "+l.address()+" within 50ms: context deadline exceeded")
	if !errors.Is(err, context.DeadlineExceeded) || unwrapped(err) == nil {
		t.Errorf("error is %#v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// F68: servers that answer with something else.
func TestNotAChaincodeServer(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(testing.TB, *listener)
		want  string
	}{
		"hangs up": {func(t testing.TB, l *listener) { answer(t, l, "") }, "connection to asset:1 failed: rpc error: code = Unavailable"},
		"HTTP/1":   {func(t testing.TB, l *listener) { answer(t, l, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "connection to asset:1 failed: rpc error: code = Unavailable"},
		"gRPC without the service": {func(t testing.TB, l *listener) { play(t, l, nil) },
			"connection to asset:1 failed: receive from chaincode support stream failed: rpc error: code = Unimplemented desc = unknown service protos.Chaincode"},
		"chaincode that ends in good order": {func(t testing.TB, l *listener) {
			play(t, l, func(pbgrpc.Chaincode_ConnectServer) error { return nil })
		}, "connection to asset:1 terminated"},
		"chaincode that refuses the peer": {func(t testing.TB, l *listener) {
			play(t, l, func(pbgrpc.Chaincode_ConnectServer) error { return status.Error(codes.PermissionDenied, "no") })
		}, "connection to asset:1 failed: receive from chaincode support stream failed: rpc error: code = PermissionDenied desc = no"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listenTCP(t)
			test.serve(t, l)
			cs := newSupport(t, newRuntime(t, dial.Config{Address: l.address()}))
			wantText(t, cs.Launch(t.Context(), "asset:1"), "chaincode registration failed: "+test.want)
		})
	}
}

// answer answers every connection with a text, and hangs up.
func answer(t testing.TB, l *listener, text string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}

// F68: the server goes away, and comes back.
func TestServerGoesAway(t *testing.T) {
	l := listenTCP(t)
	running, released := make(chan struct{}), make(chan struct{})
	serve(t, plaintext(l, func(s shim.ChaincodeStubInterface) *shim.Response {
		if string(s.GetArgs()[0]) == "hang" {
			close(running)
			<-released
		}
		return echo(s)
	}))
	t.Cleanup(func() { close(released) }) // before Serve's end, which waits for it
	cs := newSupport(t, newRuntime(t, dial.Config{Address: l.address()}))
	executed := make(chan error, 1)
	go func() {
		_, err := execute(t, cs, "t1", []byte("hang"))
		executed <- err
	}()
	<-running
	l.hangUp()
	err := <-executed
	if !errors.Is(err, handler.ErrStreamTerminated) {
		t.Errorf("Execute: %v", err)
	}
	wantText(t, err, "chaincode stream terminated")
	wantEcho(t, cs, "t2")
}

// What ended first is what Run tells, for the peer's log: that ctx has ended too, as it does when the registry learns
// that the stream is gone, hides nothing.
func TestRunTellsThatTheServerWentAway(t *testing.T) {
	l := listenTCP(t)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		_, err := s.Recv()
		return err
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := newRuntime(t, dial.Config{Address: l.address()}).Run(ctx, "asset:1", func(_ context.Context, s pb.Stream) error {
		if err := s.Send(&pb.ChaincodeMessage{}); err != nil {
			t.Error(err)
		}
		_, err := s.Recv()
		cancel()
		if !errors.Is(err, io.EOF) {
			t.Errorf("Recv: %v", err)
		}
		return err
	})
	wantText(t, err, "connection to asset:1 terminated")
}

// When ctx ends, the server learns of it as of the stream's end, not as of an error; and Run waits for the server.
func TestContextEndsInGoodOrder(t *testing.T) {
	l := listenTCP(t)
	ended := make(chan error, 1)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		if err := s.Send(&pb.ChaincodeMessage{}); err != nil {
			return err
		}
		_, err := s.Recv()
		ended <- err
		return err
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var receiver chan error
	err := newRuntime(t, dial.Config{Address: l.address()}).Run(ctx, "asset:1", func(ctx context.Context, s pb.Stream) error {
		receiver = receive(s)
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	select {
	case err := <-ended:
		if err != io.EOF {
			t.Errorf("the server's stream ended with %v", err)
		}
	default:
		t.Error("Run returned before the server had ended")
	}
	if err := <-receiver; err == nil {
		t.Error("Recv returned without an error")
	}
}

// What a handler that has returned still wants to send is not sent, and does not disturb the stream's end.
func TestSendAfterTheEnd(t *testing.T) {
	l := listenTCP(t)
	left, ended := make(chan pb.Stream, 1), make(chan error, 1)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		_, err := s.Recv()
		if sendErr := (<-left).Send(&pb.ChaincodeMessage{}); sendErr == nil {
			t.Error("a message was sent on a closed stream")
		}
		select {
		case <-s.Context().Done():
			t.Error("the stream was reset")
		case <-time.After(100 * time.Millisecond): // a reset would have come by now
		}
		ended <- err
		return nil
	})
	err := newRuntime(t, dial.Config{Address: l.address()}).Run(t.Context(), "asset:1", func(_ context.Context, s pb.Stream) error {
		left <- s
		return nil
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the server's stream ended with %v", err)
	}
}

// receive waits for the first message, and goes on to receive on a goroutine, as handlers do that leave it behind.
func receive(s pb.Stream) chan error {
	first, last := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Recv()
		close(first)
		for err == nil {
			_, err = s.Recv()
		}
		last <- err
	}()
	<-first
	return last
}

// A server that neither reads nor ends its side is cut off, also if a message that is being sent is stuck.
func TestServerThatDoesNotEnd(t *testing.T) {
	l := listenTCP(t)
	cut := make(chan error, 1)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		<-s.Context().Done()
		cut <- s.Context().Err()
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sending, sent := make(chan struct{}), make(chan struct{})
	err := newRuntime(t, dial.Config{Address: l.address()}).Run(ctx, "asset:1", func(ctx context.Context, s pb.Stream) error {
		go func() {
			defer close(sent)
			err := s.Send(&pb.ChaincodeMessage{})
			close(sending)
			for err == nil { // until the windows are full, and then until the stream ends
				err = s.Send(&pb.ChaincodeMessage{Payload: make([]byte, 1<<20)})
			}
		}()
		<-sending
		cancel()
		return ctx.Err()
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-cut; !errors.Is(err, context.Canceled) {
		t.Errorf("the server's context ended with %v", err)
	}
	<-sent
}

func TestContextEndsWhileDialling(t *testing.T) {
	l := listenTCP(t) // silent
	rt := newRuntime(t, dial.Config{Address: l.address(), DialTimeout: time.Hour})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Read(make([]byte, 1)) // the handshake has begun
		}
		cancel(errors.New("peer is closing"))
	}()
	wantText(t, rt.Run(ctx, "asset:1", untilEnd), "connection to asset:1 failed: peer is closing")
	l.hangUp()
}

func TestMessageLimits(t *testing.T) {
	l := listenTCP(t)
	large := &pb.ChaincodeMessage{Payload: make([]byte, 1<<20)}
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		return s.Send(large)
	})
	rt := newRuntime(t, dial.Config{Address: l.address(), MaxRecvMsgSize: 1 << 19, MaxSendMsgSize: 1 << 18})
	err := rt.Run(t.Context(), "asset:1", func(ctx context.Context, s pb.Stream) error {
		if err := s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED}); err != nil {
			return err
		}
		return untilEnd(ctx, s)
	})
	wantText(t, err, "connection to asset:1 failed: rpc error: code = ResourceExhausted")
	wantText(t, err, "vs. 524288")
	err = rt.Run(t.Context(), "asset:1", func(_ context.Context, s pb.Stream) error { return s.Send(large) })
	wantText(t, err, "connection to asset:1 failed: rpc error: code = ResourceExhausted desc = trying to send message larger than max")
	wantText(t, err, "vs. 262144")
}

// F90: a server that sends much before its chaincode is registered is hung up on, though the message would be allowed later.
func TestMuchBeforeRegistration(t *testing.T) {
	l := listenTCP(t)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		if err := s.Send(&pb.ChaincodeMessage{Payload: make([]byte, 1<<20)}); err != nil {
			return err
		}
		<-s.Context().Done()
		return nil
	})
	err := newRuntime(t, dial.Config{Address: l.address()}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: more than 81920 bytes were sent before a chaincode was registered")
}

func TestNotStarted(t *testing.T) {
	rt := newRuntime(t, dial.Config{Address: "127.0.0.1:1"})
	err := rt.Run(t.Context(), "", untilEnd)
	var notStarted *runtime.StartError
	if !errors.As(err, &notStarted) {
		t.Errorf("got %v, want a StartError", err)
	}
}

// A name that leads elsewhere than it promised gets no plaintext. 192.0.2.1 is for documentation and never dialled.
func TestPlaintextStaysOnThisMachine(t *testing.T) {
	err := dial.NewUnchecked(dial.Config{Address: "192.0.2.1:9999"}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: dial tcp 192.0.2.1:9999: address is not on this machine, and there is no TLS")
	var refused *net.OpError
	if !errors.As(err, &refused) {
		t.Errorf("error is %#v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  dial.Config
		want string
	}{
		{dial.Config{}, `address "" cannot be dialled`},
		{dial.Config{Address: "9999"}, "cannot be dialled"},
		{dial.Config{Address: ":9999"}, "cannot be dialled"},
		{dial.Config{Address: "localhost:"}, "cannot be dialled"},
		{dial.Config{Address: "localhost:0"}, "cannot be dialled"},
		{dial.Config{Address: "unix:"}, "has no path"},
		{dial.Config{Address: "unix://"}, "has no path"},
		{dial.Config{Address: "asset.example.com:9999"}, "plaintext is for loopback and unix: only"},
		{dial.Config{Address: "10.0.0.1:9999"}, "plaintext is for loopback and unix: only"},
		{dial.Config{Address: "0.0.0.0:9999"}, "plaintext is for loopback and unix: only"},
		{dial.Config{Address: "localhost:9999", DialTimeout: -1}, "dial timeout -1ns is negative"},
		{dial.Config{Address: "localhost:9999", RetryFor: -1}, "time to try again -1ns is negative"},
		{dial.Config{Address: "localhost:9999", MaxRecvMsgSize: -1}, "limit -1 is negative"},
		{dial.Config{Address: "localhost:9999", MaxSendMsgSize: -2}, "limit -2 is negative"},
		{dial.Config{Address: "unix:/x", TLS: clientTLS(nil)}, "set ServerName"},
		{dial.Config{Address: "localhost:9999", TLS: insecureTLS()}, "does not verify the server"},
	} {
		rt, err := dial.New(c.cfg)
		if rt != nil || err == nil || !strings.HasPrefix(err.Error(), "configure dial runtime: ") {
			t.Errorf("%+v: %v, %v", c.cfg, rt, err)
		}
		wantText(t, err, c.want)
	}
	for _, address := range []string{"localhost:9999", "127.1.2.3:9999", "[::1]:9999", "unix:///x", "unix:x"} {
		if _, err := dial.New(dial.Config{Address: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
