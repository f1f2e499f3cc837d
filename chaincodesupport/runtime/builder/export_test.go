package builder

import "context"

// Folder is where the build of a package is kept.
func Folder(r *Runtime, packageID string) string { return r.folder(packageID) }

// Unpack unpacks a package's code.
func Unpack(p *Package, dir string) error { return p.code.unpack(dir) }

// UnpackUnchecked unpacks an archive that ParsePackage has not seen, under limits of its own.
func UnpackUnchecked(data []byte, limits Limits, dir string) error {
	a := archive{data: data, size: limits.SourceSize, files: limits.SourceFiles}
	return a.unpack(dir)
}

// Environ is what the scripts of a builder get.
func Environ(b Builder) []string { return b.environ() }

// RemoveAll is removeAll.
func RemoveAll(dir string) error { return removeAll(dir) }

// WatchDisk has note called before each operation of the disk that makes a build last. An error of note is that of the operation.
func WatchDisk(r *Runtime, note func(operation, path string) error) {
	under := r.disk
	r.disk = disk{
		sync: func(path string) error {
			if err := note("sync", path); err != nil {
				return err
			}
			return under.sync(path)
		},
		rename: func(from, to string) error {
			if err := note("rename", from); err != nil {
				return err
			}
			return under.rename(from, to)
		},
	}
}

// MakeFolder is makeFolder.
func MakeFolder(dir string, sync func(path string) error) error { return makeFolder(dir, sync) }

// SetWait replaces how folders are locked.
func SetWait(r *Runtime, wait func(ctx context.Context, dir string) (unlock func(), err error)) {
	r.locks.wait = wait
}

// ClearScratch removes what was left behind, as New does.
func ClearScratch(r *Runtime) error { return r.clearScratch() }
