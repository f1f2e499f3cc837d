package kvledger

import (
	"context"

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
	left int // how many bytes still have room
	fit  int // how many values had room
}

// Reserve implements ledger.Reserver.
func (r *someRoom) Reserve(_ context.Context, n int) error {
	if r.left -= n; r.left < 0 && r.fit > 0 {
		return errSomeFull
	}
	r.fit++
	return nil
}

// readSome returns the values of as many keys as may be read at once, from the first key on. Usually that is all of them.
//
// Many values should be read at once, because the store may be on another machine. But there may be hundreds of keys whose
// values have 10 MiB each. A store asks for room before it reads a value. If one finds no room, the store is asked again for
// those before it. Reading those twice is cheaper than asking for every size first.
func readSome(ctx context.Context, snapshot store.Snapshot, keys []string) ([][]byte, error) {
	for {
		room := &someRoom{left: someBytes}
		values, err := snapshot.GetMany(ledger.WithReserver(ctx, room), keys)
		if !errors.Is(err, errSomeFull) {
			return values, err
		}
		keys = keys[:min(room.fit, len(keys)-1)]
	}
}

// readEach calls visit with the value of each key, in order, until there is an error. visit must not keep a large value.
func readEach(ctx context.Context, snapshot store.Snapshot, keys []string, visit func(i int, value []byte) error) error {
	for done := 0; done < len(keys); {
		values, err := readSome(ctx, snapshot, keys[done:])
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
