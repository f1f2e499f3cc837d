package gateway

// Waiting is what is kept for clients that wait: channels that are followed, transactions, and chaincodes.
func (g *Gateway) Waiting() (channels, txs, chaincodes int) {
	g.feeds.mu.Lock()
	defer g.feeds.mu.Unlock()
	for _, f := range g.feeds.byChannel {
		f.mu.Lock()
		channels, txs, chaincodes = channels+1, txs+len(f.txs), chaincodes+len(f.news)
		f.mu.Unlock()
	}
	return channels, txs, chaincodes
}

// Kept is of how many blocks events are kept, and how many bytes they take.
func (g *Gateway) Kept() (blocks, bytes int) {
	g.feeds.mu.Lock()
	defer g.feeds.mu.Unlock()
	for _, f := range g.feeds.byChannel {
		f.mu.Lock()
		blocks += len(f.recent)
		for _, e := range f.recent {
			bytes += e.bytes
		}
		f.mu.Unlock()
	}
	return blocks, bytes
}
