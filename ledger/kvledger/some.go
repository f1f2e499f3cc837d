package kvledger

import (
	"context"
	"math"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// someBytes is how many bytes of values are read at once where they don't become an answer, if there is more than one value.
const someBytes = 4 << 20

// errSomeFull is why some values are not read at once.
var errSomeFull = errors.New("too much to be read at once")

// someRoom is the ledger.Reserver of values that are read at once. It refuses the one that would be too much.
type someRoom struct {
	left  int  // how many bytes still have room
	fit   int  // how many values had room
	alone bool // there is one value, however large
}

// Reserve implements ledger.Reserver.
func (r *someRoom) Reserve(_ context.Context, n int) error {
	if r.left -= n; r.left < 0 && r.fit > 0 && !r.alone {
		return errSomeFull
	}
	r.fit++
	return nil
}

// portion reads the values of many keys at once, but no more bytes than may be read at once.
//
// Many values should be read at once, because the store may be on another machine. But there may be hundreds of keys whose
// values have 10 MiB each. A store asks for room before it reads a value. If one finds no room, the store is asked again, for
// fewer keys. Reading some values twice is cheaper than asking for every size first.
//
// A store need not ask for a key that is absent. So a refusal doesn't tell at which key it came, only how many values had
// room before it. At least as many keys have room, and otherwise half as many as were asked for are tried. What had room is
// doubled the next time. So all keys together are looked up a few times each, wherever the large values are.
type portion struct {
	most int // how many keys are read at once; 0 as long as nothing was refused
}

// read returns the values of some keys, from the first one on. Usually that is all of them.
func (p *portion) read(ctx context.Context, snapshot store.Snapshot, keys []string) ([][]byte, error) {
	if p.most > 0 {
		keys = keys[:min(p.most, len(keys))]
	}
	for {
		room := &someRoom{left: someBytes, alone: len(keys) == 1}
		values, err := snapshot.GetMany(ledger.WithReserver(ctx, room), keys)
		if !errors.Is(err, errSomeFull) {
			p.most = min(2*p.most, math.MaxInt/4)
			return values, err
		}
		p.most = min(max(room.fit, len(keys)/2), len(keys)-1)
		keys = keys[:p.most]
	}
}

// readEach calls visit with the value of each key, in order, until there is an error. visit must not keep a large value.
func readEach(ctx context.Context, snapshot store.Snapshot, keys []string, visit func(i int, value []byte) error) error {
	var p portion
	for done := 0; done < len(keys); {
		values, err := p.read(ctx, snapshot, keys[done:])
		if err != nil {
			return err
		}
		for _, v := range values {
			if err := visit(done, v); err != nil {
				return err
			}
			done++
		}
	}
	return nil
}
