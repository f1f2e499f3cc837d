//go:build unix

package process_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// A chaincode that ends by itself is an error, which has what it said last.
func Example() {
	r, err := process.New(process.Config{
		Command:     "/bin/sh",
		Args:        []string{"-c", "echo cannot reach {{.PeerAddress}} >&2; exit 3"},
		PeerAddress: "127.0.0.1:7052",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Run(context.Background(), "asset:1", nil))
	// Output: container exited with 3: cannot reach 127.0.0.1:7052
}
