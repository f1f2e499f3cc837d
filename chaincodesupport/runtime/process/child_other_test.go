//go:build !unix

package process_test

// children has the tests' own chaincodes, which need signals and process groups.
func children() map[string]func() { return nil }
