package gateway

import (
	"context"
	"slices"
	"sync"

	"github.com/pkg/errors"
)

// feeds are the channels that somebody waits for.
type feeds struct {
	mu        sync.Mutex
	byChannel map[string]*feed
}

// feed follows a channel's blocks as long as somebody waits for them. It reads each block once, whoever waits.
type feed struct {
	channelID string
	users     int // belongs to feeds
	stop      context.CancelFunc
	ended     chan struct{}

	mu       sync.Mutex
	next     uint64                   // the number of the block that comes next
	txs      map[string][]chan Status // who waits for transactions, by their IDs; each has room for its status
	watchers int                      // how many read events
	recent   []*events                // of the last blocks before next, if anybody reads events
	bytes    int                      // that recent takes
	news     map[string]*news         // what readers of events wait for, by chaincode; "" is any event
	err      error                    // why there will be no more blocks
}

// maxRecent is of how many blocks the events are kept for those who read them a little later, and maxRecentBytes is how large they are
// together. Who is slower reads the ledger.
const (
	maxRecent      = 32
	maxRecentBytes = 16 << 20
)

// news is a block that is to come, with the events of a chaincode.
type news struct {
	there   chan struct{} // is closed when it is
	block   *events       // nil if there will be none
	waiting int           // how many wait
}

// errEnded is Fabric's text for what it doesn't expect.
var errEnded = errors.New("unexpected close of commit notification channel")

// errNoChannel has Fabric's text.
func errNoChannel(channelID string) error {
	return errors.Errorf("channel does not exist: %s", channelID)
}

// follow returns the feed of a channel. When it returns, every block that is committed later will pass the feed. leave must be called.
func (g *Gateway) follow(ctx context.Context, channelID string, l Ledger) (*feed, error) {
	if f := g.feeds.join(channelID); f != nil {
		return f, nil
	}
	next, err := l.Height(ctx) // which may take a while, and others must not wait for it
	if err != nil {
		return nil, err
	}
	return g.feeds.joinOrStart(channelID, next, l), nil
}

// join returns the feed of a channel, or nil if nobody follows it.
func (fs *feeds) join(channelID string) *feed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.joined(channelID)
}

// joined needs the lock.
func (fs *feeds) joined(channelID string) *feed {
	f := fs.byChannel[channelID]
	if f == nil || f.failed() != nil {
		return nil
	}
	f.users++
	return f
}

// joinOrStart begins with a block unless somebody else has begun.
func (fs *feeds) joinOrStart(channelID string, next uint64, l Ledger) *feed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.joined(channelID); f != nil {
		return f
	}
	running, stop := context.WithCancel(context.Background())
	f := &feed{
		channelID: channelID, users: 1, stop: stop, ended: make(chan struct{}), next: next, txs: map[string][]chan Status{}, news: map[string]*news{},
	}
	fs.byChannel[channelID] = f
	go f.run(running, l.Blocks(next)) // the last one who leaves waits for it
	return f
}

// leave ends a feed that nobody uses any more.
func (fs *feeds) leave(f *feed) {
	fs.mu.Lock()
	f.users--
	last := f.users == 0
	if last && fs.byChannel[f.channelID] == f {
		delete(fs.byChannel, f.channelID)
	}
	fs.mu.Unlock()
	if last {
		f.stop()
		<-f.ended
	}
}

func (f *feed) run(ctx context.Context, blocks Blocks) {
	defer close(f.ended)
	defer blocks.Close()
	for {
		b, err := blocks.Next(ctx)
		if err != nil {
			f.fail(err)
			return
		}
		f.committed(b)
	}
}

func (f *feed) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// fail tells all who wait that nothing more will come.
func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	for _, waiting := range f.txs {
		for _, ch := range waiting {
			close(ch)
		}
	}
	f.txs = nil
	for _, n := range f.news {
		close(n.there)
	}
	f.news = nil
}

// committed tells of a block. Its envelopes are only looked at if somebody reads events. Whoever begins to read when that is decided
// finds the block behind them, and reads it from the ledger.
func (f *feed) committed(b *Block) {
	if f.pass(b) {
		return
	}
	found := eventsOf(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(b)
	if f.watchers == 0 {
		f.recent, f.bytes = nil, 0 // there would be a gap
		return
	}
	f.remember(found)
	f.tell(found)
}

// remember keeps a block's events, and drops the oldest that are too many or too large. It needs the lock.
func (f *feed) remember(found *events) {
	f.recent, f.bytes = append(f.recent, found), f.bytes+found.bytes
	drop := 0
	for len(f.recent)-drop > maxRecent || f.bytes > maxRecentBytes {
		f.bytes -= f.recent[drop].bytes
		drop++
	}
	f.recent = slices.Delete(f.recent, 0, drop)
}

// pass goes to the block after b if nobody reads events, and reports whether it has.
func (f *feed) pass(b *Block) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers > 0 {
		return false
	}
	f.advance(b)
	f.recent, f.bytes = nil, 0 // there would be a gap
	return true
}

// advance goes to the block after b, and tells those who wait for its transactions. It needs the lock.
func (f *feed) advance(b *Block) {
	f.next = b.Number + 1
	for i := 0; i < len(b.Transactions) && len(f.txs) > 0; i++ {
		tx := &b.Transactions[i]
		for _, ch := range f.txs[tx.TxID] {
			ch <- Status{Block: b.Number, Code: tx.Code}
		}
		delete(f.txs, tx.TxID) // of several with one ID the first counts
	}
}

// tell wakes those who wait for a block's events, and nobody else. It needs the lock.
func (f *feed) tell(found *events) {
	wake := func(chaincode string) {
		if n := f.news[chaincode]; n != nil {
			n.block = found
			close(n.there)
			delete(f.news, chaincode)
		}
	}
	if found.err != nil { // everybody's
		for chaincode := range f.news {
			wake(chaincode)
		}
		return
	}
	for chaincode := range found.responses {
		wake(chaincode)
	}
	if found.all != nil {
		wake("")
	}
}

// wait returns a channel that gets the status of a transaction when it is committed, and is closed if that can't be told. leave must
// be called.
func (f *feed) wait(txID string) (status <-chan Status, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, nil, f.err
	}
	ch := make(chan Status, 1)
	f.txs[txID] = append(f.txs[txID], ch)
	return ch, func() { f.forget(txID, ch) }, nil
}

func (f *feed) forget(txID string, ch chan Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := slices.DeleteFunc(f.txs[txID], func(other chan Status) bool { return other == ch })
	if len(left) > 0 {
		f.txs[txID] = left
	} else {
		delete(f.txs, txID)
	}
}

// watch says that somebody reads events. The function that it returns must be called.
func (f *feed) watch() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.watchers--
	}
}

// look returns the events of the first block from a number on that has any of a chaincode, or of any chaincode for "". Or it returns
// news to wait for, if all blocks that are there have none: see giveUp. If it returns neither, the ledger has the block of that number.
func (f *feed) look(from uint64, chaincode string) (*events, *news, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, nil, f.err
	}
	if from < f.next-uint64(len(f.recent)) {
		return nil, nil, nil
	}
	for _, e := range f.recent {
		if e.number >= from && e.has(chaincode) {
			return e, nil, nil
		}
	}
	n := f.news[chaincode]
	if n == nil {
		n = &news{there: make(chan struct{})}
		f.news[chaincode] = n
	}
	n.waiting++
	return nil, n, nil
}

// giveUp is for those who don't wait any longer for what look has returned.
func (f *feed) giveUp(n *news, chaincode string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n.waiting--; n.waiting == 0 && f.news[chaincode] == n {
		delete(f.news, chaincode)
	}
}
