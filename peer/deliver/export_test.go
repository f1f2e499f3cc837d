package deliver

// Kept returns how many blocks are kept for subscribers who come later, how many bytes they count as, and how many blocks are known,
// waited for or kept.
func (c *Channel) Kept() (kept int, bytes int64, known int) {
	c.blocks.mu.Lock()
	defer c.blocks.mu.Unlock()
	return c.blocks.used.Len(), c.blocks.bytes, len(c.blocks.byNumber)
}
