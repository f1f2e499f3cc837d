//go:build unix

package main

import (
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
