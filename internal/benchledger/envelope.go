package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// enveloper makes envelopes as large, and as alike, as those of a network are: of each, most bytes are the certificates of its
// creator and its endorsers, which other envelopes have, too. Signatures, nonces and arguments are new each time. Nothing is
// signed: whoever only keeps envelopes doesn't look.
type enveloper struct {
	creators  [][]byte
	endorsers [][]byte
}

func newEnveloper() *enveloper {
	e := &enveloper{}
	for range 10 {
		e.creators = append(e.creators, newIdentity())
	}
	for range 3 {
		e.endorsers = append(e.endorsers, newIdentity())
	}
	return e
}

// newIdentity returns what is as long as a SerializedIdentity, and as hard to compress.
func newIdentity() []byte {
	const der = 560
	return fmt.Appendf(nil, "\n\x07Org1MSP\x12\xa6\x06-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n",
		base64.StdEncoding.EncodeToString(random(der)))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// envelope returns the envelope of a transaction: from 3 to 5 kB.
func (e *enveloper) envelope(txID string, rwset []byte) ([]byte, error) {
	var all []error
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		all = append(all, err)
		return b
	}
	chaincode := &pb.ChaincodeID{Name: namespace, Version: "1.0"}
	signature := marshal(&pb.SignatureHeader{Creator: e.creators[mathrand.IntN(len(e.creators))], Nonce: random(24)})
	header := &pb.Header{SignatureHeader: signature, ChannelHeader: marshal(&pb.ChannelHeader{
		Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: "bench", TxId: txID, Timestamp: timestamppb.New(time.Now()),
	})}
	args := [][]byte{[]byte("Transfer"), []byte(txID), []byte(base64.StdEncoding.EncodeToString(random(mathrand.IntN(500))))}
	payload := &pb.ChaincodeActionPayload{
		ChaincodeProposalPayload: marshal(&pb.ChaincodeProposalPayload{Input: marshal(&pb.ChaincodeInvocationSpec{
			ChaincodeSpec: &pb.ChaincodeSpec{ChaincodeId: chaincode, Input: &pb.ChaincodeInput{Args: args}},
		})}),
		Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: marshal(&pb.ProposalResponsePayload{
			ProposalHash: random(32),
			Extension:    marshal(&pb.ChaincodeAction{Results: rwset, Response: &pb.Response{Status: 200}, ChaincodeId: chaincode}),
		})},
	}
	for _, endorser := range e.endorsers {
		payload.Action.Endorsements = append(payload.Action.Endorsements, &pb.Endorsement{Endorser: endorser, Signature: random(71)})
	}
	data := marshal(&pb.Transaction{Actions: []*pb.TransactionAction{{Header: signature, Payload: marshal(payload)}}})
	envelope := marshal(&pb.Envelope{Payload: marshal(&pb.Payload{Header: header, Data: data}), Signature: random(71)})
	for _, err := range all {
		if err != nil {
			return nil, errors.Wrap(err, "marshal envelope")
		}
	}
	return envelope, nil
}
