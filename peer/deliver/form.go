package deliver

import (
	"sync"

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

// form is a block in one of these forms. It is made when the first subscriber needs it.
type form struct {
	once    sync.Once
	encoded []byte // a marshalled DeliverResponse
	err     error
}

// form returns a marshalled DeliverResponse, which must not be modified.
func (c *Channel) form(b *cached, which int) ([]byte, error) {
	f := &b.forms[which]
	f.once.Do(func() {
		f.encoded, f.err = encode(b.block, which)
		c.blocks.mu.Lock()
		defer c.blocks.mu.Unlock()
		c.grow(b, int64(len(f.encoded)))
	})
	return f.encoded, f.err
}

func encode(b *pb.Block, which int) ([]byte, error) {
	m := &pb.DeliverResponse{}
	switch which {
	case filtered:
		f, err := filter(b)
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
		encoded, err := d.channel.form(d.block, which)
		if err != nil {
			return to.sendStatus(pb.Status_BAD_REQUEST)
		}
		return to.send(encoded)
	}
}
