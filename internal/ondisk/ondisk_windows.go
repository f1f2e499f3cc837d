// Package ondisk has files and folders on disk, and not only in the system's memory, before somebody relies on them.
package ondisk

import "os"

// Sync writes a file to disk. Windows does so only for files that are open for writing. So it does nothing for folders, whose
// entries are safe by themselves, nor for read-only files.
func Sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil //nolint:nilerr // it is one of those
	}
	err = f.Sync()
	_ = f.Close() // nothing was written
	return err
}
