// Package block makes and reads blocks and transactions in the form that Fabric's peers and clients have them in.
//
//	env, err := block.NewTransaction(proposal.Signed, responses, alice) // what a client sends to be ordered
//	b, err := block.New(number, previous.GetHeader(), [][]byte{env})    // what an ordering service makes of it
//	tx, err := block.ParseTransaction(env)                             // what a committer looks at
//
// It knows forms and hashes. Whether a signature is enough, and whether a transaction is valid, is decided elsewhere. Its
// hashes are compared with Fabric's in internal/realfabric.
package block

import (
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// New makes a block of marshalled Envelopes. previous is the header of the block before, or nil for the first block. The
// block's metadata are there, and empty. It keeps the envelopes, which must not be modified after that.
func New(number uint64, previous *pb.BlockHeader, envelopes [][]byte) (*pb.Block, error) {
	header := &pb.BlockHeader{Number: number}
	switch {
	case previous == nil && number != 0:
		return nil, errors.Errorf("make block %d: there is no block before it", number)
	case previous != nil && previous.GetNumber()+1 != number:
		return nil, errors.Errorf("make block %d: the block before it has number %d", number, previous.GetNumber())
	case previous != nil:
		var err error
		if header.PreviousHash, err = HeaderHash(previous); err != nil {
			return nil, errors.WithMessagef(err, "make block %d", number)
		}
	}
	data := &pb.BlockData{Data: envelopes}
	header.DataHash = DataHash(data)
	return &pb.Block{Header: header, Data: data, Metadata: &pb.BlockMetadata{Metadata: make([][]byte, len(pb.BlockMetadataIndex_name))}}, nil
}

// headerForm is a header as it is hashed.
type headerForm struct {
	Number       *big.Int
	PreviousHash []byte
	DataHash     []byte
}

// HeaderHash returns a header's hash, by which a block is found, and which the next header has. It is SHA-256 of its number
// and its two hashes in ASN.1's DER (Fabric: protoutil, blockutils.go).
func HeaderHash(h *pb.BlockHeader) ([]byte, error) {
	b, err := HeaderBytes(h)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(b)
	return hash[:], nil
}

// HeaderBytes returns what HeaderHash hashes. Ordering services sign it.
func HeaderBytes(h *pb.BlockHeader) ([]byte, error) {
	b, err := asn1.Marshal(headerForm{new(big.Int).SetUint64(h.GetNumber()), h.GetPreviousHash(), h.GetDataHash()})
	if err != nil {
		return nil, errors.Wrap(err, "encode header of block")
	}
	return b, nil
}

// DataHash returns the hash of a block's envelopes: SHA-256 of all, one behind the other.
func DataHash(d *pb.BlockData) []byte {
	hash := sha256.New()
	for _, envelope := range d.GetData() {
		hash.Write(envelope)
	}
	return hash.Sum(nil)
}

// Check returns an error unless a block has the number that is expected, follows the header before, which is nil for the
// first block, and has the data that its header says.
func Check(b *pb.Block, number uint64, previous *pb.BlockHeader) error {
	want, err := New(number, previous, b.GetData().GetData())
	if err != nil {
		return err
	}
	switch have := b.GetHeader(); {
	case have == nil:
		return errors.Errorf("block %d has no header", number)
	case have.GetNumber() != number:
		return errors.Errorf("block has number %d, want %d", have.GetNumber(), number)
	case string(have.GetDataHash()) != string(want.GetHeader().GetDataHash()):
		return errors.Errorf("block %d has the data hash %x, but its data have %x", number, have.GetDataHash(), want.GetHeader().GetDataHash())
	case string(have.GetPreviousHash()) != string(want.GetHeader().GetPreviousHash()):
		return errors.Errorf("block %d has the previous hash %x, but the block before it has %x", number, have.GetPreviousHash(), want.GetHeader().GetPreviousHash())
	}
	return nil
}
