package kvledger

import "context"

// Decode decodes a transaction's read/write sets, and returns its code.
func Decode(ctx context.Context, tx Transaction) ValidationCode {
	return rwsetDecoder{}.decode(ctx, tx).code
}
