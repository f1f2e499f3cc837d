package builder

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/internal/lockdir"
)

// Two peers on one machine may have one folder for their builds. Each must tell what the other works on from what was left by a
// peer that was killed. So whatever is thrown away after its use is a folder that is locked while it is used. While it is being
// made, the folder for builds is locked, too.

// scratchPrefix begins the names of everything in Config.Dir that is thrown away after its use. Package IDs don't begin with
// a dot.
const scratchPrefix = ".scratch-"

// Where folders can't be locked, which some network file systems can't, all that is left behind is taken for nobody's. The
// folder for builds must be one peer's alone then.

// locks locks folders, where that works.
type locks struct {
	wait    func(ctx context.Context, dir string) (unlock func(), err error)
	log     *zap.Logger
	without sync.Once // it was said that it doesn't work
}

// take locks a folder, and waits for it until ctx ends. Where that doesn't work, unlock does nothing.
func (l *locks) take(ctx context.Context, dir string) (unlock func(), works bool, err error) {
	unlock, err = l.wait(ctx, dir)
	switch {
	case errors.Is(err, lockdir.ErrLocked), errors.Is(err, fs.ErrNotExist):
		return nil, true, err
	case err != nil:
		l.without.Do(func() {
			l.log.Warn("folders can't be locked here: no other peer may use the folder for builds", zap.Error(err))
		})
		return func() {}, false, nil
	}
	return unlock, lockdir.Works, nil
}

// scratch calls makeFolder to make a folder whose name begins with scratchPrefix, and locks it. done removes the folder, if it is
// still there. If the error isn't nil, nothing is left.
func (r *Runtime) scratch(ctx context.Context, makeFolder func() (dir string, err error)) (dir string, done func() error, err error) {
	ready, _, err := r.locks.take(ctx, r.cfg.Dir)
	if err != nil {
		return "", nil, err
	}
	defer ready()
	if dir, err = makeFolder(); err != nil {
		return "", nil, err
	}
	unlock, _, err := r.locks.take(ctx, dir)
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
func (r *Runtime) clearScratch() error {
	left, err := r.abandoned()
	for _, f := range left {
		if removing := removeAll(f.Path); err == nil {
			err = removing
		}
		f.Unlock()
	}
	return err
}

// abandoned finds what was left behind. Where no folder can be locked, that is everything.
func (r *Runtime) abandoned() ([]lockdir.Folder, error) {
	ready, works, err := r.locks.take(context.Background(), r.cfg.Dir) // for as long as it takes to make a folder
	if err != nil {
		return nil, err
	}
	defer ready()
	if works {
		return lockdir.Abandoned(r.cfg.Dir, scratchPrefix, 0), nil
	}
	inside, err := os.ReadDir(r.cfg.Dir)
	if err != nil {
		return nil, errors.Wrap(err, "read folder for builds")
	}
	var found []lockdir.Folder
	for _, e := range inside {
		if strings.HasPrefix(e.Name(), scratchPrefix) {
			found = append(found, lockdir.Folder{Path: filepath.Join(r.cfg.Dir, e.Name()), Unlock: func() {}})
		}
	}
	return found, nil
}
