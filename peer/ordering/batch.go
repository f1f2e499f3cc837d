package ordering

// cutter collects envelopes until a block is full (Fabric: orderer/common/blockcutter).
type cutter struct {
	Batch
	pending []entry
	bytes   int // of pending, as batches count them
}

// add takes an envelope and returns the blocks that are full then: none, one or two. It can be in the last of them.
func (c *cutter) add(e entry) (full [][]entry) {
	if e.size > c.PreferredMaxBytes {
		if len(c.pending) > 0 {
			full = append(full, c.cut())
		}
		return append(full, []entry{e})
	}
	if c.bytes+e.size > c.PreferredMaxBytes {
		full = append(full, c.cut())
	}
	c.pending = append(c.pending, e)
	c.bytes += e.size
	if len(c.pending) >= c.MaxMessageCount {
		full = append(full, c.cut())
	}
	return full
}

// cut returns what is pending, and forgets it.
func (c *cutter) cut() []entry {
	batch := c.pending
	c.pending, c.bytes = nil, 0
	return batch
}
