//go:build linux

package group_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// F129: a program that is still open for writing, in a process that was forked at the wrong moment, is started when it is not.
// One that stays open is an error that says so.
func TestProgramBeingWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := group.Start(group.Config{Path: path, Env: os.Environ(), Log: zap.NewNop(), LastLines: 1}); err == nil || !strings.Contains(err.Error(), "text file busy") {
		t.Errorf("while it is written: %v", err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { closed <- writer.Close() })
	p, err := group.Start(group.Config{Path: path, Env: os.Environ(), Log: zap.NewNop(), LastLines: 1, Grace: patience}) // for its output
	if err != nil {
		t.Fatal(err)
	}
	exit, err := p.Wait(t.Context())
	if err != nil || exit.Code != 0 || strings.Join(exit.LastLines, "") != "done" {
		t.Errorf("%+v, %v", exit, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
