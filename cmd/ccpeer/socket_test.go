//go:build unix

package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/pkg/errors"
)

// leaveSocket makes a socket as a peer that was killed leaves it.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// F123: peers that begin at once, where a killed one has left its socket: one of them listens, and the others say so.
func TestPeersBeginAtOnce(t *testing.T) {
	path := filepath.Join(socketFolder(t), "s")
	at := address{"unix", path}
	for range 200 {
		leaveSocket(t, path)
		var all sync.WaitGroup
		got := make(chan net.Listener, 4)
		for range cap(got) {
			all.Go(func() {
				l, _, err := at.listen(t.Context())
				if err == nil {
					got <- l
				} else if want := "listen on " + at.String() + ": address already in use"; len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
					t.Errorf("listen: %v", err)
				}
			})
		}
		all.Wait()
		if len(got) != 1 {
			t.Fatalf("%d listen", len(got))
		}
		c, err := at.dial(context.Background())
		if err != nil {
			t.Fatalf("nobody can connect to the one that listens: %v", err)
		}
		_ = c.Close()
		_ = (<-got).Close()
		if inside, err := os.ReadDir(filepath.Dir(path)); err != nil || len(inside) > 0 {
			t.Fatalf("left: %v, %v", inside, err)
		}
	}
}

// F123: what was put in the place of a socket, after it was looked at, stays there.
func TestWhatReplacesASocketStays(t *testing.T) {
	dir := socketFolder(t)
	path := filepath.Join(dir, "s")
	for name, put := range map[string]func() error{
		"a file":   func() error { return os.WriteFile(path, []byte("text"), 0o600) },
		"a folder": func() error { return os.MkdirAll(filepath.Join(path, "inside"), 0o700) },
		"a link":   func() error { return os.Symlink("/etc/passwd", path) },
		"a socket": func() error { leaveSocket(t, path); return nil },
	} {
		leaveSocket(t, path)
		looked := abandoned(t.Context(), path)
		if looked == nil {
			t.Fatal("the socket isn't taken for one that was left behind")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := removeSocket(path, looked); !errors.Is(err, errAddressInUse) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(path); err != nil || !same(before, after) {
			t.Errorf("%s is %v now, %v", name, after, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// F123: a peer that ends removes its socket, but not what somebody else has put there meanwhile.
func TestCloseRemovesOnlyItsSocket(t *testing.T) {
	path := filepath.Join(socketFolder(t), "s")
	l, _, err := address{"unix", path}.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_ = l.Close()
		if b, err := os.ReadFile(path); err != nil || string(b) != "text" {
			t.Fatalf("the file has %q, %v", b, err)
		}
	}
}

// F170: nobody else can connect to a socket at any time, even if the peer was started with a umask that allows everything.
func TestSocketIsPrivateFromTheBeginning(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(socketFolder(t), "s")
	open := func() fs.FileInfo { // the socket, if others may connect when somebody listens
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			return nil
		}
		return info
	}
	done, found := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { found <- n }()
		for {
			select {
			case <-done:
				return
			default:
			}
			before := open()
			if before == nil {
				continue
			}
			c, err := net.Dial("unix", path)
			if err != nil {
				continue
			}
			_ = c.Close()
			if after := open(); after != nil && same(before, after) { // not the next one
				n++
			}
		}
	}()
	for range 2000 {
		l, _, err := address{"unix", path}.listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if open() != nil {
			t.Error("others may connect to the socket")
		}
		_ = l.Close()
	}
	close(done)
	if n := <-found; n > 0 {
		t.Errorf("others could have connected %d times", n)
	}
}
