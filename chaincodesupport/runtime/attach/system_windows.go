package attach

import "io/fs"

// isOpenToOthers is false, as nobody knows: on Windows, a file's mode doesn't say who has access. What is below a user's own
// folders is theirs alone, unless they have said otherwise.
func isOpenToOthers(fs.FileInfo) bool { return false }
