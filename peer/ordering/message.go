package ordering

import (
	"fmt"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// message is an envelope that somebody broadcasts.
type message struct {
	envelope pb.Envelope
	payload  pb.Payload
	header   pb.ChannelHeader
	entry    entry
}

// entry is what waits of an envelope until its block is cut.
type entry struct {
	// bytes will be in the block. Peers want an envelope as Marshal gives it, so it isn't simply what was sent.
	bytes []byte
	// size is what batches count.
	size int
}

// overhead is about what an envelope takes in memory beside its bytes.
const overhead = 100

// room is what an envelope needs of its channel's room.
func (e entry) room() int64 { return int64(len(e.bytes)) + overhead }

// open decodes an envelope as far as its channel (Fabric: protoutil.ChannelHeader).
func (m *message) open(envelope []byte) error {
	if err := proto.Unmarshal(envelope, &m.envelope); err != nil {
		return refuse(BadRequest, "error unmarshalling Envelope: "+err.Error())
	}
	const prefix = "could not determine channel ID: "
	if err := proto.Unmarshal(m.envelope.GetPayload(), &m.payload); err != nil {
		return refuse(BadRequest, prefix+"error unmarshalling Payload: "+err.Error())
	}
	header := m.payload.GetHeader()
	if header == nil {
		return refuse(BadRequest, prefix+"header not set")
	}
	if header.GetChannelHeader() == nil {
		return refuse(BadRequest, prefix+"channel header not set")
	}
	if err := proto.Unmarshal(header.GetChannelHeader(), &m.header); err != nil {
		return refuse(BadRequest, prefix+"error unmarshalling channel header: error unmarshalling ChannelHeader: "+err.Error())
	}
	var err error
	if m.entry.bytes, err = proto.Marshal(&m.envelope); err != nil {
		return refuse(BadRequest, "error marshalling Envelope: "+err.Error())
	}
	m.entry.size = len(m.envelope.GetPayload()) + len(m.envelope.GetSignature())
	m.entry.size += len(m.envelope.ProtoReflect().GetUnknown()) // Fabric doesn't count it, and so has no limit for it
	return nil
}

// check does what Fabric's orderer does before it orders (orderer/common: broadcast, msgprocessor), in its order.
func (c *channel) check(m *message) error {
	switch pb.HeaderType(m.header.GetType()) {
	case pb.HeaderType_CONFIG, pb.HeaderType_ORDERER_TRANSACTION:
		return refuse(BadRequest, "message is of type that cannot be processed directly")
	case pb.HeaderType_CONFIG_UPDATE:
		if err := c.filter(m); err != nil {
			return refuse(err.Status, "config update for existing channel did not pass initial checks: "+err.Text)
		}
		return refuse(BadRequest, "error applying config update to existing channel '"+c.ID+"': this orderer takes no config updates")
	}
	if err := c.filter(m); err != nil {
		return err
	}
	return nil
}

// filter applies the rules that hold for every envelope. One of them is left out: that it isn't empty. An empty one has no channel.
func (c *channel) filter(m *message) *Error {
	if size := m.entry.size; size > c.Batch.AbsoluteMaxBytes {
		return &Error{BadRequest, fmt.Sprintf("message payload is %d bytes and exceeds maximum allowed %d bytes", size, c.Batch.AbsoluteMaxBytes)}
	}
	if c.Verifier == nil {
		return nil
	}
	var signature pb.SignatureHeader
	if err := proto.Unmarshal(m.payload.GetHeader().GetSignatureHeader(), &signature); err != nil {
		return &Error{BadRequest, "could not convert message to signedData: GetSignatureHeaderFromBytes failed, err " + err.Error()}
	}
	who, err := c.Verifier.Identify(signature.GetCreator())
	var end time.Time
	if err == nil {
		end = who.ExpiresAt() // the same, without decoding the certificate again
	} else {
		end = identity.ExpiresAt(signature.GetCreator())
	}
	if !end.IsZero() && !time.Now().Before(end) {
		return &Error{BadRequest, "broadcast client identity expired"}
	}
	if err == nil {
		err = who.Verify(m.envelope.GetPayload(), m.envelope.GetSignature())
	}
	if err := c.permit(who, err); err != nil {
		return &Error{Forbidden, err.Error() + ": permission denied"}
	}
	return nil
}

// permit returns an error unless the creator may write. err is why the creator isn't known, or hasn't signed.
func (c *channel) permit(who *identity.Verified, err error) error {
	var signers []*identity.Verified
	if err == nil {
		signers = append(signers, who)
	} else if entry := c.orderer.Logger.Check(zap.DebugLevel, "envelope is not signed by a member"); entry != nil {
		entry.Write(zap.String("channel", c.ID), zap.Error(err))
	}
	if c.Writers != nil {
		return c.Writers.Evaluate(signers)
	}
	if len(signers) == 0 {
		return errors.New("signature set did not satisfy policy")
	}
	return nil
}
