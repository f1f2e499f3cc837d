package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/internal/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts the peer, with its chaincode as a process of its own, and returns the address of its API.
func start(t *testing.T) (*peer, string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "notes.exe") // the name that Windows wants
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./notes")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t.Context(), program, listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- p.Serve(listener) }()
	api := httptest.NewServer(p)
	t.Cleanup(func() {
		api.Close()
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return p, api.URL
}

func TestPeer(t *testing.T) {
	p, api := start(t)
	const refused, failed = http.StatusUnprocessableEntity, http.StatusInternalServerError
	for _, step := range []struct {
		method, channel, user, call, note string
		status                            int
		want                              string // part of the body
	}{
		{"POST", "office", "alice", "Write lunch noon", "", http.StatusOK, ""},
		{"GET", "office", "bob", "Read lunch", "", http.StatusOK, "noon"},
		{"GET", "archive", "bob", "Read lunch", "", http.StatusOK, ""}, // another channel
		{"GET", "office", "alice", "Write lunch never", "", http.StatusOK, ""},
		{"GET", "office", "alice", "Read lunch", "", http.StatusOK, "noon"}, // a query commits nothing

		{"POST", "office", "alice", "WritePrivate salary", "low", http.StatusOK, ""},
		{"GET", "office", "alice", "ReadPrivate salary", "", http.StatusOK, "low"},
		{"GET", "office", "bob", "ReadPrivate salary", "", refused, "does not have read access permission"},
		{"POST", "office", "bob", "WritePrivate salary", "high", refused, "does not have write access permission"},

		{"GET", "archive", "alice", "ReadOn office lunch", "", http.StatusOK, "noon"},
		{"GET", "archive", "bob", "ReadOn office lunch", "", refused, "channel office is not for Org2MSP"},
		{"GET", "office", "alice", "ReadOn attic lunch", "", refused, "attic"},

		{"GET", "office", "alice", "Burn lunch", "", refused, `unknown function "Burn"`},
		{"GET", "attic", "alice", "Read lunch", "", failed, "no such channel"},
		{"GET", "office", "eve", "Read lunch", "", failed, "no such user"},
	} {
		status, body := ask(t, step.method, api+"/"+step.channel+"?"+url.Values{"as": {step.user}, "call": {step.call}}.Encode(), step.note)
		if status != step.status || !strings.Contains(body, step.want) || step.want == "" && body != "" {
			t.Errorf("%s %s of %s on %s: %d %q, want %d with %q", step.method, step.call, step.user, step.channel, status, body, step.status, step.want)
		}
	}
	if all := p.List(); len(all) != 1 || all[0].ChaincodeID != "notes" || all[0].State != chaincodesupport.Ready {
		t.Errorf("chaincodes are %+v", all)
	}
}

func ask(t *testing.T, method, address, note string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(url.Values{"note": {note}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestREADME holds what the README shows of this program, and says of its length, to it. -update writes it.
func TestREADME(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "\n"); n > 150 {
		t.Errorf("main.go has %d lines, the README promises 150", n)
	}
	golden.Block(t, "../../README.md", "embed", "```go\nfunc newPeer"+between(t, string(source), "\nfunc newPeer", "\n// transact")+"```\n")
}

func between(t *testing.T, s, begin, end string) string {
	t.Helper()
	_, s, begins := strings.Cut(s, begin)
	s, _, ends := strings.Cut(s, end)
	if !begins || !ends {
		t.Fatalf("no text between %q and %q", begin, end)
	}
	return s
}
