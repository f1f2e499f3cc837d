package ordering

import (
	"context"

	"github.com/pkg/errors"
)

// BroadcastTogether has envelopes of one channel ordered as a block of their own, in their order. What came before them is in
// blocks before it. A batch has no say. If one of the envelopes is refused, none is ordered. It is for tests and for programs in
// the process: an ordering service on other machines can't do it.
func (o *Orderer) BroadcastTogether(ctx context.Context, envelopes [][]byte) error {
	var (
		c     *channel
		batch []entry
		room  int64
	)
	for _, envelope := range envelopes {
		var m message
		if err := m.open(envelope); err != nil {
			return err
		}
		of := o.channel(m.header.GetChannelId())
		switch {
		case of == nil:
			return unknownChannel()
		case c != nil && of != c:
			return errors.New("the envelopes are of more than one channel")
		}
		c = of
		if err := c.check(&m); err != nil {
			return err
		}
		batch = append(batch, m.entry)
		room += m.entry.room()
	}
	if c == nil {
		return nil
	}
	return c.orderTogether(ctx, batch, room)
}

func (c *channel) orderTogether(ctx context.Context, batch []entry, room int64) error {
	if room > c.orderer.MaxWaitingBytes {
		return errors.Errorf("the envelopes have %d bytes together, want at most Config.MaxWaitingBytes, %d", room, c.orderer.MaxWaitingBytes)
	}
	if err := c.enter(ctx, room); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return stopped()
	}
	c.stopTimer()
	c.write(c.cutter.cut())
	c.write(batch)
	if c.err != nil {
		return stopped()
	}
	return nil
}
