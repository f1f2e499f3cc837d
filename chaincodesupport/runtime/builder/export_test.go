package builder

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
