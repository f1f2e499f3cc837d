//go:build !windows

package chaincodetest

// executable is how the names of programs end.
const executable = ""
