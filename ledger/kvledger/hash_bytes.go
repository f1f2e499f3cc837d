package kvledger

import (
	"context"
	"crypto/sha256"

	"github.com/ccpeer/ccpeer/internal/portions"
)

// hashBytes returns the SHA-256 of b, until ctx ends.
func hashBytes(ctx context.Context, b []byte) ([sha256.Size]byte, error) {
	const portion = 16 * portions.Bytes // a MiB takes a millisecond or two
	if len(b) <= portion {
		return sha256.Sum256(b), ctx.Err()
	}
	h := sha256.New()
	for ; len(b) > 0; b = b[min(portion, len(b)):] {
		if err := ctx.Err(); err != nil {
			return [sha256.Size]byte{}, err
		}
		_, _ = h.Write(b[:min(portion, len(b))]) // a hash never fails
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
