//go:build unix

package process

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

// lockFolder marks a folder as one that is in use. The mark is the system's, so it ends with the peer, however that ends.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor is an int
		_ = f.Close() // the first error says more
		return nil, errors.Wrapf(err, "lock %s", dir)
	}
	return func() { _ = f.Close() }, nil
}

// unlocked is how old a folder must be to be taken for one that was left behind. A younger one may be about to be locked.
const unlocked = time.Minute

// clearFolders removes the folders with that prefix which a peer of the same user has left behind. There are keys in them. It
// leaves alone what it can't tell, because it is somebody else's, a link, young or locked.
func clearFolders(parent, prefix string) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return // the folder's name is no pattern
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < unlocked {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
			continue
		}
		unlock, err := lockFolder(dir)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(dir) // what can't be removed is for the next peer
		unlock()
	}
}
