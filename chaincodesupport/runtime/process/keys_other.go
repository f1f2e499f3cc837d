//go:build !unix

package process

// lockFolder does nothing: here no folder can be locked.
func lockFolder(string) (unlock func(), err error) { return func() {}, nil }

// clearFolders does nothing, because nothing says whether a folder is in use.
func clearFolders(string, string) {}
