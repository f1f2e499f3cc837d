package block

import (
	"encoding/binary"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Unsigned is a transaction of which nobody has kept who asked for what: it was simulated, and that is all.
type Unsigned struct {
	// ChannelID and TxID must be UTF-8. TxID must not be empty.
	ChannelID, TxID string
	// Timestamp is when it was run.
	Timestamp time.Time
	// RWSet is the marshalled TxReadWriteSet.
	RWSet []byte
}

// NewUnsigned makes a marshalled Envelope that nobody has signed. So a ledger that was handed no envelopes has blocks that are
// read like any other's. ParseTransaction parses it. It has no creator, no arguments, no chaincode and no endorsements, and its
// nonce is the transaction's ID. No peer of Fabric would accept it.
func NewUnsigned(u Unsigned) ([]byte, error) {
	b, err := u.marshal()
	return b, errors.WithMessage(err, "make transaction")
}

// marshal writes the layers from the inside out, and each from its end, so that every byte of the read/write set is written once.
// With a message for each layer it would be copied seven times.
func (u Unsigned) marshal() ([]byte, error) {
	if u.TxID == "" {
		return nil, errors.New("the ID is missing")
	}
	channel, err := proto.Marshal(&pb.ChannelHeader{
		Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: u.ChannelID, TxId: u.TxID, Timestamp: timestamppb.New(u.Timestamp),
	})
	if err != nil {
		return nil, errors.Wrap(err, "marshal ChannelHeader")
	}
	signature := protowire.AppendString(protowire.AppendTag(nil, signatureHeaderNonce, protowire.BytesType), u.TxID)
	const (
		proposal = "\x0a\x02\x0a\x00" // a ChaincodeProposalPayload with an invocation of nothing
		response = "\x08\xc8\x01"     // a Response with status 200
		overhead = 160                // what tags, lengths and these constants take
	)
	hash := HashParts(channel, signature, []byte(proposal))
	w := newBackward(overhead + len(channel) + 2*len(signature) + len(u.RWSet))
	w.string(chaincodeActionResponse, response)
	if len(u.RWSet) > 0 {
		w.bytes(chaincodeActionResults, u.RWSet)
	}
	w.wrap(responsePayloadExtension, 0)
	w.bytes(responsePayloadHash, hash)
	w.wrap(actionResponsePayload, 0)
	w.wrap(payloadAction, 0)
	w.string(payloadProposal, proposal)
	w.wrap(transactionActionPayload, 0)
	w.bytes(transactionActionHeader, signature)
	w.wrap(transactionActions, 0)
	w.wrap(payloadData, 0)
	data := w.size()
	w.bytes(headerSignatureHeader, signature)
	w.bytes(headerChannelHeader, channel)
	w.wrap(payloadHeader, data)
	w.wrap(envelopePayload, 0)
	return w.written(), nil
}

// backward writes a message from its end to its beginning.
type backward struct {
	b  []byte
	at int // what is written begins here
}

// newBackward returns one that has room for size bytes.
func newBackward(size int) *backward { return &backward{b: make([]byte, size), at: size} }

func (w *backward) written() []byte { return w.b[w.at:] }

func (w *backward) size() int { return len(w.b) - w.at }

func (w *backward) bytes(field protowire.Number, value []byte) {
	before := w.size()
	w.at -= len(value)
	copy(w.b[w.at:], value)
	w.wrap(field, before)
}

func (w *backward) string(field protowire.Number, value string) {
	before := w.size()
	w.at -= len(value)
	copy(w.b[w.at:], value)
	w.wrap(field, before)
}

// wrap makes a field of what was written since there were before bytes.
func (w *backward) wrap(field protowire.Number, before int) {
	var room [2 * binary.MaxVarintLen64]byte
	head := protowire.AppendVarint(protowire.AppendTag(room[:0], field, protowire.BytesType), uint64(w.size()-before))
	w.at -= len(head)
	copy(w.b[w.at:], head)
}
