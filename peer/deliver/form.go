package deliver

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The forms in which blocks are sent to everybody alike.
const (
	whole = iota
	headers
	filtered
	withoutPrivate        // for clients that may have none of a block's private data, or of a block without any
	headersWithoutPrivate // that, and no envelopes
	forms
)

// form returns a marshalled DeliverResponse, which must not be modified. It is made when the first subscriber needs it.
func (c *Channel) form(ctx context.Context, b *cached, which int) ([]byte, error) {
	return b.forms[which].get(ctx, func(ctx context.Context) ([]byte, error) {
		encoded, err := encode(ctx, b.block.value, which)
		c.blocks.mu.Lock()
		defer c.blocks.mu.Unlock()
		c.grow(b, int64(len(encoded)))
		return encoded, err
	})
}

func encode(ctx context.Context, b *pb.Block, which int) ([]byte, error) {
	m := &pb.DeliverResponse{}
	switch which {
	case filtered:
		f, err := filter(ctx, b)
		if err != nil {
			return nil, err
		}
		m.Type = &pb.DeliverResponse_FilteredBlock{FilteredBlock: f}
	case headers:
		m.Type = &pb.DeliverResponse_Block{Block: withoutData(b)}
	case withoutPrivate:
		m.Type = &pb.DeliverResponse_BlockAndPrivateData{BlockAndPrivateData: &pb.BlockAndPrivateData{Block: b}}
	case headersWithoutPrivate:
		m.Type = &pb.DeliverResponse_BlockAndPrivateData{BlockAndPrivateData: &pb.BlockAndPrivateData{Block: withoutData(b)}}
	default:
		m.Type = &pb.DeliverResponse_Block{Block: b}
	}
	encoded, err := proto.Marshal(m)
	return encoded, errors.Wrap(err, "marshal DeliverResponse")
}

// withoutData returns a block without its envelopes. Of a configuration they are left, for who wants headers wants to check them, and
// the next ones are checked by it.
func withoutData(b *pb.Block) *pb.Block {
	if data := b.GetData().GetData(); len(data) > 0 {
		switch t, ok := block.HeaderType(data[0]); {
		case !ok:
		case t == pb.HeaderType_CONFIG, t == pb.HeaderType_ORDERER_TRANSACTION:
			return b
		}
	}
	return &pb.Block{Header: b.GetHeader(), Metadata: b.GetMetadata()}
}

// sendForm sends blocks in a form that is the same for everybody. A block that can't be filtered is BAD_REQUEST, and the next one
// follows, as in Fabric.
func sendForm(which int) sender {
	return func(to *subscriber, d delivery) error {
		which := which
		if which == whole && d.headers {
			which = headers
		}
		encoded, err := d.channel.form(to.ctx, d.block, which)
		if ended := to.ctx.Err(); err != nil && ended != nil {
			return gone(ended)
		}
		if err != nil {
			return to.sendStatus(pb.Status_BAD_REQUEST)
		}
		return to.send(encoded)
	}
}
