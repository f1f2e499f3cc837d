// Package lockdir marks folders as in use, and finds those that their users have left behind.
//
// The mark is the system's: it ends with the process that has made it, however that ends. So a folder without one is nobody's
// any more. Only whoever makes a folder and hasn't marked it yet could be overlooked. Either they hold the lock of the folder
// that it is made in meanwhile, or a young folder is left alone.
package lockdir

import (
	"context"
	"time"

	"github.com/pkg/errors"
)

// ErrLocked is returned for a folder that somebody has locked.
var ErrLocked = errors.New("somebody else is using it")

// pause is how long Wait waits before it tries again.
const pause = 5 * time.Millisecond

// Folder is a folder that was found and is locked now. Unlock must be called.
type Folder struct {
	Path   string
	Unlock func()
}

// Wait locks a folder as Lock does, and waits for it until ctx ends.
func Wait(ctx context.Context, dir string) (unlock func(), err error) {
	for {
		unlock, err := Lock(dir)
		if !errors.Is(err, ErrLocked) {
			return unlock, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Wrapf(err, "wait for folder %s", dir)
		}
	}
}
