package script

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// decode reads a message that has to be one.
func (r reader) decode(b []byte, into proto.Message) {
	r.must(proto.Unmarshal(b, into))
}

// mspOf is the organization of somebody serialized.
func (r reader) mspOf(identity []byte) string {
	var id msp.SerializedIdentity
	r.decode(identity, &id)
	return id.GetMspid()
}

// canonical decodes a message that has to be one, and says whether its bytes are those that Go makes of it: each field once, in the
// order of their numbers, none that nobody knows.
func (r reader) canonical(b []byte, into proto.Message) bool {
	r.decode(b, into)
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(into)
	r.must(err)
	return bytes.Equal(again, b)
}

// transaction says what is in an envelope that a gateway prepared, or that is in a block.
func (r reader) transaction(e *common.Envelope) say {
	var (
		payload common.Payload
		header  common.ChannelHeader
		signer  common.SignatureHeader
		tx      peer.Transaction
	)
	canonical := r.canonical(e.GetPayload(), &payload)
	r.decode(payload.GetHeader().GetChannelHeader(), &header)
	r.decode(payload.GetHeader().GetSignatureHeader(), &signer)
	said := say{
		"canonical": canonical,
		"signed":    len(e.GetSignature()) > 0, "type": common.HeaderType(header.GetType()).String(), "channel": header.GetChannelId(), "epoch": header.GetEpoch(),
		"version": header.GetVersion(), "extension": len(header.GetExtension()) > 0, "creator": r.creatorOf(signer.GetCreator()), "nonce": len(signer.GetNonce()),
	}
	if header.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) {
		return said
	}
	said["canonical"] = r.canonical(payload.GetData(), &tx) && canonical
	var actions []say
	for _, a := range tx.GetActions() {
		action := r.action(payload.GetHeader(), a)
		action["headerIsSigner"] = bytes.Equal(a.GetHeader(), payload.GetHeader().GetSignatureHeader())
		actions = append(actions, action)
	}
	said["actions"] = actions
	return said
}

func (r reader) creatorOf(creator []byte) string {
	if len(creator) == 0 {
		return ""
	}
	return r.mspOf(creator)
}

func (r reader) action(header *common.Header, a *peer.TransactionAction) say {
	var (
		payload  peer.ChaincodeActionPayload
		proposed peer.ChaincodeProposalPayload
		input    peer.ChaincodeInvocationSpec
		response peer.ProposalResponsePayload
	)
	canonical := r.canonical(a.GetPayload(), &payload)
	canonical = r.canonical(payload.GetChaincodeProposalPayload(), &proposed) && canonical
	r.decode(proposed.GetInput(), &input)
	canonical = r.canonical(payload.GetAction().GetProposalResponsePayload(), &response) && canonical
	var args []string
	for _, b := range input.GetChaincodeSpec().GetInput().GetArgs() {
		args = append(args, r.bytes(b))
	}
	said := r.chaincodeAction(response.GetExtension())
	hash := sha256.Sum256(slices.Concat(header.GetChannelHeader(), header.GetSignatureHeader(), payload.GetChaincodeProposalPayload()))
	said["args"], said["transient"], said["proposalHash"] = args, len(proposed.GetTransientMap()), bytes.Equal(hash[:], response.GetProposalHash())
	said["endorsers"], said["canonical"] = r.endorsers(payload.GetAction()), canonical && said["canonical"].(bool)
	return said
}

// endorsers are who has endorsed, in any order, and whether they have signed it.
func (r reader) endorsers(action *peer.ChaincodeEndorsedAction) []string {
	var by []string
	for _, e := range action.GetEndorsements() {
		by = append(by, r.endorser(action.GetProposalResponsePayload(), e))
	}
	slices.Sort(by)
	return by
}

// endorser is who has endorsed.
func (r reader) endorser(payload []byte, e *peer.Endorsement) string {
	var id msp.SerializedIdentity
	r.decode(e.GetEndorser(), &id)
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return id.GetMspid() + ", without a certificate"
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	r.must(err)
	if cert.CheckSignature(x509.ECDSAWithSHA256, slices.Concat(payload, e.GetEndorser()), e.GetSignature()) != nil {
		return id.GetMspid() + ", who hasn't signed"
	}
	return id.GetMspid()
}

func (r reader) chaincodeAction(b []byte) say {
	var action peer.ChaincodeAction
	canonical := r.canonical(b, &action)
	said := say{
		"chaincode": action.GetChaincodeId().GetName() + ":" + action.GetChaincodeId().GetVersion(), "response": r.response(action.GetResponse()),
		"results": r.results(action.GetResults()),
	}
	if len(action.GetEvents()) > 0 {
		var event peer.ChaincodeEvent
		canonical = r.canonical(action.GetEvents(), &event) && canonical
		said["event"] = r.event(&event)
	}
	said["canonical"] = r.canonicalResults(action.GetResults()) && canonical
	return said
}

// canonicalResults says whether what a transaction read and wrote is canonical.
func (r reader) canonicalResults(b []byte) bool {
	var set rwset.TxReadWriteSet
	canonical := r.canonical(b, &set)
	for _, ns := range set.GetNsRwset() {
		canonical = r.canonical(ns.GetRwset(), &kvrwset.KVRWSet{}) && canonical
		for _, c := range ns.GetCollectionHashedRwset() {
			canonical = r.canonical(c.GetHashedRwset(), &kvrwset.HashedRWSet{}) && canonical
		}
	}
	return canonical
}

func (r reader) event(e *peer.ChaincodeEvent) say {
	return say{"chaincode": e.GetChaincodeId(), "name": e.GetEventName(), "payload": r.bytes(e.GetPayload()), "hasTxID": len(e.GetTxId()) == 64}
}

func (r reader) response(p *peer.Response) say {
	if p == nil {
		return nil
	}
	said := say{"status": p.GetStatus()}
	if p.GetMessage() != "" {
		said["message"] = r.text(p.GetMessage())
	}
	if len(p.GetPayload()) > 0 {
		said["payload"] = r.bytes(p.GetPayload())
	}
	return said
}

// results says what a transaction read and wrote.
func (r reader) results(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	var set rwset.TxReadWriteSet
	r.decode(b, &set)
	all := say{}
	for _, ns := range set.GetNsRwset() {
		var kv kvrwset.KVRWSet
		r.decode(ns.GetRwset(), &kv)
		said := r.keys(&kv)
		for _, c := range ns.GetCollectionHashedRwset() {
			var hashed kvrwset.HashedRWSet
			r.decode(c.GetHashedRwset(), &hashed)
			said["collection "+c.GetCollectionName()] = say{
				"reads": len(hashed.GetHashedReads()), "writes": len(hashed.GetHashedWrites()), "metadata": len(hashed.GetMetadataWrites()),
				"privateHash": len(c.GetPvtRwsetHash()),
			}
		}
		all[ns.GetNamespace()] = said
	}
	return all
}

func (r reader) keys(kv *kvrwset.KVRWSet) say {
	said := say{}
	add := func(kind, text string) {
		list, _ := said[kind].([]string)
		said[kind] = append(list, text)
	}
	for _, k := range kv.GetReads() {
		add("reads", k.GetKey()+r.version(k.GetVersion()))
	}
	for _, q := range kv.GetRangeQueriesInfo() {
		text := fmt.Sprintf("%q to %q exhausted=%t", q.GetStartKey(), q.GetEndKey(), q.GetItrExhausted())
		for _, k := range q.GetRawReads().GetKvReads() {
			text += " " + k.GetKey() + r.version(k.GetVersion())
		}
		add("ranges", text)
	}
	for _, w := range kv.GetWrites() {
		if w.GetIsDelete() {
			add("deletes", w.GetKey())
			continue
		}
		add("writes", w.GetKey()+"="+r.bytes(w.GetValue()))
	}
	for _, m := range kv.GetMetadataWrites() {
		text := m.GetKey()
		for _, e := range m.GetEntries() {
			text += " " + e.GetName()
		}
		add("metadata", text)
	}
	return said
}

func (r reader) version(v *kvrwset.Version) string {
	if v == nil {
		return "@none"
	}
	if v.GetBlockNum() < r.from {
		return "@before"
	}
	return fmt.Sprintf("@%s.%d", r.block(v.GetBlockNum()), v.GetTxNum())
}
