package clients_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/ccpeer/ccpeer/proto"
)

// methods are the messages of each method, of which the client sends the first.
var methods = map[string][2]proto.Message{
	"/gateway.Gateway/Evaluate":              {&pb.EvaluateRequest{}, &pb.EvaluateResponse{}},
	"/gateway.Gateway/Endorse":               {&pb.EndorseRequest{}, &pb.EndorseResponse{}},
	"/gateway.Gateway/Submit":                {&pb.SubmitRequest{}, &pb.SubmitResponse{}},
	"/gateway.Gateway/CommitStatus":          {&pb.SignedCommitStatusRequest{}, &pb.CommitStatusResponse{}},
	"/gateway.Gateway/ChaincodeEvents":       {&pb.SignedChaincodeEventsRequest{}, &pb.ChaincodeEventsResponse{}},
	"/protos.Deliver/Deliver":                {&pb.Envelope{}, &pb.DeliverResponse{}},
	"/protos.Deliver/DeliverFiltered":        {&pb.Envelope{}, &pb.DeliverResponse{}},
	"/protos.Deliver/DeliverWithPrivateData": {&pb.Envelope{}, &pb.DeliverResponse{}},
	"/protos.Endorser/ProcessProposal":       {&pb.SignedProposal{}, &pb.ProposalResponse{}},
	"/orderer.AtomicBroadcast/Broadcast":     {&pb.Envelope{}, &pb.BroadcastResponse{}},
	"/discovery.Discovery/Discover":          {&pb.SignedDiscoveryRequest{}, &pb.DiscoveryResponse{}},
}

// within are the messages that fields of bytes hold.
var within = map[string]proto.Message{
	"Envelope.payload": &pb.Payload{}, "Header.channel_header": &pb.ChannelHeader{}, "Header.signature_header": &pb.SignatureHeader{},
	"ChannelHeader.extension": &pb.ChaincodeHeaderExtension{}, "SignatureHeader.creator": &pb.SerializedIdentity{},
	"SignedProposal.proposal_bytes": &pb.Proposal{}, "Proposal.header": &pb.Header{}, "Proposal.payload": &pb.ChaincodeProposalPayload{},
	"ChaincodeProposalPayload.input": &pb.ChaincodeInvocationSpec{}, "ProposalResponse.payload": &pb.ProposalResponsePayload{},
	"ProposalResponsePayload.extension": &pb.ChaincodeAction{}, "ChaincodeAction.results": &pb.TxReadWriteSet{},
	"ChaincodeAction.events": &pb.ChaincodeEvent{}, "NsReadWriteSet.rwset": &pb.KVRWSet{},
	"CollectionHashedReadWriteSet.hashed_rwset": &pb.HashedRWSet{}, "CollectionPvtReadWriteSet.rwset": &pb.KVRWSet{},
	"TransactionAction.header": &pb.SignatureHeader{}, "TransactionAction.payload": &pb.ChaincodeActionPayload{},
	"ChaincodeActionPayload.chaincode_proposal_payload": &pb.ChaincodeProposalPayload{},
	"ChaincodeEndorsedAction.proposal_response_payload": &pb.ProposalResponsePayload{},
	"SignedCommitStatusRequest.request":                 &pb.CommitStatusRequest{}, "CommitStatusRequest.identity": &pb.SerializedIdentity{},
	"SignedChaincodeEventsRequest.request": &pb.ChaincodeEventsRequest{}, "ChaincodeEventsRequest.identity": &pb.SerializedIdentity{},
	"BlockData.data": &pb.Envelope{}, "SignedDiscoveryRequest.payload": &pb.DiscoveryRequest{},
	"DiscoveryAuthInfo.client_identity": &pb.SerializedIdentity{}, "DiscoveredPeer.identity": &pb.SerializedIdentity{},
	"GossipEnvelope.payload": &pb.GossipMessage{}, "AliveMessage.identity": &pb.SerializedIdentity{},
}

// payloads are the messages that a payload's data holds, by the type in its channel header.
var payloads = map[int32]proto.Message{
	int32(pb.HeaderType_ENDORSER_TRANSACTION): &pb.Transaction{}, int32(pb.HeaderType_DELIVER_SEEK_INFO): &pb.SeekInfo{},
}

// different are the fields that differ each time.
var different = map[string]string{
	"timestamp": "TIME", "signature": "SIGNATURE", "nonce": "NONCE", "id_bytes": "CERTIFICATE", "pki_id": "ID",
	"endorser": "PEER", "block_number": "NUMBER", "block_num": "NUMBER", "ledger_height": "NUMBER", "port": "PORT",
}

// text is a message in one line, without what differs each time. Messages that are in fields of bytes are read, too.
func text(m protoreflect.Message) string {
	var fields []string
	descriptors := m.Descriptor().Fields()
	for i := range descriptors.Len() {
		if f := descriptors.Get(i); m.Has(f) {
			fields = append(fields, fieldText(m, f))
		}
	}
	if n := len(m.GetUnknown()); n > 0 {
		fields = append(fields, fmt.Sprintf("unknown:%d bytes", n))
	}
	return "{" + strings.Join(fields, " ") + "}"
}

func fieldText(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	name := string(f.Name())
	if name == "metadata" && f.IsList() { // a block's
		return fmt.Sprintf("metadata:%v", m.Get(f).List().Get(int(pb.BlockMetadataIndex_TRANSACTIONS_FILTER)).Bytes())
	}
	if text := different[name]; text != "" && !f.IsList() && !f.IsMap() {
		return name + ":" + text
	}
	var values []string
	switch {
	case f.IsList():
		for i := range m.Get(f).List().Len() {
			values = append(values, name+":"+valueText(m, f, m.Get(f).List().Get(i)))
		}
		if m.Descriptor().Name() == "GossipProperties" { // those are in no order
			slices.Sort(values)
		}
	case f.IsMap():
		m.Get(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			values = append(values, fmt.Sprintf("%s[%s]:%s", name, k.String(), valueText(m, f.MapValue(), v)))
			return true
		})
		slices.Sort(values)
	default:
		values = append(values, name+":"+valueText(m, f, m.Get(f)))
	}
	return strings.Join(values, " ")
}

func valueText(m protoreflect.Message, f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return text(v.Message())
	case protoreflect.BytesKind:
		return bytesText(m, f, v.Bytes())
	case protoreflect.StringKind:
		return strconv.Quote(v.String())
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name())
		}
	case protoreflect.Uint64Kind:
		if v.Uint() < 1<<32 && f.Name() == "number" { // of a block that there is
			return "NUMBER"
		}
	}
	return v.String()
}

// bytesText is what bytes hold: a message, text, or so many bytes.
func bytesText(m protoreflect.Message, f protoreflect.FieldDescriptor, b []byte) string {
	held := within[string(m.Descriptor().Name())+"."+string(f.Name())]
	if p, ok := m.Interface().(*pb.Payload); ok {
		h := &pb.ChannelHeader{}
		if proto.Unmarshal(p.GetHeader().GetChannelHeader(), h) == nil {
			held = payloads[h.GetType()]
		}
	}
	if held != nil {
		if into := held.ProtoReflect().New(); proto.Unmarshal(b, into.Interface()) == nil {
			return text(into)
		}
	}
	if bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE")) {
		return "CERTIFICATE"
	}
	if len(b) > 100 || !utf8.Valid(b) || strings.ContainsFunc(string(b), unicode.IsControl) {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return strconv.Quote(string(b))
}
