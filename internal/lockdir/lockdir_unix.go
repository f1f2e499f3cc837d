//go:build unix

package lockdir

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

// Works says whether folders can be locked here.
const Works = true

// Lock locks a folder. It doesn't wait: the error is ErrLocked, wrapped, if somebody has locked the folder, also this process.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, errors.Wrap(err, "lock folder")
	}
	if err := lock(f); err != nil {
		_ = f.Close() // the first error says more
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor is an int
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	return errors.Wrapf(err, "lock folder %s", f.Name())
}

// Abandoned returns the folders in parent whose names begin with prefix and that a process of the same user has left behind,
// locked. Left out is what can't be told: what is somebody else's, a link, locked, or has changed within the time young.
func Abandoned(parent, prefix string, young time.Duration) []Folder {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil // whoever wants to use it will be told
	}
	var found []Folder
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if !isLeft(f, young) {
			_ = f.Close() // it was only looked at
			continue
		}
		found = append(found, Folder{Path: path, Unlock: func() { _ = f.Close() }})
	}
	return found
}

// isLeft reports whether a folder is one that was left behind. Then it is locked.
func isLeft(f *os.File, young time.Duration) bool {
	info, err := f.Stat()
	if err != nil || time.Since(info.ModTime()) < young {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Getuid() && lock(f) == nil
}
