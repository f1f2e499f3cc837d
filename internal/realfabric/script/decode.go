package script

import (
	"bytes"
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
func (r *run) decode(b []byte, into proto.Message) {
	r.must(proto.Unmarshal(b, into))
}

// mspOf is the organization of somebody serialized.
func (r *run) mspOf(identity []byte) string {
	var id msp.SerializedIdentity
	r.decode(identity, &id)
	return id.GetMspid()
}

// transaction says what is in an envelope that a gateway prepared, or that is in a block.
func (r *run) transaction(e *common.Envelope) say {
	var (
		payload common.Payload
		header  common.ChannelHeader
		signer  common.SignatureHeader
		tx      peer.Transaction
	)
	r.decode(e.GetPayload(), &payload)
	r.decode(payload.GetHeader().GetChannelHeader(), &header)
	r.decode(payload.GetHeader().GetSignatureHeader(), &signer)
	said := say{
		"signed": len(e.GetSignature()) > 0, "type": common.HeaderType(header.GetType()).String(), "channel": header.GetChannelId(), "epoch": header.GetEpoch(),
		"version": header.GetVersion(), "extension": len(header.GetExtension()) > 0, "creator": r.creatorOf(signer.GetCreator()), "nonce": len(signer.GetNonce()),
	}
	if header.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) {
		return said
	}
	r.decode(payload.GetData(), &tx)
	var actions []say
	for _, a := range tx.GetActions() {
		action := r.action(a)
		action["headerIsSigner"] = bytes.Equal(a.GetHeader(), payload.GetHeader().GetSignatureHeader())
		actions = append(actions, action)
	}
	said["actions"] = actions
	return said
}

func (r *run) creatorOf(creator []byte) string {
	if len(creator) == 0 {
		return ""
	}
	return r.mspOf(creator)
}

func (r *run) action(a *peer.TransactionAction) say {
	var (
		payload  peer.ChaincodeActionPayload
		proposed peer.ChaincodeProposalPayload
		input    peer.ChaincodeInvocationSpec
		response peer.ProposalResponsePayload
	)
	r.decode(a.GetPayload(), &payload)
	r.decode(payload.GetChaincodeProposalPayload(), &proposed)
	r.decode(proposed.GetInput(), &input)
	r.decode(payload.GetAction().GetProposalResponsePayload(), &response)
	var args []string
	for _, b := range input.GetChaincodeSpec().GetInput().GetArgs() {
		args = append(args, r.bytes(b))
	}
	said := r.chaincodeAction(response.GetExtension())
	said["args"], said["transient"], said["proposalHash"] = args, len(proposed.GetTransientMap()), len(response.GetProposalHash())
	said["endorsers"] = r.endorsers(payload.GetAction().GetEndorsements())
	return said
}

func (r *run) endorsers(all []*peer.Endorsement) []string {
	var by []string
	for _, e := range all {
		by = append(by, r.mspOf(e.GetEndorser()))
	}
	slices.Sort(by)
	return by
}

func (r *run) chaincodeAction(b []byte) say {
	var action peer.ChaincodeAction
	r.decode(b, &action)
	said := say{
		"chaincode": action.GetChaincodeId().GetName() + ":" + action.GetChaincodeId().GetVersion(), "response": r.response(action.GetResponse()),
		"results": r.results(action.GetResults()),
	}
	if len(action.GetEvents()) > 0 {
		var event peer.ChaincodeEvent
		r.decode(action.GetEvents(), &event)
		said["event"] = r.event(&event)
	}
	return said
}

func (r *run) event(e *peer.ChaincodeEvent) say {
	return say{"chaincode": e.GetChaincodeId(), "name": e.GetEventName(), "payload": r.bytes(e.GetPayload()), "hasTxID": len(e.GetTxId()) == 64}
}

func (r *run) response(p *peer.Response) say {
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
func (r *run) results(b []byte) any {
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

func (r *run) keys(kv *kvrwset.KVRWSet) say {
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

func (r *run) version(v *kvrwset.Version) string {
	if v == nil {
		return "@none"
	}
	if v.GetBlockNum() < r.from {
		return "@before"
	}
	return fmt.Sprintf("@%s.%d", r.block(v.GetBlockNum()), v.GetTxNum())
}
