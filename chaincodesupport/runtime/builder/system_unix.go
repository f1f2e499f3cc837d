//go:build unix

package builder

import "os"

// isProgram reports whether what is at path can be run.
func isProgram(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular() && info.Mode()&0o111 != 0, nil
}
