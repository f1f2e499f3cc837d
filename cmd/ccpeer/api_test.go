package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// startTestNode starts a node without chaincode.
func startTestNode(t *testing.T) *node {
	t.Helper()
	return startTestNodeOf(t, nodeConfig{})
}

// startTestNodeOf starts a node whose configuration is completed.
func startTestNodeOf(t *testing.T, cfg nodeConfig) *node {
	t.Helper()
	at, err := parseAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.listen, cfg.channels, cfg.log = at, []string{"mychannel"}, zap.NewNop()
	n, err := startNode(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestAPIRefuses(t *testing.T) {
	handler := apiServer(startTestNode(t)).Handler
	const good = `{"channel":"mychannel","chaincode":"asset","args":["AP8="]}`
	for _, c := range []struct {
		name, host, contentType, body string
		status                        int
		want                          string
	}{
		{"unknown chaincode", "localhost:7053", jsonType, good, http.StatusNotFound, "which has: none"},
		{"unknown channel", "127.0.0.1:7053", jsonType, `{"channel":"x"}`, http.StatusNotFound, "which has: mychannel"},
		{"IPv6", "[::1]:7053", jsonType, good, http.StatusNotFound, "which has: none"},
		{"no port", "localhost", jsonType, good, http.StatusNotFound, "which has: none"},
		{"rebound host", "attacker.example:7053", jsonType, good, http.StatusForbidden, "is not this machine"},
		{"no host", "", jsonType, good, http.StatusForbidden, "is not this machine"},
		{"form of a web page", "localhost:7053", "text/plain", good, http.StatusUnsupportedMediaType, "want application/json"},
		{"no JSON", "localhost:7053", jsonType, "{", http.StatusBadRequest, "decode call"},
		{"unknown field", "localhost:7053", jsonType, `{"arg":[]}`, http.StatusBadRequest, "decode call"},
		{"no base64", "localhost:7053", jsonType, `{"args":["!"]}`, http.StatusBadRequest, "decode call"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, invokePath, strings.NewReader(c.body))
			r.Host = c.host
			r.Header.Set("Content-Type", c.contentType)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("answer is %d %s, want %d and %q", w.Code, w.Body, c.status, c.want)
			}
		})
	}
}

// A web page must not get at the ledger either.
func TestAPIRefusesOtherHosts(t *testing.T) {
	handler := apiServer(startTestNode(t)).Handler
	for _, path := range []string{invokePath, queryPath, blockPath, txPath, statePath, explainPath} {
		for host, want := range map[string]int{"attacker.example": http.StatusForbidden, "localhost": http.StatusNotFound} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"channel":"none"}`))
			r.Host = host
			r.Header.Set("Content-Type", jsonType)
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != want {
				t.Errorf("%s of %s: answer is %d %s, want %d", path, host, w.Code, w.Body, want)
			}
		}
	}
}

// What comes when the ledger is closed, or waits to be, must not use it.
func TestAPIOfClosedNode(t *testing.T) {
	at, err := parseAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := startNode(t.Context(), nodeConfig{listen: at, channels: []string{"mychannel"}, log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	release, err := n.use()
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- n.close(context.Background()) }()
	<-n.served
	for range 1000 { // long enough for it to be closed, if nothing kept it open
		runtime.Gosched()
		if _, err := n.ledgers()["mychannel"].Height(t.Context()); err != nil {
			t.Fatalf("while a client uses the ledger it is closed: %v", err)
		}
	}
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	r := httptest.NewRequest(http.MethodPost, blockPath, strings.NewReader(`{"channel":"mychannel"}`))
	r.Host = "localhost"
	r.Header.Set("Content-Type", jsonType)
	w := httptest.NewRecorder()
	apiServer(n).Handler.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the peer is stopping") {
		t.Errorf("answer is %d %s", w.Code, w.Body)
	}
}

func TestSendToWhatIsNoPeer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<html>")
	}))
	defer s.Close()
	at, err := parseAddress(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := send(t.Context(), at, queryPath, call{}, nil); err == nil || !strings.Contains(err.Error(), "is no peer: it answers 418") {
		t.Errorf("error is %v", err)
	}
}

// The port of chaincode is easily taken for the other one. It speaks gRPC, and closes what is no TLS unless it is plaintext.
func TestSendToThePortOfChaincode(t *testing.T) {
	for plaintext, want := range map[bool]string{
		true:  "is no peer's API: it does not speak HTTP",
		false: "or is that where chaincode or applications connect, and not its API?",
	} {
		n := startTestNodeOf(t, nodeConfig{plaintext: plaintext})
		if err := send(t.Context(), n.cfg.listen, queryPath, call{}, nil); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// A node that can't go on, because a port is taken, is closed at once: that is no fault to log.
func TestNodeClosedAtOnceLogsNoError(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	at, err := parseAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		n, err := startNode(t.Context(), nodeConfig{listen: at, channels: []string{"mychannel"}, log: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if logs.Len() > 0 {
		t.Errorf("logged %v", logs.All())
	}
}

func FuzzParseCtor(f *testing.F) {
	f.Add(`{"Args":["Create","a1"]}`)
	f.Add(`{"function":"Create","Args":[null]}`)
	f.Fuzz(func(t *testing.T, s string) {
		args, err := parseCtor(s)
		if err != nil && args != nil {
			t.Errorf("%q: both arguments and an error, %v", s, err)
		}
		if err == nil && !strings.Contains(s, "{") {
			t.Errorf("%q was taken for a call", s)
		}
	})
}
