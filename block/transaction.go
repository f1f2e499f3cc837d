package block

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Transaction is what the envelope of an endorsed transaction says. Slices share the memory of the envelope's decoding, and
// must not be modified.
type Transaction struct {
	// ChannelID is the channel, TxID the transaction's ID. Whether the ID follows from nonce and creator is not checked.
	ChannelID, TxID string
	// Timestamp is when the transaction was proposed, as its creator says, in UTC. It is zero if the creator doesn't say.
	Timestamp time.Time
	// Creator is who has asked: a marshalled SerializedIdentity. Nonce makes the ID unique.
	Creator, Nonce []byte
	// Args are the arguments of the call. IsInit says that it initializes the chaincode.
	Args   [][]byte
	IsInit bool
	// Chaincode is the name of the chaincode that was called, and Version that of its definition.
	Chaincode, Version string
	// RWSet is the marshalled TxReadWriteSet.
	RWSet []byte
	// Response is what the chaincode has returned.
	Response *pb.Response
	// Event is the chaincode's event, or nil.
	Event *pb.ChaincodeEvent
	// Endorsements are the signatures of those who have run it. Each is over Endorsed, followed by the endorser.
	Endorsements []*pb.Endorsement
	// Endorsed is the marshalled ProposalResponsePayload.
	Endorsed []byte
	// Signed is what the creator has signed, and Signature the signature.
	Signed, Signature []byte
}

// ParseTransaction takes a marshalled Envelope apart. An error says which part of it is missing or can't be decoded.
func ParseTransaction(envelope []byte) (*Transaction, error) {
	var l layers
	if err := l.open(envelope); err != nil {
		return nil, errors.WithMessage(err, "parse transaction")
	}
	tx := &Transaction{
		ChannelID:    l.channel.GetChannelId(),
		TxID:         l.channel.GetTxId(),
		Creator:      l.signature.GetCreator(),
		Nonce:        l.signature.GetNonce(),
		Args:         l.call.GetChaincodeSpec().GetInput().GetArgs(),
		IsInit:       l.call.GetChaincodeSpec().GetInput().GetIsInit(),
		Chaincode:    l.done.GetChaincodeId().GetName(),
		Version:      l.done.GetChaincodeId().GetVersion(),
		RWSet:        l.done.GetResults(),
		Response:     l.done.GetResponse(),
		Event:        l.event,
		Endorsements: l.action.GetAction().GetEndorsements(),
		Endorsed:     l.action.GetAction().GetProposalResponsePayload(),
		Signed:       l.envelope.GetPayload(),
		Signature:    l.envelope.GetSignature(),
	}
	if t := l.channel.GetTimestamp(); t.IsValid() {
		tx.Timestamp = t.AsTime()
	}
	// The action has a signature header of its own, and it is the one that was endorsed (Fabric: core/common/validation).
	hash := HashParts(l.payload.GetHeader().GetChannelHeader(), l.tx.GetActions()[0].GetHeader(), l.action.GetChaincodeProposalPayload())
	if !bytes.Equal(l.endorsed.GetProposalHash(), hash) {
		return nil, errors.New("parse transaction: what was endorsed is another proposal: the hashes differ")
	}
	return tx, nil
}

// layers are the messages of an envelope, which are nested as bytes.
type layers struct {
	envelope  pb.Envelope
	payload   pb.Payload
	channel   pb.ChannelHeader
	signature pb.SignatureHeader
	tx        pb.Transaction
	action    pb.ChaincodeActionPayload
	proposal  pb.ChaincodeProposalPayload
	call      pb.ChaincodeInvocationSpec
	endorsed  pb.ProposalResponsePayload
	done      pb.ChaincodeAction
	event     *pb.ChaincodeEvent
}

func (l *layers) open(envelope []byte) error {
	if err := decode(envelope, &l.envelope); err != nil {
		return err
	}
	if err := decode(l.envelope.GetPayload(), &l.payload); err != nil {
		return err
	}
	if err := decode(l.payload.GetHeader().GetChannelHeader(), &l.channel); err != nil {
		return err
	}
	if err := decode(l.payload.GetHeader().GetSignatureHeader(), &l.signature); err != nil {
		return err
	}
	if t := pb.HeaderType(l.channel.GetType()); t != pb.HeaderType_ENDORSER_TRANSACTION {
		return errors.Errorf("header type is %s, want %s", t, pb.HeaderType_ENDORSER_TRANSACTION)
	}
	if err := decode(l.payload.GetData(), &l.tx); err != nil {
		return err
	}
	if n := len(l.tx.GetActions()); n != 1 {
		return errors.Errorf("there are %d actions, want 1", n)
	}
	return l.openAction(l.tx.GetActions()[0])
}

func (l *layers) openAction(action *pb.TransactionAction) error {
	for _, layer := range []struct {
		bytes func() []byte // of the outer message, in which these bytes are
		into  proto.Message
	}{
		{action.GetPayload, &l.action},
		{l.action.GetChaincodeProposalPayload, &l.proposal},
		{l.proposal.GetInput, &l.call},
		{func() []byte { return l.action.GetAction().GetProposalResponsePayload() }, &l.endorsed}, // which isn't there yet
		{l.endorsed.GetExtension, &l.done},
	} {
		if err := decode(layer.bytes(), layer.into); err != nil {
			return err
		}
	}
	if events := l.done.GetEvents(); len(events) > 0 {
		l.event = new(pb.ChaincodeEvent)
		return decode(events, l.event)
	}
	return nil
}

// decode decodes a message, which must be there.
func decode(b []byte, into proto.Message) error {
	name := into.ProtoReflect().Descriptor().Name()
	if len(b) == 0 {
		return errors.Errorf("%s is missing", name)
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return errors.Wrapf(err, "decode %s", name)
	}
	return nil
}

// ProposalHash returns the hash that endorsers put into what they sign. It covers a proposal's headers and its payload
// without the transient map (Fabric: protoutil, GetProposalHash1).
func ProposalHash(p *pb.Proposal) ([]byte, error) {
	var header pb.Header
	if err := decode(p.GetHeader(), &header); err != nil {
		return nil, errors.WithMessage(err, "hash proposal")
	}
	var payload pb.ChaincodeProposalPayload
	if err := decode(p.GetPayload(), &payload); err != nil {
		return nil, errors.WithMessage(err, "hash proposal")
	}
	return HashProposal(&header, &payload)
}

// HashProposal is ProposalHash for whoever has decoded the proposal.
func HashProposal(h *pb.Header, payload *pb.ChaincodeProposalPayload) ([]byte, error) {
	visible, err := marshalVisible(payload)
	if err != nil {
		return nil, errors.WithMessage(err, "hash proposal")
	}
	return HashParts(h.GetChannelHeader(), h.GetSignatureHeader(), visible), nil
}

// HashParts is ProposalHash for what a transaction has of its proposal: the marshalled ChannelHeader of its envelope, the SignatureHeader
// of its action, and the ChaincodeProposalPayload without the transient map (Fabric: protoutil, GetProposalHash2).
func HashParts(channelHeader, signatureHeader, payload []byte) []byte {
	hash := sha256.New()
	hash.Write(channelHeader)
	hash.Write(signatureHeader)
	hash.Write(payload)
	return hash.Sum(nil)
}

// withoutTransient returns a ChaincodeProposalPayload without the transient map, which must not be recorded.
func withoutTransient(payload []byte) ([]byte, error) {
	var p pb.ChaincodeProposalPayload
	if err := decode(payload, &p); err != nil {
		return nil, err
	}
	return marshalVisible(&p)
}

func marshalVisible(p *pb.ChaincodeProposalPayload) ([]byte, error) {
	b, err := proto.Marshal(&pb.ChaincodeProposalPayload{Input: p.GetInput()})
	return b, errors.Wrap(err, "marshal ChaincodeProposalPayload")
}

// NewTransaction makes a marshalled Envelope of a proposal and what endorsers have answered to it. Their answers must be
// successes and equal. The signer must be the one who has proposed. It is what a client does (Fabric: protoutil,
// CreateSignedTx), with Fabric's texts.
func NewTransaction(signed *pb.SignedProposal, responses []*pb.ProposalResponse, signer identity.Signer) ([]byte, error) {
	payload, err := newPayload(signed, responses, signer)
	if err != nil {
		return nil, errors.WithMessage(err, "make transaction")
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		return nil, errors.Wrap(err, "make transaction: sign")
	}
	b, err := proto.Marshal(&pb.Envelope{Payload: payload, Signature: signature})
	return b, errors.Wrap(err, "make transaction")
}

// NewPayload returns what NewTransaction has signed, a marshalled Payload. It is for whoever lets a client sign it, as Fabric's
// gateway does (internal/pkg/gateway, prepareTransaction).
func NewPayload(signed *pb.SignedProposal, responses []*pb.ProposalResponse) ([]byte, error) {
	return newPayload(signed, responses, nil)
}

// newPayload checks the signer unless it is nil.
func newPayload(signed *pb.SignedProposal, responses []*pb.ProposalResponse, signer identity.Signer) ([]byte, error) {
	var proposal pb.Proposal
	if err := decode(signed.GetProposalBytes(), &proposal); err != nil {
		return nil, err
	}
	var header pb.Header
	if err := decode(proposal.GetHeader(), &header); err != nil {
		return nil, err
	}
	if signer != nil {
		var signature pb.SignatureHeader
		if err := decode(header.GetSignatureHeader(), &signature); err != nil {
			return nil, err
		}
		if !bytes.Equal(signer.Creator(), signature.GetCreator()) {
			return nil, errors.New("signer must be the same as the one referenced in the header")
		}
	}
	action, err := endorsedAction(responses)
	if err != nil {
		return nil, err
	}
	visible, err := withoutTransient(proposal.GetPayload())
	if err != nil {
		return nil, err
	}
	inner, err := proto.Marshal(&pb.ChaincodeActionPayload{ChaincodeProposalPayload: visible, Action: action})
	if err != nil {
		return nil, errors.Wrap(err, "marshal ChaincodeActionPayload")
	}
	data, err := proto.Marshal(&pb.Transaction{Actions: []*pb.TransactionAction{{Header: header.GetSignatureHeader(), Payload: inner}}})
	if err != nil {
		return nil, errors.Wrap(err, "marshal Transaction")
	}
	b, err := proto.Marshal(&pb.Payload{Header: &header, Data: data})
	return b, errors.Wrap(err, "marshal Payload")
}

// endorsedAction joins the answers of endorsers. Of an endorser who has answered twice, the first answer counts.
func endorsedAction(responses []*pb.ProposalResponse) (*pb.ChaincodeEndorsedAction, error) {
	if len(responses) == 0 {
		return nil, errors.New("at least one proposal response is required")
	}
	action := &pb.ChaincodeEndorsedAction{ProposalResponsePayload: responses[0].GetPayload()}
	seen := map[string]bool{}
	for _, r := range responses {
		if status := r.GetResponse().GetStatus(); status < 200 || status >= 400 {
			return nil, errors.Errorf("proposal response was not successful, error code %d, msg %s", status, r.GetResponse().GetMessage())
		}
		if !bytes.Equal(r.GetPayload(), action.ProposalResponsePayload) {
			return nil, errors.Errorf("ProposalResponsePayloads do not match: those of two endorsers have the SHA-256 %x and %x: "+
				"the chaincode may not be deterministic, or the endorsers' ledgers differ",
				sha256.Sum256(action.ProposalResponsePayload), sha256.Sum256(r.GetPayload()))
		}
		if r.GetEndorsement() == nil {
			return nil, errors.New("a proposal response has no endorsement")
		}
		if endorser := string(r.GetEndorsement().GetEndorser()); !seen[endorser] {
			seen[endorser] = true
			action.Endorsements = append(action.Endorsements, r.GetEndorsement())
		}
	}
	return action, nil
}
