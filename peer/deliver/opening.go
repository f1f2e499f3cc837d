package deliver

import (
	"math"
	"time"
)

// opened is what a channel's height was when a stream was opened. It is for the first envelope.
type opened struct {
	at      time.Time
	heights map[*Channel]uint64
}

// overtaken is how long after its stream's opening an envelope may have been overtaken by a transaction.
const overtaken = time.Second

// noteOpening notes the heights of all channels, as far as they are known.
func (s *Server) noteOpening(to *subscriber) {
	if s.cfg.Channels == nil {
		return
	}
	to.opened = opened{at: s.cfg.Now(), heights: map[*Channel]uint64{}}
	for _, c := range s.cfg.Channels() {
		if c.Reached != nil {
			to.opened.heights[c] = c.Reached()
		}
	}
}

// heightAtOpening returns the height that a channel had, if the envelope that is looked at may have been overtaken since. It is the
// stream's first one. Otherwise the height is the largest there is.
func (s *Server) heightAtOpening(to *subscriber, c *Channel) uint64 {
	height, ok := to.opened.heights[c]
	to.opened.heights = nil
	if !ok || s.cfg.Now().Sub(to.opened.at) > overtaken {
		return math.MaxUint64
	}
	return height
}
