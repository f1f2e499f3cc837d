//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"
)

// What a connection can end with, and a listener not begin with.
const (
	errAddressInUse      = syscall.EADDRINUSE
	errConnectionRefused = syscall.ECONNREFUSED
	errConnectionReset   = syscall.ECONNRESET
)

// checkSocket returns an error if a socket can't be kept for its owner.
func checkSocket() error { return nil }

// listenPrivately listens on a new socket to which nobody else can connect, at no time. A new socket has the mode that the umask
// leaves. Package net would listen on it at once, and others could connect until its mode is set. So the mode is set first: as
// long as nobody listens, every connection is refused.
func listenPrivately(path string) (*net.UnixListener, error) {
	syscall.ForkLock.RLock() // no chaincode that is started meanwhile inherits it
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer func() { _ = f.Close() }() // the listener has a copy
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	l, err := listenOn(f, path)
	if err != nil {
		_ = os.Remove(path) // it was made just now
		return nil, err
	}
	return l, nil
}

// listenOn sets the mode of a socket that is bound to a path, and then listens on it.
func listenOn(f *os.File, path string) (*net.UnixListener, error) {
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, err
	}
	if err := syscall.Listen(int(f.Fd()), syscall.SOMAXCONN); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil //nolint:forcetypeassert // that is what such a socket becomes
}

// userData is the folder of the user's data, where nothing has said another one.
func userData() (string, error) {
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "share"), err
}

// findProgram returns the absolute path of a program.
func findProgram(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", errors.Errorf("%s is not a program", path)
	}
	return filepath.Abs(path)
}
