//go:build unix

// Package ondisk has files and folders on disk, and not only in the system's memory, before somebody relies on them.
package ondisk

import "os"

// Sync writes a file or a folder to disk. Of a folder it is the names in it.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	_ = f.Close() // nothing was written
	return err
}
