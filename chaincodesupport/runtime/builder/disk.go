package builder

import (
	"io/fs"
	"os"
	"path/filepath"
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
