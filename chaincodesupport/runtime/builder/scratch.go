package builder

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/lockdir"
)

// Two peers on one machine may have one folder for their builds. Each must tell what the other works on from what was left by a
// peer that was killed. So whatever is thrown away after its use is a folder that is locked while it is used. While it is being
// made, the folder for builds is locked, too.

// scratchPrefix begins the names of everything in Config.Dir that is thrown away after its use. Package IDs don't begin with
// a dot.
const scratchPrefix = ".scratch-"

// scratch calls makeFolder to make a folder whose name begins with scratchPrefix, and locks it. done removes the folder, if it is
// still there. If the error isn't nil, nothing is left.
func (r *Runtime) scratch(ctx context.Context, makeFolder func() (dir string, err error)) (dir string, done func() error, err error) {
	ready, err := lockdir.Wait(ctx, r.cfg.Dir)
	if err != nil {
		return "", nil, err
	}
	defer ready()
	if dir, err = makeFolder(); err != nil {
		return "", nil, err
	}
	unlock, err := lockdir.Lock(dir)
	if err != nil {
		_ = removeAll(dir) // the first error says more
		return "", nil, err
	}
	return dir, func() error {
		defer unlock()
		return removeAll(dir)
	}, nil
}

// clearScratch removes what a peer that was killed has left in the folder for builds.
func clearScratch(dir string) error {
	left, err := abandoned(dir)
	for _, f := range left {
		if removing := removeAll(f.Path); err == nil {
			err = removing
		}
		f.Unlock()
	}
	return err
}

// abandoned finds what was left behind. Where no folder can be locked, that is everything, so that the folder for builds must be
// one peer's alone.
func abandoned(dir string) ([]lockdir.Folder, error) {
	if lockdir.Works {
		ready, err := lockdir.Wait(context.Background(), dir) // for as long as it takes to make a folder
		if err != nil {
			return nil, err
		}
		defer ready()
		return lockdir.Abandoned(dir, scratchPrefix, 0), nil
	}
	inside, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.Wrap(err, "read folder for builds")
	}
	var found []lockdir.Folder
	for _, e := range inside {
		if strings.HasPrefix(e.Name(), scratchPrefix) {
			found = append(found, lockdir.Folder{Path: filepath.Join(dir, e.Name()), Unlock: func() {}})
		}
	}
	return found, nil
}
