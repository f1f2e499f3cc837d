package builder

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// disk is what makes a build last. After a power failure, a name in a folder is there only if the folder was synced, and a
// file has what was written to it only if the file was.
type disk struct {
	sync   func(path string) error // of a file or a folder
	rename func(from, to string) error
}

// syncAll writes everything of a build to disk. If the build's folder is there after a power failure, then it is there as a
// whole.
func (d disk) syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		return d.sync(path)
	})
}

// makeFolder makes a folder and its parents, and syncs each folder in which one of them is new.
func makeFolder(dir string, sync func(path string) error) error {
	var missing []string
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || filepath.Dir(at) == at {
			break
		}
		missing = append(missing, at)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, at := range missing {
		if err := sync(filepath.Dir(at)); err != nil {
			return err
		}
	}
	return nil
}

// lostAndFound is what some file systems have in their topmost folder.
const lostAndFound = "lost+found"

// checkFolder refuses a folder that has anything in it but builds, and what is thrown away. Access to a folder for builds is
// taken from others, and things in it are removed. So it must be no folder that has another purpose.
func checkFolder(dir string) error {
	inside, err := os.ReadDir(dir)
	if err != nil {
		return errors.Wrap(err, "read folder for builds")
	}
	for _, e := range inside {
		name := e.Name()
		if !e.IsDir() || !isBuild(name) && !strings.HasPrefix(name, scratchPrefix) && name != lostAndFound {
			return errors.Errorf("folder for builds %s has %q in it, which is no build: choose an empty folder, or one that isn't there yet", dir, name)
		}
	}
	return nil
}
