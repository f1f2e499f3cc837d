//go:build unix

package attach

import "io/fs"

// isOpenToOthers reports whether others than its owner have access to a folder.
func isOpenToOthers(folder fs.FileInfo) bool { return folder.Mode().Perm()&0o077 != 0 }
