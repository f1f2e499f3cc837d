package ordering

import (
	"context"
	"fmt"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Configure makes a block of a channel's new configuration, a marshalled Envelope of type CONFIG, after everything that waits. From then
// on, blocks name that block as the one with the last configuration. It is for whoever runs the orderer: nobody looks at what the
// configuration says, or whether who has signed it may change it.
func (o *Orderer) Configure(ctx context.Context, envelope []byte) error {
	var m message
	if err := m.open(envelope); err != nil {
		return err
	}
	if t := pb.HeaderType(m.header.GetType()); t != pb.HeaderType_CONFIG {
		return refuse(BadRequest, fmt.Sprintf("message is of type %s, want %s", t, pb.HeaderType_CONFIG))
	}
	c := o.channel(m.header.GetChannelId())
	if c == nil {
		return unknownChannel()
	}
	if err := c.enter(ctx, m.entry.room()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return stopped()
	}
	c.stopTimer()
	c.write(c.cutter.cut())
	c.Head.LastConfig = c.window.end()
	c.write([]entry{m.entry})
	if c.err != nil {
		return stopped()
	}
	return nil
}
