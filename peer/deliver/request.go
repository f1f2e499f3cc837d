package deliver

import (
	"bytes"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
)

// request is what a client wants.
type request struct {
	client acl.Request
	seek   []byte // a marshalled SeekInfo
	leave  leave
}

// leave is what the ACL has said, and when it must be asked again.
type leave struct {
	ends     time.Time // when the client's certificate ends; zero if it doesn't
	asked    bool
	sequence uint64 // of the configuration by which it was given
}

// open takes an envelope apart, and checks what doesn't depend on the channel. Whether there is a nonce doesn't matter.
func (s *Server) open(from *subscriber, envelope *pb.Envelope) (*request, error) {
	if size := len(envelope.GetPayload()) + len(envelope.GetSignature()); size > s.cfg.MaxEnvelopeBytes {
		return nil, errors.Errorf("envelope has %d bytes, want no more than %d", size, s.cfg.MaxEnvelopeBytes)
	}
	var (
		payload   pb.Payload
		header    pb.ChannelHeader
		signature pb.SignatureHeader
	)
	if err := proto.Unmarshal(envelope.GetPayload(), &payload); err != nil {
		return nil, errors.Wrap(err, "decode Payload")
	}
	if payload.GetHeader() == nil {
		return nil, errors.New("envelope has no header")
	}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header); err != nil {
		return nil, errors.Wrap(err, "decode ChannelHeader")
	}
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), &signature); err != nil {
		return nil, errors.Wrap(err, "decode SignatureHeader")
	}
	if err := s.checkHeader(from, &header); err != nil {
		return nil, err
	}
	return &request{
		client: acl.Request{
			Resource: from.resource, ChannelID: header.GetChannelId(),
			Data: envelope.GetPayload(), Identity: signature.GetCreator(), Signature: envelope.GetSignature(),
		},
		seek:  payload.GetData(),
		leave: leave{ends: identity.ExpiresAt(signature.GetCreator())},
	}, nil
}

func (s *Server) checkHeader(from *subscriber, header *pb.ChannelHeader) error {
	if header.GetTimestamp() == nil {
		return errors.New("channel header has no timestamp")
	}
	now := s.cfg.Now()
	if at := header.GetTimestamp().AsTime(); now.Sub(at).Abs() > s.cfg.TimeWindow {
		return errors.Errorf("timestamp %s is more than %s from now, %s", at, s.cfg.TimeWindow, now)
	}
	if !s.cfg.MutualTLS {
		return nil // some clients send a hash all the same
	}
	switch {
	case len(header.GetTlsCertHash()) == 0:
		return errors.New("client has not sent the hash of its TLS certificate")
	case from.certificate == nil:
		return errors.New("client has not shown a TLS certificate")
	case !bytes.Equal(from.certificate, header.GetTlsCertHash()):
		return errors.New("client has sent the hash of another TLS certificate than its own")
	}
	return nil
}

// permit returns an error unless the client may have blocks now. The ACL is asked the first time, and when the configuration has
// changed.
func (s *Server) permit(from *subscriber, c *Channel, r *request) error {
	if now := s.cfg.Now(); !r.leave.ends.IsZero() && now.After(r.leave.ends) {
		return errors.Errorf("client's certificate has ended %s ago", now.Sub(r.leave.ends))
	}
	sequence := c.sequence()
	if r.leave.asked && sequence <= r.leave.sequence {
		return nil
	}
	r.leave.asked, r.leave.sequence = true, max(sequence, r.leave.sequence)
	return s.cfg.ACL.Check(from.ctx, r.client)
}
