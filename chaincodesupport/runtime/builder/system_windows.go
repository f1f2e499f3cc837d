package builder

import (
	"io/fs"
	"os"
	"os/exec"

	"github.com/pkg/errors"
)

// isProgram reports whether what is at path, with one of the extensions of PATHEXT, can be run.
func isProgram(path string) (bool, error) {
	_, err := exec.LookPath(path)
	if errors.Is(err, exec.ErrNotFound) {
		err = fs.ErrNotExist
	}
	return err == nil, err
}

// syncFile writes a file to disk. Windows does so only for files that are open for writing. So it does nothing for folders,
// whose entries are safe by themselves, nor for read-only files.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil //nolint:nilerr // it is one of those
	}
	err = f.Sync()
	_ = f.Close() // nothing was written
	return err
}
