package kvledger

import (
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrNotFound is returned for a block or a transaction that is not committed.
var ErrNotFound = errors.New("it is not committed on this channel")

// CommittedBlock is a block as it was committed. Nothing in it may be modified.
type CommittedBlock struct {
	// Number is the block's number. The first block has number 0.
	Number uint64
	// Header has the number, the hash of the header before, and the hash of the envelopes. block.HeaderHash makes the block's
	// own hash of it.
	Header *pb.BlockHeader
	// Metadata are the block's slots, by pb.BlockMetadataIndex. Those of the ordering service are as they came. The ledger has
	// filled in TRANSACTIONS_FILTER and, from block 1 on, COMMIT_HASH.
	Metadata [][]byte
	// Transactions are all transactions of the block, valid or not, in its order.
	Transactions []CommittedTransaction
}

// Message returns the block in the form in which Fabric's peers deliver it. The message shares the block's memory.
func (b *CommittedBlock) Message() *pb.Block {
	data := make([][]byte, len(b.Transactions))
	for i, tx := range b.Transactions {
		data[i] = tx.Envelope
	}
	return &pb.Block{Header: b.Header, Data: &pb.BlockData{Data: data}, Metadata: &pb.BlockMetadata{Metadata: b.Metadata}}
}

// CommittedTransaction is a transaction that was committed. That doesn't mean that it was valid. Nothing in it may be modified.
type CommittedTransaction struct {
	// TxID and Timestamp are as they were given to Commit. Some transactions have no ID, see Transaction.TxID.
	TxID      string
	Timestamp time.Time
	// Version says where the transaction is. What it wrote has this version.
	Version Version
	// Code says whether it is valid, or why not.
	Code ValidationCode
	// Envelope is the marshalled Envelope that stands in the block. If Commit was given none, the ledger has made it.
	Envelope []byte
	// RWSet is the public read/write set, a part of Envelope. In a transaction with the code BadRWSet it is any bytes. It is nil
	// if the envelope has none, which is so for config transactions and for what can't be decoded.
	RWSet []byte
}

// Parse takes the envelope apart: who asked, for what, what the chaincode answered, its event, and who has endorsed it. It fails
// for what isn't a transaction of an endorser, or can't be decoded. If Commit was given no envelope, nothing of that is known, and
// there is little beside the read/write set: see block.NewUnsigned.
func (tx *CommittedTransaction) Parse() (*block.Transaction, error) {
	return block.ParseTransaction(tx.Envelope)
}

// Version says where on its channel a transaction is. What the transaction wrote has this version.
type Version struct {
	// Block is the block's number. Tx is the transaction's position in the block, from 0, and invalid transactions count.
	Block, Tx uint64
}
