// Package privatedir keeps what a peer writes to a folder from everybody but the peer.
//
// A folder that the peer makes is its own alone from the beginning. But it may be told to use one that is there, and these
// are usually open: mkdir makes a folder that everybody can read. What a ledger keeps is nobody else's to read. And whoever
// can write to a folder of chaincode can have the peer run what they like.
//
// Such a folder is tightened, and not refused: a peer would not start in most folders that somebody has made for it. But it
// is refused if it is meant to be shared, or if it isn't the peer's to change.
package privatedir

import (
	"io/fs"
	"os"

	"github.com/pkg/errors"
)

// others are the bits of a mode that give access to others than the owner.
const others fs.FileMode = 0o077

// Tighten takes the access to a folder from everybody but its owner. It returns the mode that the folder had, or 0 if nobody
// else had access. On Windows, a mode says nothing of who has access, and Tighten does nothing.
//
// The error says what to do. It says so of a folder with the sticky bit, such as /tmp, which others use. And it says so of
// one that belongs to another user, for whom the peer can't change it.
func Tighten(dir string) (before fs.FileMode, err error) {
	info, err := os.Stat(dir)
	if err != nil || !saysAccess {
		return 0, err
	}
	mode := info.Mode()
	switch {
	case mode&others == 0:
		return 0, nil
	case mode&fs.ModeSticky != 0:
		return 0, errors.Errorf("folder %s is shared with others (its mode is %v): choose another one, or one below it", dir, mode)
	}
	if err := os.Chmod(dir, mode&^others); err != nil {
		return 0, errors.Wrapf(err, "others have access to folder %s (its mode is %v): "+
			"have its owner say chmod 700, or choose one below it", dir, mode)
	}
	return mode, nil
}
