package kvledger

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// tip is where a channel's chain ends, and what the next block continues. All of it is one value in the store, which each block
// reads and writes anyway.
type tip struct {
	height       uint64
	metadata     bool   // there may be metadata of keys: some was written once
	hash         []byte // of the last block's header; nil if there is no block
	previousHash []byte // of the header before it
	commitHash   []byte // of the last block; nil before block 1
}

// format is the version of the form that the store's keys and values have.
const format = 3

func (t tip) encode() []byte {
	b := binary.AppendUvarint([]byte{format}, t.height)
	flags := byte(0)
	if t.metadata {
		flags = 1
	}
	b = append(b, flags)
	for _, hash := range [][]byte{t.hash, t.previousHash, t.commitHash} {
		b = appendBytes(b, hash)
	}
	return b
}

func decodeTip(b []byte) (t tip, err error) {
	if b == nil {
		return tip{}, nil
	}
	if len(b) == 0 || b[0] != format {
		return tip{}, errFormat(b)
	}
	height, rest, ok := cutUvarint(b[1:])
	if !ok || len(rest) == 0 {
		return tip{}, errDamagedTip(b)
	}
	t.height, t.metadata = height, rest[0] != 0
	d := decoder{b: rest[1:]}
	for _, hash := range []*[]byte{&t.hash, &t.previousHash, &t.commitHash} {
		if *hash = d.bytes(); len(*hash) == 0 {
			*hash = nil
		}
	}
	if d.failed || len(d.b) > 0 {
		return tip{}, errDamagedTip(b)
	}
	return t, nil
}

// errFormat is for what another version of this package has written. Blocks of format 2 and before had neither headers nor
// envelopes. Blocks that were made up for them now would have other hashes on each peer that did so.
func errFormat(b []byte) error {
	have := "an unknown format"
	if len(b) > 0 {
		have = "format " + strconv.Itoa(int(b[0]))
	}
	return errors.Errorf("the store holds a ledger of %s (% .40x), but this version reads and writes format %d only: "+
		"begin with an empty store, or use the version that wrote it", have, b, format)
}

func errDamagedTip(b []byte) error {
	return errors.Errorf("the store holds a ledger's height that is damaged (% x)", b)
}

// tip returns where the chain ends now.
func (l *Ledger) tip(ctx context.Context) (tip, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return tip{}, err
	}
	defer snapshot.Close()
	return l.tipAt(ctx, snapshot)
}

func (l *Ledger) tipAt(ctx context.Context, snapshot store.Snapshot) (tip, error) {
	b, err := snapshot.Get(ctx, l.keys.heightKey())
	if err != nil {
		return tip{}, errors.Wrap(err, "read height")
	}
	t, err := decodeTip(b)
	if err == nil {
		l.provider.tips.saw(l.keys.channelID, t)
	}
	return t, err
}

// tips is what a Provider has seen of the ends of its channels, and who waits for more.
type tips struct {
	mu       sync.Mutex
	channels map[string]*channelTip
}

type channelTip struct {
	height   uint64        // that was seen last
	metadata bool          // as of that height
	moved    chan struct{} // is closed when there is another block; nil if nobody waits
}

// saw notes what was read.
func (t *tips) saw(channelID string, now tip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channelID)
	c.metadata = c.metadata || now.metadata // whatever the height: a store in memory may have gone back to an earlier state
	if now.height > c.height {              // else it was read from an older snapshot, or is known
		c.move(now.height)
	}
}

// committed notes what was committed through this Provider. It is the end of the chain, also if more had been there before a
// store in memory went back.
func (t *tips) committed(channelID string, now tip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channelID)
	c.metadata = c.metadata || now.metadata
	c.move(now.height)
}

// move wakes those who wait.
func (c *channelTip) move(height uint64) {
	c.height = height
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

// look returns what was seen last, and a channel that is closed when there is more.
func (t *tips) look(channelID string) (height uint64, moved <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of(channelID)
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	return c.height, c.moved
}

// mayHaveMetadata reports whether there was metadata at the height that was seen last.
func (t *tips) mayHaveMetadata(channelID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(channelID).metadata
}

// of is called under the lock.
func (t *tips) of(channelID string) *channelTip {
	if t.channels[channelID] == nil {
		if t.channels == nil {
			t.channels = map[string]*channelTip{}
		}
		t.channels[channelID] = &channelTip{}
	}
	return t.channels[channelID]
}
