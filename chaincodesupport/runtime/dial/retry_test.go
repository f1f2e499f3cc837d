package dial_test

import (
	"context"
	"crypto/tls"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// The pauses grow, and those after as many attempts differ, so that the chaincodes of a server which comes back don't all
// come at once.
func TestNextPause(t *testing.T) {
	for n, most := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 4: 800 * time.Millisecond,
		5: time.Second, 16: time.Second, 17: 2 * time.Second, 18: 4 * time.Second, 19: 5 * time.Second, 1000: 5 * time.Second} {
		shortest, longest := time.Hour, time.Duration(0)
		for range 100 {
			p := dial.NextPause(n)
			if p < most/2 || p > most {
				t.Fatalf("the pause after %d attempts is %s, want %s to %s", n, p, most/2, most)
			}
			shortest, longest = min(shortest, p), max(longest, p)
		}
		if longest-shortest < most/8 { // as good as impossible, if it is random
			t.Errorf("100 pauses after %d attempts are all %s to %s", n, shortest, longest)
		}
	}
}

// A server that takes 10 s to start is dialled within a second after that.
func TestQuickAttempts(t *testing.T) {
	var least time.Duration // until the pauses grow beyond a second
	for n := 1; n <= 16; n++ {
		least += dial.NextPause(n)
	}
	if least < 6*time.Second || least > 14*time.Second {
		t.Errorf("the pauses grow after %s", least)
	}
}

// attempts returns a logger, and what it says before each new attempt.
func attempts() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return zap.New(core), logs.FilterMessage("no connection to chaincode server, will try again")
}

// F68: a server that comes up later than the peer is reached, also one that was silent or hung up at first.
func TestServerComesLater(t *testing.T) {
	l := listenTCP(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan struct{}, 100)
	log := zap.NewExample(zap.Hooks(func(zapcore.Entry) error { failed <- struct{}{}; return nil }))
	rt := newRuntime(t, dial.Config{Address: l.address(), RetryFor: time.Hour, Logger: log})
	cs := newSupport(t, rt)
	launched := make(chan error, 1)
	go func() { launched <- cs.Launch(t.Context(), "asset:1") }()
	<-failed // it was refused
	<-failed
	serve(t, plaintext(listen(t, "tcp", l.Addr().String()), echo))
	if err := <-launched; err != nil {
		t.Fatal(err)
	}
	wantEcho(t, cs, "t1")
}

// When the time is over, the last attempt's error is what Run says.
func TestRetryIsLimited(t *testing.T) {
	needsErrno(t)
	l := listenTCP(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err := newRuntime(t, dial.Config{Address: l.address(), RetryFor: 300 * time.Millisecond}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: dial tcp "+l.Addr().String()+": connect: connection refused")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not ECONNREFUSED", err)
	}
}

// While it waits for its next attempt, Run ends with its context, and says what it was waiting for.
func TestContextEndsBetweenAttempts(t *testing.T) {
	needsErrno(t)
	l := listenTCP(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	log := zap.NewExample(zap.Hooks(func(zapcore.Entry) error { cancel(errors.New("peer is closing")); return nil }))
	err := newRuntime(t, dial.Config{Address: l.address(), RetryFor: time.Hour, Logger: log}).Run(ctx, "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: peer is closing; attempt 1: dial tcp")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not ECONNREFUSED", err)
	}
}

// A server that proves another name will not prove the right one a moment later.
func TestNoRetryWithAnImpostor(t *testing.T) {
	p := selfSigned(t, "asset.example.com")
	l := listenTCP(t)
	server := plaintext(l, echo)
	server.TLSProps.Disabled, server.TLSProps.Cert, server.TLSProps.Key = false, p.cert, p.key
	serve(t, server)
	log, again := attempts()
	err := newRuntime(t, dial.Config{Address: l.address(), TLS: client(t, nil, p), RetryFor: time.Hour, Logger: log}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 failed: shake hands with "+l.Addr().String()+": tls: failed to verify certificate")
	var stranger *tls.CertificateVerificationError
	if !errors.As(err, &stranger) || again.Len() > 0 {
		t.Errorf("error is %#v, after %d attempts more", err, again.Len())
	}
	err = dial.NewUnchecked(dial.Config{Address: "192.0.2.1:9999", RetryFor: time.Hour}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "address is not on this machine")
}

// Trying again is for connections. What a chaincode that was reached does is for whoever runs it to judge.
func TestNoRetryOnceConnected(t *testing.T) {
	l := listenTCP(t)
	connected := 0
	play(t, l, func(pbgrpc.Chaincode_ConnectServer) error { connected++; return nil })
	err := newRuntime(t, dial.Config{Address: l.address(), RetryFor: time.Hour}).Run(t.Context(), "asset:1", untilEnd)
	wantText(t, err, "connection to asset:1 terminated")
	if connected != 1 {
		t.Errorf("connected %d times", connected)
	}
}

// F11 for a dialled server: it accepts, and never registers.
func TestServerThatDoesNotRegister(t *testing.T) {
	l := listenTCP(t)
	play(t, l, func(s pbgrpc.Chaincode_ConnectServer) error {
		<-s.Context().Done()
		return nil
	})
	rt := newRuntime(t, dial.Config{Address: l.address()})
	cs := newSupportWith(t, chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: 50 * time.Millisecond}, Runtimes: chaincodesupport.OneRuntime(rt)})
	wantText(t, cs.Launch(t.Context(), "asset:1"), "chaincode did not send REGISTER within 50ms")
}

// Old versions and cipher suites are not offered.
func TestTLSVersions(t *testing.T) {
	p := selfSigned(t)
	for name, test := range map[string]struct {
		server *tls.Config
		want   string
	}{
		"1.1":         {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
		"1.2 and CBC": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, "handshake failure"},
	} {
		t.Run(name, func(t *testing.T) {
			own, err := tls.X509KeyPair(p.cert, p.key)
			if err != nil {
				t.Fatal(err)
			}
			test.server.Certificates = []tls.Certificate{own}
			l := listenTCP(t)
			ended := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					err = tls.Server(c, test.server).Handshake()
					_ = c.Close()
				}
				ended <- err
			}()
			err = newRuntime(t, dial.Config{Address: l.address(), TLS: client(t, nil, p)}).Run(t.Context(), "asset:1", untilEnd)
			wantText(t, err, test.want)
			if err := <-ended; err == nil {
				t.Error("the handshake succeeded")
			}
		})
	}
}
