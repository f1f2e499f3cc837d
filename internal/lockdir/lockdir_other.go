//go:build !unix

package lockdir

import "time"

// Works says whether folders can be locked here.
const Works = false

// Lock does nothing: here no folder can be locked.
func Lock(string) (unlock func(), err error) { return func() {}, nil }

// Abandoned returns nothing, because nothing says whether a folder is in use.
func Abandoned(string, string, time.Duration) []Folder { return nil }
