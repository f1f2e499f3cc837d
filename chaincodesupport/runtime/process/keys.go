package process

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
	"github.com/ccpeer/ccpeer/internal/lockdir"
)

// A chaincode finds its keys in a folder below the system's folder for temporary files. A peer that is killed leaves it
// behind, and the next peer is to remove it, with nothing else. That folder belongs to all programs of the user, and others
// may give their folders a similar name.
//
// So what is removed must look as writeKeys has made it, through and through. It also must be locked by nobody, and must have
// been there for a while. The peer that was killed may have made it a moment ago, so each launch looks again.

const (
	// keysPrefix is how the folder's name begins. The system's random number follows.
	keysPrefix = "chaincode-tls-"
	// justMade is how long a folder with keys may take to be locked after it was made.
	justMade = time.Minute
)

// writeKeys writes a chaincode's files into a new folder, which becomes s.Dir. The folder is marked as used until unlock is
// called. If there is an error, nothing is left of it.
func (r *Runtime) writeKeys(s *shimenv.Settings) (unlock func(), err error) {
	clearKeys()
	if s.Dir, err = shimenv.WriteTemp("", keysPrefix, s.Files()...); err != nil {
		return nil, errors.WithMessage(err, "write the chaincode's TLS files")
	}
	unlock, err = r.lock(s.Dir)
	switch {
	case errors.Is(err, lockdir.ErrLocked):
		_ = os.RemoveAll(s.Dir) // the first error says more
		return nil, errors.WithMessage(err, "mark the chaincode's TLS files as used")
	case err != nil: // the mark is only for those who clean up
		r.unmarked.Do(func() {
			r.cfg.Logger.Named("container").Warn("folders can't be locked here: if the peer is killed, keys of chaincode stay", zap.Error(err))
		})
		return func() {}, nil
	}
	return unlock, nil
}

// clearKeys removes the keys that a peer of the same user has left behind.
func clearKeys() {
	for _, left := range lockdir.Abandoned(os.TempDir(), keysPrefix, justMade) {
		_ = removeKeys(left.Path) // what can't be removed is for the next launch
		left.Unlock()
	}
}

// removeKeys removes a folder and the files in it, if they are such as writeKeys makes.
func removeKeys(dir string) error {
	if strings.Trim(strings.TrimPrefix(filepath.Base(dir), keysPrefix), "0123456789") != "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	inside, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	names := shimenv.FileNames()
	for _, e := range inside {
		if !e.Type().IsRegular() || !slices.Contains(names, e.Name()) {
			return nil
		}
	}
	for _, e := range inside {
		if err := root.Remove(e.Name()); err != nil {
			return err
		}
	}
	return os.Remove(dir) // which fails if something has come meanwhile
}
