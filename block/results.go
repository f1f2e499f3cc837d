package block

import (
	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Who keeps blocks must find the read/write set in each envelope, and nothing else. Who tells of events wants these. Decoding takes a dozen messages and copies
// all bytes of each layer. These functions walk over the bytes instead, and copy nothing. Where a field is there twice they do
// as protobuf does: of bytes the last one counts, and messages are merged. So they find what ParseTransaction finds.

// The numbers of fields on the way to a read/write set and an event, outermost first, and of those beside it.
const (
	envelopePayload          = 1
	payloadHeader            = 1
	payloadData              = 2
	headerChannelHeader      = 1
	headerSignatureHeader    = 2
	channelHeaderType        = 1
	signatureHeaderNonce     = 2
	transactionActions       = 1
	transactionActionHeader  = 1
	transactionActionPayload = 2
	payloadProposal          = 1
	payloadAction            = 2
	actionResponsePayload    = 1
	responsePayloadHash      = 1
	responsePayloadExtension = 2
	chaincodeActionResults   = 1
	chaincodeActionEvents    = 2
	chaincodeActionResponse  = 3
)

// HeaderType returns what kind of transaction a marshalled Envelope has. It is false if the Envelope can't be decoded so far,
// or doesn't have that header.
func HeaderType(envelope []byte) (pb.HeaderType, bool) {
	payload, ok := lastBytes(envelope, envelopePayload)
	if !ok {
		return 0, false
	}
	header, found := []byte(nil), false
	ok = eachBytes(payload, payloadHeader, func(part []byte) bool {
		channel, ok := lastBytes(part, headerChannelHeader)
		if channel != nil {
			header, found = channel, true
		}
		return ok
	})
	if !ok || !found {
		return 0, false
	}
	number, ok := uint64(0), true
	for len(header) > 0 && ok {
		num, typ, n := protowire.ConsumeTag(header)
		if n < 0 {
			return 0, false
		}
		value := header[n:]
		if n = protowire.ConsumeFieldValue(num, typ, value); n < 0 {
			return 0, false
		}
		if num == channelHeaderType && typ == protowire.VarintType {
			number, _ = protowire.ConsumeVarint(value)
		}
		header = value[n:]
	}
	return pb.HeaderType(int32(number)), true //nolint:gosec // as protobuf does: the lower bits count
}

// Results returns the marshalled TxReadWriteSet of an endorsed transaction, given its marshalled Envelope. It is a part of the
// envelope, and never nil. It is false if the Envelope can't be decoded so far, if it is of another type, or if it doesn't have
// one action.
func Results(envelope []byte) ([]byte, bool) {
	done, ok := chaincodeAction(envelope)
	if !ok {
		return nil, false
	}
	results, ok := lastBytes(done, chaincodeActionResults)
	if results == nil {
		results = []byte{}
	}
	return results, ok
}

// Event returns the marshalled ChaincodeEvent of an endorsed transaction, given its marshalled Envelope. It is a part of the
// envelope, and nil if there is none. It is false where Results is.
func Event(envelope []byte) ([]byte, bool) {
	done, ok := chaincodeAction(envelope)
	if !ok {
		return nil, false
	}
	return lastBytes(done, chaincodeActionEvents)
}

// chaincodeAction returns the ChaincodeAction of an endorsed transaction.
func chaincodeAction(envelope []byte) ([]byte, bool) {
	if t, ok := HeaderType(envelope); !ok || t != pb.HeaderType_ENDORSER_TRANSACTION {
		return nil, false
	}
	payload, _ := lastBytes(envelope, envelopePayload) // HeaderType has been here
	data, ok := lastBytes(payload, payloadData)
	if !ok {
		return nil, false
	}
	var action []byte
	actions := 0
	ok = eachBytes(data, transactionActions, func(b []byte) bool {
		action = b
		actions++
		return true
	})
	if !ok || actions != 1 {
		return nil, false
	}
	inner, ok := lastBytes(action, transactionActionPayload)
	if !ok {
		return nil, false
	}
	var endorsed []byte
	ok = eachBytes(inner, payloadAction, func(part []byte) bool {
		b, ok := lastBytes(part, actionResponsePayload)
		if b != nil {
			endorsed = b
		}
		return ok
	})
	if !ok || endorsed == nil {
		return nil, false
	}
	done, ok := lastBytes(endorsed, responsePayloadExtension)
	return done, ok && len(done) > 0
}

// lastBytes returns the last value of a field that holds bytes or a message. It is nil if there is none. It is false if b is no
// message.
func lastBytes(b []byte, field protowire.Number) (last []byte, ok bool) {
	ok = eachBytes(b, field, func(value []byte) bool {
		last = value
		return true
	})
	return last, ok
}

// eachBytes calls do for all values of such a field, in their order, until do returns false. It returns false then, and if b is
// no message.
func eachBytes(b []byte, field protowire.Number, do func(value []byte) bool) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		if num == field && typ == protowire.BytesType {
			value, n := protowire.ConsumeBytes(b)
			if n < 0 || !do(value[:len(value):len(value)]) {
				return false
			}
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}
