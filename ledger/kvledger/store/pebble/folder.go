package pebble

import (
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/internal/privatedir"
)

var (
	// ErrForeign says that the data folder holds something that is not a store. Nothing in it was changed.
	ErrForeign = errors.New("the folder is in use for something else: choose a new or an empty one")
	// ErrFormat says that the data folder is a store in a format that this package can't read. Nothing in it was
	// changed.
	ErrFormat = errors.New("the store has another format: use the version that it was written by")
	// ErrDamaged says that the store can't be read as it was written. If it comes from Open, nothing was changed.
	ErrDamaged = errors.New("the store is damaged: restore the folder from a backup")
	// ErrLocked says that the data folder is in use, by this process or another one. Nothing in it was changed.
	ErrLocked = errors.New("the store is open already: close it there first, or choose another folder")
)

const (
	markerName = "CCPEER-STORE"
	// unfinished is the marker's name while the store is being created.
	unfinished = markerName + ".new"
	lockName   = "LOCK"

	markerText = "ccpeer store: pebble, format "
	marker     = markerText + "1\n"
)

// inspect reports whether a folder is a store. It returns false for a folder that may become one: it is empty, does not
// exist, or has what an interrupted creation has left. It changes nothing.
func inspect(fs vfs.FS, dir string) (isStore bool, err error) {
	names, err := fs.List(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case slices.Contains(names, markerName):
		return true, checkMarker(fs, fs.PathJoin(dir, markerName))
	case slices.Contains(names, unfinished):
		return false, nil
	}
	for _, name := range names {
		if name != lockName { // the first file that creating a store leaves
			return false, errors.Wrapf(ErrForeign, "found %q but no %s", name, markerName)
		}
	}
	return false, nil
}

func checkMarker(fs vfs.FS, path string) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, 100))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	switch text := string(b); {
	case err != nil:
		return errors.Wrap(err, "read "+markerName)
	case text == marker:
		return nil
	case strings.HasPrefix(text, markerText) && strings.HasSuffix(text, "\n"):
		return errors.Wrapf(ErrFormat, "%s says %q", markerName, text)
	default:
		return errors.Wrapf(ErrDamaged, "%s says %q", markerName, text)
	}
}

// makeFolder creates a folder and its parents, durably.
func makeFolder(fs vfs.FS, dir string) error {
	var missing []string
	for at := dir; ; at = fs.PathDir(at) {
		if _, err := fs.Stat(at); err == nil || fs.PathDir(at) == at {
			break
		}
		missing = append(missing, at)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, at := range missing {
		if err := syncFolder(fs, fs.PathDir(at)); err != nil {
			return err
		}
	}
	return nil
}

// makePrivate takes the access to the folder from others, since it has what is private in a ledger.
func (s *Store) makePrivate() error {
	if s.fs != vfs.Default {
		return nil
	}
	before, err := privatedir.Tighten(s.dir)
	if before != 0 {
		s.log.Warn("others had access to the data folder: now only its owner has", zap.String("folder", s.dir), zap.Stringer("mode", before))
	}
	return err
}

func syncFolder(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	return f.Close()
}

// beginMarker notes that a store is being created, until finishMarker notes that it is there.
func beginMarker(fs vfs.FS, dir string) error {
	f, err := fs.Create(fs.PathJoin(dir, unfinished), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(marker))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close() // the first error counts
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(fs, dir)
}

func finishMarker(fs vfs.FS, dir string) error {
	if err := fs.Rename(fs.PathJoin(dir, unfinished), fs.PathJoin(dir, markerName)); err != nil {
		return err
	}
	return syncFolder(fs, dir)
}

func lockFolder(fs vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held by current process"):
		return nil, ErrLocked
	default:
		return nil, errors.Wrap(err, "lock")
	}
}

// damage turns an error of Pebble's into one that says what to do, unless it is the operating system's.
func damage(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != syscall.ENOENT && !pebble.IsCorruptionError(err) {
		return err
	}
	return errors.Wrap(ErrDamaged, err.Error())
}
