package kvledger

import (
	"bytes"
	"context"
	"math"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// incoming is a block that is to be committed, as far as it can be known without looking at the ledger. What is done for it is
// done once, and before the lock: it is decoded and hashed while other blocks are committed, and not again if the head moves.
type incoming struct {
	header   *pb.BlockHeader // nil if the ledger makes it
	metadata [][]byte
	txs      []transaction // each with an envelope
	dataHash []byte
}

// maxTxID is how many bytes a transaction's ID may have. Fabric's have 64.
const maxTxID = 1024

func (l *Ledger) receive(ctx context.Context, b Block) (*incoming, error) {
	in := &incoming{header: b.Header, metadata: b.Metadata, txs: make([]transaction, len(b.Transactions))}
	envelopes := make([][]byte, len(b.Transactions))
	decoder := rwsetDecoder{l.keys}
	for i, tx := range b.Transactions {
		tx, config, err := l.enclose(tx)
		if err != nil {
			return nil, errors.WithMessagef(err, "transaction %d of the block", i)
		}
		in.txs[i], envelopes[i] = decoder.decode(ctx, tx), tx.Envelope
		in.txs[i].config = config
		if err := ctx.Err(); err != nil { // it ends the decoding, too
			return nil, err
		}
	}
	in.dataHash = block.DataHash(&pb.BlockData{Data: envelopes})
	if b.Header != nil && !bytes.Equal(b.Header.GetDataHash(), in.dataHash) {
		return nil, errors.Errorf("block %d has the data hash %x, but its data have %x", b.Header.GetNumber(), b.Header.GetDataHash(), in.dataHash)
	}
	return in, nil
}

// enclose checks what its caller says of a transaction, and returns it with both an envelope and a read/write set, if it has one.
// config says that it is valid without one.
func (l *Ledger) enclose(tx Transaction) (_ Transaction, config bool, err error) {
	if tx.Code < 0 || tx.Code > math.MaxUint8 {
		return tx, false, errors.Errorf("code %d is none that a block can hold", tx.Code)
	}
	if tx.Envelope == nil {
		if !isTxID(tx.TxID) {
			return tx, false, errTxID(tx.TxID)
		}
		u := block.Unsigned{ChannelID: l.keys.channelID, TxID: tx.TxID, Timestamp: tx.Timestamp, RWSet: tx.RWSet}
		tx.Envelope, err = block.NewUnsigned(u)
		return tx, false, err
	}
	results, ok := block.Results(tx.Envelope)
	if tx.RWSet != nil && (!ok || !bytes.Equal(tx.RWSet, results)) {
		return tx, false, errors.New("the read/write set is not the one in the envelope")
	}
	tx.RWSet = results
	if tx.Code != Valid {
		return tx, false, nil
	}
	config = !ok && isConfig(tx.Envelope)
	if !isTxID(tx.TxID) && (tx.TxID != "" || !config) {
		return tx, false, errTxID(tx.TxID)
	}
	if !ok && !config {
		tx.Code = BadRWSet // there is none
	}
	return tx, config, nil
}

// isConfig reports whether an envelope holds a configuration of the channel.
func isConfig(envelope []byte) bool {
	t, ok := block.HeaderType(envelope)
	return ok && t == pb.HeaderType_CONFIG
}

// isTxID reports whether a transaction can be found by an ID.
func isTxID(txID string) bool {
	return txID != "" && utf8.ValidString(txID) && len(txID) <= maxTxID
}

// findable returns an ID, or "" if a transaction is not found by it.
func findable(txID string) string {
	if !isTxID(txID) {
		return ""
	}
	return txID
}

func errTxID(txID string) error {
	return errors.Errorf("it has the ID %.100q, which must be UTF-8, not empty, and of up to %d bytes", txID, maxTxID)
}

// link is what ties a block to the one before, once it is validated.
type link struct {
	header   *pb.BlockHeader
	metadata [][]byte
	tip      tip // with this block
}

// link returns the link of a validated block.
func (in *incoming) link(v *validation) (*link, error) {
	before := v.committed.tip
	header := &pb.BlockHeader{Number: before.height, PreviousHash: before.hash, DataHash: in.dataHash}
	hash, err := block.HeaderHash(header)
	if err != nil {
		return nil, err
	}
	tip := tip{
		height: before.height + 1, metadata: before.metadata || v.writesMetadata(),
		hash: hash, previousHash: before.hash, commitHash: v.commitHash,
	}
	slots, err := in.slots(v)
	if err != nil {
		return nil, err
	}
	return &link{header, slots, tip}, nil
}

// check returns an error if a header was given, and doesn't continue the chain.
func (in *incoming) check(before tip) error {
	switch h := in.header; {
	case h == nil:
		return nil
	case h.GetNumber() != before.height:
		return errors.Errorf("block has number %d, but the ledger's next block is %d", h.GetNumber(), before.height)
	case !bytes.Equal(h.GetPreviousHash(), before.hash):
		return errors.Errorf("block %d has the previous hash %x, but the block before it has %x", h.GetNumber(), h.GetPreviousHash(), before.hash)
	}
	return nil
}
