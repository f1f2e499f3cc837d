package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"
)

// What a connection can end with, and a listener not begin with. The names that package syscall has for them are of numbers
// that Windows doesn't return.
const (
	errAddressInUse      = syscall.Errno(10048)
	errConnectionRefused = syscall.Errno(10061)
	errConnectionReset   = syscall.WSAECONNRESET
)

// checkSocket returns an error: a file's mode doesn't say here who may connect, and what is behind a socket is protected by
// nothing else.
func checkSocket() error {
	return errors.New("on Windows, a Unix socket can't be kept for its owner: give a loopback address such as 127.0.0.1:7053")
}

// listenPrivately is not called: checkSocket has said why.
func listenPrivately(string) (*net.UnixListener, error) { return nil, checkSocket() }

// userData is the folder of the user's data, where nothing has said another one.
func userData() (string, error) { return os.UserCacheDir() }

// findProgram returns the absolute path of a program, whose name may leave .exe out.
func findProgram(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", errors.Wrap(err, "find program")
	}
	found, err := exec.LookPath(path)
	return found, errors.Wrapf(err, "%s is not a program", path)
}
