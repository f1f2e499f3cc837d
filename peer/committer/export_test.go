package committer

import (
	"context"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Check looks at one envelope of a block that has it alone, on the caller's goroutine, as far as it can be looked at alone.
func (c *Committer) Check(ctx context.Context, envelope []byte) error {
	b := &pb.Block{Header: &pb.BlockHeader{Number: 1}, Data: &pb.BlockData{Data: [][]byte{envelope}}}
	return c.newValidation(b).check(ctx, &transaction{}, envelope)
}
