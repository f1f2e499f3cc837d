package kvledger

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// change is a change of a namespace's definition, which is made in steps.
//
// A new index needs an entry for every document that there is. There may be millions, and blocks must go on being committed
// meanwhile. So the first step says in the definition that the index is there, but not built. From then on every block keeps
// the entries of what it writes. The further steps go through the documents in the order of their keys, some at a time. Each
// step is a batch of its own that moves the store's head, as a block does. If a step and a block collide, one of them is
// done again.
//
// The definition also says how far the building has come. So a process that ends leaves nothing to be repaired: the next
// call of Define goes on there. An index that is dropped loses its entries in the same way.
type change struct {
	ledger    *Ledger
	namespace string
	size      int // how many documents the next step indexes, or how many entries it deletes
}

// changeStep is one step of a change. It changes d, which belongs to it. It returns what else is to be written, and whether
// more steps are to come.
type changeStep func(ctx context.Context, snapshot store.Snapshot, d *definition) ([]store.Write, bool, error)

// do does one step, at a moment when no block is committed. If blocks of another provider come in between, the step becomes
// smaller, and so quicker, until there is room for it.
func (c *change) do(ctx context.Context, step changeStep) (more bool, err error) {
	release, err := c.ledger.provider.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	for {
		more, err = c.try(ctx, step)
		if !errors.Is(err, store.ErrHeadMoved) {
			c.size = min(2*c.size, buildStep)
			return more, err
		}
		c.size = max(c.size/2, 1)
	}
}

// try does a step on what is committed now. It reads the definition anew each time, because a step that is done again must
// not begin with what an earlier try has made of it.
func (c *change) try(ctx context.Context, step changeStep) (bool, error) {
	l := c.ledger
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snapshot.Close()
	d := new(definition)
	now, err := snapshot.Get(ctx, l.keys.definitionKey(c.namespace))
	if err != nil {
		return false, errors.Wrap(err, "read definition")
	}
	if now != nil {
		if err := json.Unmarshal(now, d); err != nil {
			return false, errors.Wrap(err, "decode definition")
		}
	}
	writes, more, err := step(ctx, snapshot, d)
	if err != nil {
		return false, err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return false, errors.Wrap(err, "encode definition")
	}
	if len(writes) == 0 && string(b) == string(now) {
		return more, nil // nothing has changed
	}
	writes = append(writes, store.Write{Key: l.keys.definitionKey(c.namespace), Value: b})
	if at, err := l.tipAt(ctx, snapshot); err != nil {
		return false, err
	} else if at.height == 0 { // the channel is empty yet: what it will have is of this format
		writes = append(writes, store.Write{Key: l.keys.heightKey(), Value: tip{}.encode()})
	}
	return more, l.provider.commit(ctx, snapshot.Head(), writes)
}

// redefine is the first step. It replaces the definition, and keeps the indexes that stay the same.
func (c *change) redefine(to Definition) changeStep {
	return func(_ context.Context, _ store.Snapshot, d *definition) ([]store.Write, bool, error) {
		d.Collections = to.Collections
		before := d.Indexes
		d.Indexes = nil
		for _, x := range to.Indexes {
			same := func(y *index) bool { return y.Collection == x.Collection && y.Of.Equal(x.of) }
			if at := slices.IndexFunc(before, same); at >= 0 {
				d.Indexes = append(d.Indexes, before[at])
				before = slices.Delete(before, at, at+1)
				continue
			}
			d.LastIndex++
			d.Indexes = append(d.Indexes, &index{Collection: x.Collection, Of: x.of, ID: d.LastIndex})
		}
		for _, x := range before {
			d.Dropped = append(d.Dropped, x.ID)
		}
		if slices.ContainsFunc(to.Collections, func(of ledger.CollectionConfig) bool { return of.BlockToLive > 0 }) {
			return []store.Write{{Key: c.ledger.keys.expiresKey(), Value: []byte{}}}, true, nil
		}
		return nil, true, nil
	}
}

// buildStep is how many documents one step of building indexes at most, or how many entries it deletes.
const buildStep = 1000

// build is a changeStep. It deletes some entries of an index that is not defined any more, or gives a new index some of the
// documents that were there before.
func (c *change) build(ctx context.Context, snapshot store.Snapshot, d *definition) ([]store.Write, bool, error) {
	if len(d.Dropped) > 0 {
		writes, err := c.dropEntries(ctx, snapshot, d.Dropped[0])
		if len(writes) < c.size {
			d.Dropped = d.Dropped[1:]
		}
		return writes, true, err
	}
	at := slices.IndexFunc(d.Indexes, func(x *index) bool { return !x.Built })
	if at < 0 {
		return nil, false, nil
	}
	writes, err := c.buildEntries(ctx, snapshot, d.Indexes[at])
	return writes, true, err
}

// dropEntries deletes the first entries of an index. It only reads their keys. If it gets fewer than it asks for, these were
// the last ones.
func (c *change) dropEntries(ctx context.Context, snapshot store.Snapshot, id uint32) ([]store.Write, error) {
	lo, hi := c.ledger.keys.indexPrefix(c.namespace, id), c.ledger.keys.indexPrefix(c.namespace, id+1)
	it := snapshot.Scan(lo, hi, store.ScanOptions{KeysOnly: true, Fetch: c.size})
	defer it.Close()
	var writes []store.Write
	for len(writes) < c.size {
		key, _, ok, err := it.Next(ctx)
		if err != nil {
			return nil, errors.Wrap(err, "read entries of an index that is dropped")
		}
		if !ok {
			break
		}
		writes = append(writes, store.Write{Key: key})
	}
	return writes, nil
}

// buildEntries gives an index the next documents.
func (c *change) buildEntries(ctx context.Context, snapshot store.Snapshot, x *index) ([]store.Write, error) {
	lo, hi, keyAt := c.ledger.keys.documentRange(c.namespace, x.Collection, string(x.Next))
	it := snapshot.Scan(lo, hi, store.ScanOptions{Fetch: c.size})
	defer it.Close()
	prefix := c.ledger.keys.indexPrefix(c.namespace, x.ID)
	var writes []store.Write
	for range c.size {
		storeKey, b, ok, err := it.Next(ctx)
		if err != nil {
			return nil, errors.Wrap(err, "read documents")
		}
		if !ok {
			x.Built, x.Next = true, nil
			break
		}
		key := storeKey[keyAt:]
		_, value, err := decodeValue(b)
		if err != nil {
			return nil, errors.Wrapf(err, "read key %q", shown(key))
		}
		d, err := document(ctx, key, value)
		if err != nil {
			return nil, err
		}
		columns, ok, err := columnsOf(ctx, x, d)
		if err != nil {
			return nil, err
		}
		if ok {
			writes = append(writes, store.Write{Key: entryKey(prefix, columns, key), Value: encodeEntry(columns)})
		}
		x.Next = []byte(key + "\x00")
	}
	return writes, nil
}
