package builder

import (
	"io/fs"
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
