package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/lockdir"
)

// A socket is a file that stays when its peer is killed, and that the next peer has to remove before it can listen. What it
// removes must be that file and nothing else, also if somebody puts another one there in the same moment.
//
// So the socket is looked at first: nobody must be listening on it. Then it is moved aside, and looked at again. Only if it is
// the same one, it is removed; otherwise it is moved back. Two peers that begin at once hold a lock meanwhile, on the folder.
// Without that, one could take the other's new socket, on which nobody is listening yet, for an old one.
//
// What is left: the lock is of this program. Another program that has made its socket, in place of the one that was left behind,
// and doesn't listen on it yet, looks as if nobody listened, for some microseconds.

const (
	// socketMode lets nobody but the user who runs the peer connect.
	socketMode fs.FileMode = 0o600
	// maxLockWait is how long a peer waits for others that begin to listen in the same folder. Whoever holds the lock for
	// longer is no peer, and doesn't keep this one from listening.
	maxLockWait = 2 * time.Second
)

// listenSocket listens on a path. It replaces the socket of a peer that was killed.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if err := checkSocket(); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, maxLockWait)
	defer cancel()
	if unlock, err := lockdir.Wait(waiting, filepath.Dir(path)); err == nil {
		defer unlock()
	}
	unix, err := listenPrivately(path)
	if errors.Is(err, errAddressInUse) {
		if old := abandoned(ctx, path); old != nil {
			if err := removeSocket(path, old); err != nil {
				return nil, err
			}
			unix, err = listenPrivately(path)
		}
	}
	if err != nil {
		return nil, err
	}
	unix.SetUnlinkOnClose(false) // it would remove whatever is there by then
	made, err := os.Lstat(path)
	if err != nil {
		_ = unix.Close() // there is an error already
		return nil, err
	}
	return &socket{UnixListener: unix, path: path, made: made}, nil
}

// socket is a listener that removes its own file when it is closed, and no other.
type socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

// Close implements net.Listener.
func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && same(s.made, now) {
		_ = removeSocket(s.path, s.made) // what stays is for the next peer
	}
	return s.UnixListener.Close()
}

// abandoned returns the socket of a peer that was killed, or nil: a socket that nobody listens on. A file, or a link to one,
// refuses a connection too, but is somebody's.
func abandoned(ctx context.Context, path string) fs.FileInfo {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
	}
	if !errors.Is(err, errConnectionRefused) {
		return nil
	}
	return info
}

// removeSocket removes a socket, if it is the one that was looked at.
func removeSocket(path string, want fs.FileInfo) error {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".ccpeer-socket-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(folder) }() // fails if something is left in it, which the error names
	aside := filepath.Join(folder, "socket")
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	got, err := os.Lstat(aside)
	if err == nil && same(want, got) {
		return os.Remove(aside)
	}
	if err := moveBack(aside, path, got); err != nil {
		return errors.Errorf("something else was put in the place of the socket %s meanwhile: it is %s now", path, aside)
	}
	return errors.Wrap(errAddressInUse, "something else was put in the place of the socket meanwhile")
}

// moveBack moves what is no socket of ours back to where it was, unless there is something else by now.
func moveBack(from, to string, info fs.FileInfo) error {
	if info != nil && info.IsDir() { // which replaces no file
		return os.Rename(from, to)
	}
	if err := os.Link(from, to); err != nil { // which replaces nothing
		return err
	}
	return os.Remove(from)
}

// same says whether two descriptions are of one file. A new file may have the number of one that was removed, but not its time.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Mode().Type() == b.Mode().Type() && a.ModTime().Equal(b.ModTime())
}

// isSocket says whether a path is a socket, and not a link to one.
func isSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}
