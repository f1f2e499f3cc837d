package envelopes

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"math/big"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// envelopeRows are about the outermost layers.
func (t *table) envelopeRows() {
	t.one("valid", valid)
	t.one("unknown fields after it", valid, raw(envelopeLayer, func(b []byte) []byte { return append(b, 0xf8, 0x07, 1) }))
	for _, r := range []*Row{
		t.one("empty envelope", badHeader, raw(envelopeLayer, gone)),
		t.one("no payload", badHeader, raw(payloadLayer, gone)),
		t.one("no header", badHeader, func(d *draft) { d.noHeader = true }),
	} {
		r.Refused, r.Danger = true, Panics
	}
}

// refused adds a row that no ordering service takes.
func (t *table) refused(name, want string, changes ...change) {
	t.one(name, want, changes...).Refused = true
}

func headerType(number pb.HeaderType) change {
	return func(d *draft) { d.channel.Type = int32(number) }
}

// headerRows are about the layers down to the two headers.
func (t *table) headerRows() {
	t.refused("no envelope", otherReason, raw(envelopeLayer, noMessage()))
	t.refused("no message as payload", badPayload, raw(payloadLayer, noMessage()))
	t.refused("no message as channel header", badHeader, raw(channelLayer, noMessage()))
	t.refused("empty channel header", badHeader, raw(channelLayer, gone))
	t.refused("no message as signature header", badHeader, raw(creatorLayer, noMessage()))
	t.refused("empty signature header", badHeader, raw(creatorLayer, gone))
	t.one("header type MESSAGE", badHeader, headerType(pb.HeaderType_MESSAGE))
	t.one("header type 99", badHeader, headerType(99))
	t.one("header type -1", badHeader, headerType(-1))
	t.refused("header type ORDERER_TRANSACTION", badHeader, headerType(pb.HeaderType_ORDERER_TRANSACTION))
	t.refused("header type CONFIG_UPDATE", unsupported, headerType(pb.HeaderType_CONFIG_UPDATE))
	config := t.one("header type CONFIG", invalidConfig, headerType(pb.HeaderType_CONFIG))
	config.Refused, config.Danger = true, Halts
	t.refused("header type CONFIG without data", invalidConfig, headerType(pb.HeaderType_CONFIG), raw(payloadLayer, func(b []byte) []byte {
		var p pb.Payload
		if proto.Unmarshal(b, &p) != nil {
			return b
		}
		p.Data = nil
		return marshal(&p)
	}))
	t.one("epoch 1", badHeader, func(d *draft) { d.channel.Epoch = 1 })
	t.one("version 7 of the header", valid, func(d *draft) { d.channel.Version = 7 })
	t.one("no timestamp", valid, func(d *draft) { d.channel.Timestamp = nil })
	t.one("a timestamp that is out of range", valid, func(d *draft) { d.channel.Timestamp = &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -5} })
	t.one("no nonce", badHeader, func(d *draft) { d.creator.Nonce = nil })
	t.one("a short nonce", valid, func(d *draft) { d.creator.Nonce = d.creator.Nonce[:6] })
	t.refused("no creator", badHeader, func(d *draft) { d.creator.Creator = nil })
	// A peer looks for the creator among the members of the channel that the header names.
	t.refused("other channel", otherChannel, func(d *draft) { d.channel.ChannelId += "x" })
	t.refused("no channel", otherChannel, func(d *draft) { d.channel.ChannelId = "" })
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}

// createdBy makes somebody else the creator, who signs, too.
func createdBy(who identity.Signer) change {
	return func(d *draft) { d.creator.Creator, d.signer = who.Creator(), who }
}

// creatorRows are about who has signed the envelope, and about the ID, which follows from that.
func (t *table) creatorRows() {
	t.refused("a creator that is no identity", badCreator, createdBy(signer{Signer: t.cfg.Client, creator: []byte("alice")}))
	t.refused("a creator whose certificate is none", badCreator, createdBy(signer{
		Signer: t.cfg.Client, creator: marshal(&pb.SerializedIdentity{Mspid: t.cfg.Client.MSPID(), IdBytes: []byte("alice")}),
	}))
	t.refused("a creator of another CA", badCreator, createdBy(t.mallory))
	t.refused("a creator of an unknown MSP", badCreator, createdBy(t.impostor))
	t.refused("a creator of another MSP", badCreator, createdBy(signer{
		Signer: t.cfg.Client, creator: marshal(&pb.SerializedIdentity{Mspid: t.cfg.Peer2.MSPID(), IdBytes: t.cfg.Client.CertificatePEM()}),
	}))
	t.refused("a peer as creator", valid, createdBy(t.cfg.Peer2)) // who is no writer, by the usual policy
	t.one("text around the creator's certificate", valid, createdBy(wordy(t.cfg.Client)))
	t.refused("no signature", badCreator, raw(signatureLayer, gone))
	t.refused("no message as signature", badCreator, raw(signatureLayer, noMessage()))
	t.refused("somebody else's signature", badCreator, func(d *draft) { d.signer = t.cfg.Peer1 })
	t.refused("a signature over something else", badCreator, func(d *draft) {
		d.signer = signer{Signer: t.cfg.Client, sign: func(s identity.Signer, _ []byte) ([]byte, error) { return s.Sign([]byte("else")) }}
	})
	t.refused("a signature with a high S", badCreator, func(d *draft) { d.signer = signer{Signer: t.cfg.Client, sign: t.highS} })
	t.one("a made-up ID", badTxID, func(d *draft) { d.txID = "abc" + t.salt })
	t.one("an ID in capitals", badTxID, func(d *draft) {
		d.txID = string(bytes.ToUpper([]byte(identity.ComputeTxID(d.creator.GetNonce(), d.creator.GetCreator()))))
	})
	t.one("the ID of another nonce", badTxID, func(d *draft) { d.txID = identity.ComputeTxID(random(24), d.creator.GetCreator()) })
}

// wordy is somebody who writes text around the certificate. It is the same identity.
func wordy(who *identity.Identity) identity.Signer {
	return signer{Signer: who, creator: marshal(&pb.SerializedIdentity{Mspid: who.MSPID(), IdBytes: append([]byte("It is me:\n"), pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: who.Certificate().Raw,
	})...)})}
}

// highS signs with the higher of the two values that S can have, if the key is one of ECDSA P-256.
func (t *table) highS(s identity.Signer, message []byte) ([]byte, error) {
	b, err := s.Sign(message)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(b, &sig); err != nil {
		return nil, errors.Wrap(err, "decode signature")
	}
	order, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	sig.S.Sub(order, sig.S)
	b, err = asn1.Marshal(sig)
	return b, errors.Wrap(err, "marshal signature")
}

// actionRows are about what a transaction consists of.
func (t *table) actionRows() {
	t.one("no message as transaction", invalidTx, raw(txLayer, noMessage()))
	t.one("no transaction", invalidTx, raw(txLayer, gone))
	t.one("no action", invalidTx, func(d *draft) { d.actions = 0 })
	t.one("two actions", invalidTx, func(d *draft) { d.actions = 2 })
	t.one("no message as the action's header", invalidTx, raw(actionHeaderLayer, noMessage()))
	t.one("no header of the action", invalidTx, raw(actionHeaderLayer, gone))
	t.one("no nonce in the action's header", invalidTx, raw(actionHeaderLayer, is(marshal(&pb.SignatureHeader{Creator: t.cfg.Client.Creator()}))))
	t.one("no creator in the action's header", invalidTx, raw(actionHeaderLayer, is(marshal(&pb.SignatureHeader{Nonce: []byte("n")}))))
	t.one("another header of the action", valid, raw(actionHeaderLayer, is(marshal(&pb.SignatureHeader{Creator: []byte("bob"), Nonce: []byte("n")}))))
	t.one("no message as action", invalidTx, raw(actionLayer, noMessage()))
	t.one("an empty action", invalidTx, raw(actionLayer, gone)).Danger = Panics
	t.one("nothing that was endorsed", invalidTx, raw(endorsedLayer, gone))
	t.one("no message as what was endorsed", invalidTx, raw(endorsedLayer, noMessage()))
	t.one("no hash of the proposal", invalidTx, raw(hashLayer, gone))
	t.one("the hash of another proposal", invalidTx, raw(hashLayer, is(random(32))))
	t.one("no proposal", invalidTx, raw(proposalLayer, gone))
	t.one("no message as proposal", valid, raw(proposalLayer, noMessage()))
	t.one("transient data left in the proposal", valid, raw(proposalLayer, is(marshal(&pb.ChaincodeProposalPayload{TransientMap: map[string][]byte{"t": []byte("v")}}))))

	t.one("no message as extension of the header", badExtension, raw(extensionLayer, noMessage()))
	t.one("no extension of the header", otherReason, raw(extensionLayer, gone))
	t.one("no message as response", badResponse, raw(doneLayer, noMessage()))
	t.one("no response", badResponse, raw(doneLayer, gone))
	t.one("no message as read/write set", badRWSet, raw(rwsetLayer, noMessage()))
	t.one("no message as a namespace's read/write set", badRWSet, func(d *draft) { d.rwset.NsRwset[0].Rwset = []byte{0xff} })
	t.one("no message as a collection's read/write set", badRWSet, func(d *draft) {
		d.rwset.NsRwset[0].CollectionHashedRwset = []*pb.CollectionHashedReadWriteSet{{CollectionName: SharedCollection, HashedRwset: []byte{0xff}}}
	})
	t.one("no read/write set", valid, raw(rwsetLayer, gone))
	t.one("a read/write set of another data model", valid, func(d *draft) { d.rwset.DataModel = 1 })
	t.one("a response of 500", valid, func(d *draft) { d.action.Response.Status = 500 })
	t.one("no status", valid, func(d *draft) { d.action.Response = nil })
}

// chaincodeRows are about which chaincode it was.
func (t *table) chaincodeRows() {
	t.one("no chaincode in the header", otherReason, func(d *draft) { d.extension.ChaincodeId = nil })
	t.one("no chaincode in the response", otherReason, func(d *draft) { d.action.ChaincodeId = nil })
	t.one("no name of the chaincode", invalidChaincode, func(d *draft) { d.extension.ChaincodeId.Name, d.action.ChaincodeId.Name = "", "" })
	t.one("another chaincode in the header", invalidChaincode, func(d *draft) { d.extension.ChaincodeId.Name = t.cfg.Either })
	t.one("another chaincode in the response", invalidChaincode, func(d *draft) { d.action.ChaincodeId.Name = t.cfg.Either })
	t.one("another chaincode in the call", valid, func(d *draft) { d.call.ChaincodeSpec.ChaincodeId.Name = "another" })
	t.one("no version", invalidChaincode, func(d *draft) { d.action.ChaincodeId.Version = "" })
	t.one("another version", valid, func(d *draft) { d.action.ChaincodeId.Version = "another" })
	t.one("no event", valid, raw(eventLayer, gone))
	t.one("no message as event", otherReason, raw(eventLayer, noMessage()))
	t.one("another chaincode's event", otherReason, func(d *draft) { d.event.ChaincodeId = t.cfg.Either })
	t.one("an event without a name", valid, func(d *draft) { d.event.EventName = "" })
	t.one("another transaction's event", valid, raw(eventLayer, is(marshal(&pb.ChaincodeEvent{ChaincodeId: t.cfg.Both, TxId: "another", EventName: "e"}))))
	t.one("an unknown chaincode", invalidChaincode, of("unknown"))
	t.one("a system chaincode", invalidChaincode, of("qscc"))
}
