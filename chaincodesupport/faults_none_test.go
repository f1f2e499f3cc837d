//go:build !unix

package chaincodesupport_test

// playWithFaults would play chaincodes that end by signals.
func playWithFaults(string) bool { return false }
