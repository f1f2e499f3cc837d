package builder_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/handler"
)

// file is an entry of an archive. One whose name ends in / is a folder; kind is its type if it is no regular file.
type file struct {
	name, text string
	kind       byte
	mode       int64
}

// targz returns an archive.
func targz(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(gz)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Mode: f.mode, Size: int64(len(f.text))}
		switch {
		case f.kind == tar.TypeSymlink, f.kind == tar.TypeLink:
			h.Linkname, h.Size = f.text, 0
		case f.kind == 0 && strings.HasSuffix(f.name, "/"):
			h.Typeflag = tar.TypeDir
		case f.kind == 0:
			h.Typeflag = tar.TypeReg
		}
		must := func(err error) {
			if err != nil {
				t.Fatalf("write %q: %v", f.name, err)
			}
		}
		must(tw.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(tw, f.text)
			must(err)
		}
	}
	for _, c := range []io.Closer{tw, gz} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// metadata is the text of a metadata.json.
func metadata(label, kind string) string {
	return fmt.Sprintf(`{"label":%q,"type":%q,"path":"asset/go"}`, label, kind)
}

func packed(t testing.TB, label, kind string, code []byte) []byte {
	t.Helper()
	return targz(t, file{name: "metadata.json", text: metadata(label, kind)}, file{name: "code.tar.gz", text: string(code)})
}

func parse(t testing.TB, data []byte) *builder.Package {
	t.Helper()
	p, err := builder.ParsePackage(bytes.NewReader(data), builder.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newPackage returns a package whose code is files.
func newPackage(t testing.TB, kind string, files ...file) *builder.Package {
	t.Helper()
	return parse(t, packed(t, "asset_1.0", kind, targz(t, files...)))
}

func packageID(label string, data []byte) string {
	sum := sha256.Sum256(data)
	return label + ":" + hex.EncodeToString(sum[:])
}

// accept is a script that does nothing, successfully.
const accept = "exit 0"

// newBuilder makes a builder. scripts are the bodies of its scripts, in sh; detect and build accept unless they say otherwise.
func newBuilder(t testing.TB, name string, scripts map[string]string) builder.Builder {
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("the tests' builders are #! scripts, which Windows does not run")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"detect": accept, "build": accept}
	for script, body := range scripts {
		all[script] = body
	}
	for script, body := range all {
		if err := os.WriteFile(filepath.Join(dir, "bin", script), []byte("#!/bin/sh\nset -e\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return builder.Builder{Name: name, Path: dir}
}

// child is the body of a script that becomes one of children.
func child(t testing.TB, mode string, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return childVar + "=" + mode + " GORACE=atexit_sleep_ms=0 exec '" + self + "' " + strings.Join(args, " ")
}

// newRuntime completes what cfg lacks for a test.
func newRuntime(t testing.TB, cfg builder.Config) *builder.Runtime {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.PeerAddress == "" {
		cfg.PeerAddress = "127.0.0.1:1"
	}
	rt, err := builder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// build builds p, which must succeed.
func build(t testing.TB, rt *builder.Runtime, p *builder.Package) *builder.Build {
	t.Helper()
	b, err := rt.Build(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantText(t testing.TB, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want one with %q", err, text)
		}
	}
}

// wantEmpty checks that nothing was left in a folder.
func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	inside, err := os.ReadDir(dir)
	if err != nil || len(inside) > 0 {
		t.Errorf("left in the folder: %v, %v", inside, err)
	}
}

// newLog returns a logger, and what it has written.
func newLog() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	return zap.New(core), logs
}

// lines returns what was logged under a name.
func lines(logs *observer.ObservedLogs, name string) []string {
	var all []string
	for _, e := range logs.All() {
		if e.LoggerName == name {
			all = append(all, e.Message)
		}
	}
	return all
}

// watch listens for children, and returns what they dial. Each connection's first line says who it is.
func watch(t testing.TB) (address string, next func() (who string, c *net.TCPConn)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), func() (string, *net.TCPConn) {
		t.Helper()
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		who, _, _ := strings.Cut(line, " ")
		return who, c.(*net.TCPConn)
	}
}

// wantGone checks that the process at the other end has ended: when Run has returned, its connection is closed already.
func wantGone(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("a process is left: %v", err)
	}
}

// newSupport returns a peer that runs every chaincode with rt. It is closed at the test's end.
func newSupport(t testing.TB, rt runtime.Runtime) *chaincodesupport.ChaincodeSupport {
	t.Helper()
	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(rt)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cs.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return cs
}

// wantEcho executes a transaction, which must echo its argument.
func wantEcho(t testing.TB, cs *chaincodesupport.ChaincodeSupport, chaincodeID, txID string) {
	t.Helper()
	r, err := cs.Execute(t.Context(), chaincodeID, handler.TxParams{ChannelID: "ch", TxID: txID},
		chaincodesupport.Input{Args: [][]byte{[]byte("echo"), []byte(txID)}})
	if err != nil || string(r.Payload) != txID {
		t.Errorf("transaction %s: %+v, %v", txID, r, err)
	}
}
