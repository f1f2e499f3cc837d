package channelconfig

import (
	"crypto/rand"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	headerVersion = 1  // of the first block's transaction, as Fabric writes it
	nonceSize     = 24 // Fabric's
)

// Genesis returns the first block of a new channel, in which the configuration stands alone. Nobody has signed it: those who have the
// same one are on the same channel. It has a nonce and the time, so it is another one each time (Fabric: common/genesis).
func (c Channel) Genesis(channelID string) (*pb.Block, error) {
	b, err := c.genesis(channelID)
	return b, errors.WithMessagef(err, "make first block of channel %s", channelID)
}

func (c Channel) genesis(channelID string) (*pb.Block, error) {
	envelope, err := c.envelope(channelID)
	if err != nil {
		return nil, err
	}
	b, err := block.New(0, nil, [][]byte{envelope})
	if err != nil {
		return nil, err
	}
	last := &pb.LastConfig{Index: 0}
	value, err := marshal(last)
	if err != nil {
		return nil, err
	}
	signed, err := marshal(&pb.OrdererBlockMetadata{LastConfig: last})
	if err != nil {
		return nil, err
	}
	for slot, value := range map[pb.BlockMetadataIndex][]byte{pb.BlockMetadataIndex_LAST_CONFIG: value, pb.BlockMetadataIndex_SIGNATURES: signed} {
		if b.Metadata.Metadata[slot], err = marshal(&pb.Metadata{Value: value}); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// envelope returns the configuration as the first transaction.
func (c Channel) envelope(channelID string) ([]byte, error) {
	config, err := c.Config()
	if err != nil {
		return nil, err
	}
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	header := &pb.ChannelHeader{Version: headerVersion, ChannelId: channelID, TxId: identity.ComputeTxID(nonce, nil)}
	payload, err := payloadOf(config, header, &pb.SignatureHeader{Nonce: nonce})
	if err != nil {
		return nil, err
	}
	return marshal(&pb.Envelope{Payload: payload})
}

// Envelope returns a configuration as a transaction, a marshalled Envelope that somebody has signed. It is for one that follows another:
// see Update and Genesis.
func Envelope(channelID string, config *pb.Config, by identity.Signer) ([]byte, error) {
	b, err := signedEnvelope(channelID, config, by)
	return b, errors.WithMessagef(err, "make configuration of channel %s", channelID)
}

func signedEnvelope(channelID string, config *pb.Config, by identity.Signer) ([]byte, error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	payload, err := payloadOf(config, &pb.ChannelHeader{ChannelId: channelID}, &pb.SignatureHeader{Nonce: nonce, Creator: by.Creator()})
	if err != nil {
		return nil, err
	}
	signature, err := by.Sign(payload)
	if err != nil {
		return nil, errors.WithMessage(err, "sign")
	}
	return marshal(&pb.Envelope{Payload: payload, Signature: signature})
}

func newNonce() ([]byte, error) {
	nonce := make([]byte, nonceSize)
	_, err := rand.Read(nonce)
	return nonce, errors.Wrap(err, "make nonce")
}

// payloadOf returns the marshalled Payload of a configuration, which is made now.
func payloadOf(config *pb.Config, channel *pb.ChannelHeader, signature *pb.SignatureHeader) (_ []byte, err error) {
	channel.Type, channel.Timestamp = int32(pb.HeaderType_CONFIG), &timestamppb.Timestamp{Seconds: time.Now().Unix()}
	payload := &pb.Payload{Header: &pb.Header{}}
	for _, part := range []struct {
		into *[]byte
		m    proto.Message
	}{
		{&payload.Header.ChannelHeader, channel}, {&payload.Header.SignatureHeader, signature}, {&payload.Data, &pb.ConfigEnvelope{Config: config}},
	} {
		if *part.into, err = marshal(part.m); err != nil {
			return nil, err
		}
	}
	return marshal(payload)
}

// ErrNoConfig is, or is wrapped by, the error of FromBlock for a block that has no configuration.
var ErrNoConfig = errors.New("the block has no configuration")

// FromBlock returns the configuration that a block has. See Read for what it says.
func FromBlock(b *pb.Block) (*pb.Config, error) {
	config, err := fromBlock(b)
	return config, errors.WithMessagef(err, "read configuration of block %d", b.GetHeader().GetNumber())
}

func fromBlock(b *pb.Block) (*pb.Config, error) {
	data := b.GetData().GetData()
	if len(data) != 1 { // a configuration stands alone
		return nil, ErrNoConfig
	}
	if t, ok := block.HeaderType(data[0]); !ok || t != pb.HeaderType_CONFIG {
		return nil, ErrNoConfig
	}
	var (
		envelope pb.Envelope
		payload  pb.Payload
	)
	if err := proto.Unmarshal(data[0], &envelope); err != nil {
		return nil, errors.Wrap(err, "decode Envelope")
	}
	if err := proto.Unmarshal(envelope.GetPayload(), &payload); err != nil {
		return nil, errors.Wrap(err, "decode Payload")
	}
	return Unmarshal(payload.GetData())
}

// Unmarshal returns the configuration in a marshalled ConfigEnvelope, which is the data of a transaction of type CONFIG.
func Unmarshal(configEnvelope []byte) (*pb.Config, error) {
	var e pb.ConfigEnvelope
	if err := proto.Unmarshal(configEnvelope, &e); err != nil {
		return nil, errors.Wrap(err, "decode ConfigEnvelope")
	}
	if e.GetConfig().GetChannelGroup() == nil {
		return nil, errors.New("ConfigEnvelope has no configuration")
	}
	return e.GetConfig(), nil
}
