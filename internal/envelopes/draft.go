package envelopes

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Layer is a part of an envelope that is nested in another as bytes.
type Layer string

// The layers, from the inside out.
const (
	extensionLayer    Layer = "ChaincodeHeaderExtension"
	channelLayer      Layer = "ChannelHeader"
	creatorLayer      Layer = "SignatureHeader"
	actionHeaderLayer Layer = "SignatureHeader of the action"
	proposalLayer     Layer = "ChaincodeProposalPayload"
	rwsetLayer        Layer = "TxReadWriteSet"
	eventLayer        Layer = "ChaincodeEvent"
	doneLayer         Layer = "ChaincodeAction"
	hashLayer         Layer = "hash of the proposal"
	endorsedLayer     Layer = "ProposalResponsePayload"
	actionLayer       Layer = "ChaincodeActionPayload"
	txLayer           Layer = "Transaction"
	payloadLayer      Layer = "Payload"
	signatureLayer    Layer = "signature"
	envelopeLayer     Layer = "Envelope"
)

// Layers returns the names of all layers, from the inside out.
func Layers() []Layer {
	return []Layer{
		extensionLayer, channelLayer, creatorLayer, actionHeaderLayer, proposalLayer, rwsetLayer, eventLayer, doneLayer, hashLayer,
		endorsedLayer, actionLayer, txLayer, payloadLayer, signatureLayer, envelopeLayer,
	}
}

// With returns the envelope of a transaction in which a layer is replaced before what is around it is signed. Without the
// replacement, it is valid.
func With(cfg Config, replaced Layer, by func(b []byte) []byte) ([]byte, error) {
	if err := cfg.check(); err != nil {
		return nil, errors.WithMessage(err, "make envelope")
	}
	t := &table{cfg: cfg, salt: hex.EncodeToString(random(8))}
	d := t.draft("with")
	d.raw[replaced] = by
	b, err := d.envelope()
	return b, errors.WithMessage(err, "make envelope")
}

// draft is a transaction before it is marshalled and signed. Rows change it. What a change says is what is signed: so an envelope
// is wrong in the way that its row says, and in no other.
type draft struct {
	channel   *pb.ChannelHeader
	extension *pb.ChaincodeHeaderExtension
	creator   *pb.SignatureHeader
	call      *pb.ChaincodeInvocationSpec
	rwset     *pb.TxReadWriteSet
	event     *pb.ChaincodeEvent
	action    *pb.ChaincodeAction // without rwset and event
	noHeader  bool
	actions   int
	txID      string // "": the right one

	endorsers []identity.Signer
	signer    identity.Signer // of the envelope
	// raw replaces layers after they are marshalled, and before they are signed.
	raw map[Layer]func([]byte) []byte

	err error
}

func (t *table) draft(row string) *draft {
	id := &pb.ChaincodeID{Name: t.cfg.Both}
	d := &draft{
		channel: &pb.ChannelHeader{
			Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), Timestamp: timestamppb.New(time.Now()), ChannelId: t.cfg.ChannelID,
		},
		extension: &pb.ChaincodeHeaderExtension{ChaincodeId: proto.CloneOf(id)},
		creator:   &pb.SignatureHeader{Creator: t.cfg.Client.Creator(), Nonce: random(24)},
		call: &pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{
			ChaincodeId: proto.CloneOf(id), Input: &pb.ChaincodeInput{Args: [][]byte{[]byte(row)}},
		}},
		rwset: &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{{Namespace: t.cfg.Both}}},
		event: &pb.ChaincodeEvent{ChaincodeId: t.cfg.Both, EventName: "Put", Payload: []byte(row)},
		action: &pb.ChaincodeAction{
			Response: &pb.Response{Status: 200}, ChaincodeId: &pb.ChaincodeID{Name: t.cfg.Both, Version: t.cfg.Version},
		},
		actions:   1,
		endorsers: []identity.Signer{t.cfg.Peer1, t.cfg.Peer2},
		signer:    t.cfg.Client,
		raw:       map[Layer]func([]byte) []byte{},
	}
	rwset(put(t.key(row, "k")))(d)
	return d
}

// marshal keeps the first error.
func (d *draft) marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil && d.err == nil {
		d.err = errors.Wrap(err, "marshal")
	}
	return b
}

func (d *draft) layer(name Layer, m proto.Message) []byte { return d.replace(name, d.marshal(m)) }

func (d *draft) replace(name Layer, b []byte) []byte {
	if r := d.raw[name]; r != nil {
		return r(b)
	}
	return b
}

func (d *draft) sign(who identity.Signer, message []byte) []byte {
	b, err := who.Sign(message)
	if err != nil && d.err == nil {
		d.err = errors.WithMessage(err, "sign")
	}
	return b
}

// envelope marshals and signs the draft, from the inside out.
func (d *draft) envelope() ([]byte, error) {
	if d.channel.TxId = d.txID; d.txID == "" {
		d.channel.TxId = identity.ComputeTxID(d.creator.GetNonce(), d.creator.GetCreator())
	}
	d.event.TxId = d.channel.GetTxId()
	d.channel.Extension = d.layer(extensionLayer, d.extension)
	header := &pb.Header{ChannelHeader: d.layer(channelLayer, d.channel), SignatureHeader: d.layer(creatorLayer, d.creator)}
	actionHeader := d.replace(actionHeaderLayer, header.GetSignatureHeader())
	proposal := d.layer(proposalLayer, &pb.ChaincodeProposalPayload{Input: d.marshal(d.call)})
	hash := sha256.Sum256(slices.Concat(header.GetChannelHeader(), actionHeader, proposal))

	action := d.layer(actionLayer, &pb.ChaincodeActionPayload{ChaincodeProposalPayload: proposal, Action: d.endorsed(hash[:])})
	tx := &pb.Transaction{}
	for range d.actions {
		tx.Actions = append(tx.Actions, &pb.TransactionAction{Header: actionHeader, Payload: action})
	}
	if d.noHeader {
		header = nil
	}
	payload := d.layer(payloadLayer, &pb.Payload{Header: header, Data: d.layer(txLayer, tx)})
	signature := d.replace(signatureLayer, d.sign(d.signer, payload))
	return d.layer(envelopeLayer, &pb.Envelope{Payload: payload, Signature: signature}), d.err
}

// endorsed is what endorsers have signed, with their signatures.
func (d *draft) endorsed(hash []byte) *pb.ChaincodeEndorsedAction {
	d.action.Results = d.layer(rwsetLayer, d.rwset)
	d.action.Events = d.layer(eventLayer, d.event)
	a := &pb.ChaincodeEndorsedAction{ProposalResponsePayload: d.layer(endorsedLayer, &pb.ProposalResponsePayload{
		ProposalHash: d.replace(hashLayer, hash), Extension: d.layer(doneLayer, d.action),
	})}
	for _, e := range d.endorsers {
		creator := e.Creator()
		a.Endorsements = append(a.Endorsements, &pb.Endorsement{
			Endorser: creator, Signature: d.sign(e, slices.Concat(a.GetProposalResponsePayload(), creator)),
		})
	}
	return a
}

// signer is somebody who signs in a way of its own.
type signer struct {
	identity.Signer
	creator []byte                                                  // nil: the Signer's
	sign    func(s identity.Signer, message []byte) ([]byte, error) // nil: as the Signer
}

var _ identity.Signer = signer{}

func (s signer) Creator() []byte {
	if s.creator != nil {
		return s.creator
	}
	return s.Signer.Creator()
}

func (s signer) Sign(message []byte) ([]byte, error) {
	if s.sign != nil {
		return s.sign(s.Signer, message)
	}
	return s.Signer.Sign(message)
}
