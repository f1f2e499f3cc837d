package block

import (
	"time"

	"github.com/pkg/errors"
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

func (u Unsigned) marshal() ([]byte, error) {
	if u.TxID == "" {
		return nil, errors.New("the ID is missing")
	}
	var e encoder
	header := &pb.Header{
		ChannelHeader: e.marshal(&pb.ChannelHeader{
			Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: u.ChannelID, TxId: u.TxID, Timestamp: timestamppb.New(u.Timestamp),
		}),
		SignatureHeader: e.marshal(&pb.SignatureHeader{Nonce: []byte(u.TxID)}),
	}
	proposal := e.marshal(&pb.ChaincodeProposalPayload{
		Input: e.marshal(&pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{}}),
	})
	endorsed := e.marshal(&pb.ProposalResponsePayload{
		ProposalHash: proposalHash(header, proposal),
		Extension:    e.marshal(&pb.ChaincodeAction{Results: u.RWSet, Response: &pb.Response{Status: 200}}),
	})
	action := e.marshal(&pb.ChaincodeActionPayload{
		ChaincodeProposalPayload: proposal, Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: endorsed},
	})
	data := e.marshal(&pb.Transaction{Actions: []*pb.TransactionAction{{Header: header.GetSignatureHeader(), Payload: action}}})
	envelope := e.marshal(&pb.Envelope{Payload: e.marshal(&pb.Payload{Header: header, Data: data})})
	return envelope, e.err
}

// encoder marshals the layers of an envelope, of which each has the one before as bytes. It keeps the first error.
type encoder struct{ err error }

func (e *encoder) marshal(m proto.Message) []byte {
	if e.err != nil {
		return nil
	}
	b, err := proto.Marshal(m)
	if err != nil {
		e.err = errors.Wrapf(err, "marshal %s", m.ProtoReflect().Descriptor().Name())
	}
	return b
}
