package main

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// byHand starts chaincode mine as the peer has said that it is to be started.
func byHand(t *testing.T, s *served, command string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir = t.TempDir()
	group(cmd) // the shell, and the chaincode
	if err := os.Symlink(os.Args[0], filepath.Join(cmd.Dir, "mine")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endByHand(cmd) })
	s.await(t, "mine", func(c chaincodeJSON) bool { return c.State == "ready" && c.Runtime == byAttach })
	return cmd
}

func endByHand(cmd *exec.Cmd) {
	killGroup(cmd)
	_ = cmd.Wait()
}

// TestServeAttach starts a chaincode by hand, over mutual TLS: before it is called, while a call waits for it, and again.
func TestServeAttach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "ccpeer.yaml"), "ledger: memory\nchaincodes: {mine: {runtime: {attach: {dir: \"it's mine\"}}}}")
	s := startServing(t, t.TempDir(), append(anyPort, "--config", filepath.Join(dir, "ccpeer.yaml"))...)
	line, err := s.lines.ReadString('\n')
	command, ok := strings.CutPrefix(line, "to start mine: ")
	if err != nil || !ok || !s.secure {
		t.Fatalf("the peer says %q, %v", line, err)
	}
	query := []string{"query", "-n", "mine", "-c", `{"Args":["get","k"]}`, "--api", s.api}

	first := byHand(t, s, command)
	ccpeer(t, query...).check(t, exitOK, "\n")
	endByHand(first)
	s.await(t, "mine", func(c chaincodeJSON) bool { return c.State == notLaunched })

	called := make(chan result)
	go func() { called <- ccpeer(t, query...) }()
	s.await(t, "mine", func(c chaincodeJSON) bool { return c.State == "launching" })
	//nolint:gosec // a stranger doesn't care which peer this is
	stranger := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{foreignCertificate(t, "mine:1.0")}})
	if typ, err := register(t, s.chaincode, "mine:1.0", stranger); status.Code(err) != codes.Unavailable {
		t.Errorf("a stranger gets %s, %v; want no connection", typ, err)
	}
	second := byHand(t, s, command)
	(<-called).check(t, exitOK, "\n")
	endByHand(second)
	s.await(t, "mine", func(c chaincodeJSON) bool { return c.State == "stopped" && c.LastError != "" })

	byHand(t, s, command)
	ccpeer(t, query...).check(t, exitOK, "\n")
	s.stop(t)
	if left, err := os.ReadDir(filepath.Join(dir, "it's mine")); err != nil || len(left) > 0 {
		t.Errorf("the peer has left %v, %v", left, err)
	}
}

// TestServeAttachInDevMode is the same in plaintext, by which anybody can be the chaincode.
func TestServeAttachInDevMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "ccpeer.yaml")
	write1(t, file, "ledger: memory\nchaincodes: {mine: {runtime: {attach: {dir: mine}}}}")
	ccpeer(t, append([]string{"serve", "--config", file, "--plaintext"}, anyPort...)...).
		check(t, exitFailed, `chaincode "mine" has the runtime attach, but in plaintext it can't prove that it is the one`)
	s := startServing(t, t.TempDir(), append(anyPort, "--config", file, "--dev")...)
	line, err := s.lines.ReadString('\n')
	if err != nil || s.secure {
		t.Fatalf("the peer says %q, %v", line, err)
	}
	byHand(t, s, strings.TrimPrefix(line, "to start mine: "))
	ccpeer(t, "query", "-n", "mine", "-c", `{"Args":["get","k"]}`, "--api", s.api).check(t, exitOK, "\n")
	s.stop(t)
}
