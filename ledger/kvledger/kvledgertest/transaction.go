package kvledgertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Few keys are hot, so that transactions collide. The cold keys make ranges so long that they are summarized.
const hotKeys, coldKeys = 6, 80

// Histories get long, so only those of some keys are read.
const historyKeys = 2

// transaction is what was asked for, seen and written.
type transaction struct {
	id       string
	at       time.Time
	looks    []look
	writes   map[place]string // "" deletes
	metadata map[place]string
	results  *kvledger.Results

	// The times at which the simulation began and ended, by the suite's clock.
	began, ended uint64
	code         kvledger.ValidationCode // that Commit has returned
}

func (tx *transaction) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "transaction %s, which is %v and writes %v and metadata %v, has seen", tx.id, tx.code, tx.writes, tx.metadata)
	for _, l := range tx.looks {
		fmt.Fprintf(&s, "\n\t%v: %.200q", l, l.got)
	}
	return s.String()
}

// simulate has a transaction look and write at random. No two values that it writes are the same.
func simulate(ctx context.Context, l *kvledger.Ledger, random *rand.Rand, tx *transaction) error {
	sim, err := Simulate(ctx, l, tx.id)
	if err != nil {
		return err
	}
	defer sim.Done()
	tx.writes, tx.metadata = map[place]string{}, map[place]string{}
	shape := random.IntN(8)
	if shape == 0 { // which makes it a read-only one
		err = tx.look(ctx, sim, look{kind: getPage, keys: randomRange(random), n: 2 + random.IntN(9)})
	}
	if shape == 1 && err == nil {
		err = tx.look(ctx, sim, look{kind: getPrivateRange, keys: randomRange(random), n: 1 + random.IntN(10)})
	}
	for range 1 + random.IntN(4) {
		if err != nil {
			return err
		}
		runtime.Gosched() // so that others commit in between
		if shape > 1 && random.IntN(2) == 0 {
			err = tx.write(ctx, sim, random)
		} else {
			err = tx.look(ctx, sim, randomLook(random))
		}
	}
	if err == nil {
		tx.results, err = sim.Results(ctx)
	}
	return err
}

func (tx *transaction) look(ctx context.Context, sim *kvledger.Simulator, l look) (err error) {
	if l.got, err = l.ask(ctx, sim); err != nil {
		return errors.Wrapf(err, "ask for %v", l)
	}
	tx.looks = append(tx.looks, l)
	return nil
}

func randomLook(random *rand.Rand) look {
	kinds := []kind{getValue, getMany, getMetadata, getPrivate, getPrivateHash, getPrivateMetadata, getHistory, getRange, getRange}
	l := look{kind: kinds[random.IntN(len(kinds))], keys: []string{randomKey(random)}}
	switch l.kind {
	case getMany:
		l.keys = append(l.keys, randomKey(random), randomKey(random))
	case getHistory:
		l.keys[0] = hotKey(random.IntN(historyKeys))
	case getRange:
		l.keys, l.n = randomRange(random), 1000
		if random.IntN(2) == 0 { // the range is left unfinished
			l.n = 1 + random.IntN(60)
		}
	}
	return l
}

func hotKey(n int) string  { return fmt.Sprint("hot", n) }
func coldKey(n int) string { return fmt.Sprintf("cold%02d", n) }

func randomKey(random *rand.Rand) string {
	if random.IntN(4) == 0 {
		return coldKey(random.IntN(coldKeys))
	}
	return hotKey(random.IntN(hotKeys))
}

// randomRange returns the bounds of a range, mostly of few keys. A transaction that reads much is hardly ever valid.
func randomRange(random *rand.Rand) []string {
	switch random.IntN(6) {
	case 0:
		return []string{"", ""}
	case 1:
		return []string{coldKey(0), "d"}
	case 2:
		return []string{hotKey(random.IntN(hotKeys)), ""}
	}
	from := random.IntN(coldKeys)
	return []string{coldKey(from), coldKey(from + random.IntN(10))}
}

// write writes a value, or metadata, or deletes a key.
func (tx *transaction) write(ctx context.Context, sim *kvledger.Simulator, random *rand.Rand) error {
	p := place{random.IntN(3) == 0, randomKey(random)}
	value := fmt.Sprintf("%s.%d", tx.id, len(tx.writes)+len(tx.metadata))
	switch what := random.IntN(8); {
	case what == 0:
		tx.metadata[p] = value
		return setMetadata(ctx, sim, p, map[string][]byte{metaName: []byte(value)})
	case what == 1:
		tx.metadata[p] = ""
		return setMetadata(ctx, sim, p, nil)
	case what < 4:
		tx.writes[p] = ""
		return remove(ctx, sim, p, what == 2)
	}
	tx.writes[p] = value
	return set(ctx, sim, p, value)
}

func setMetadata(ctx context.Context, sim *kvledger.Simulator, p place, m map[string][]byte) error {
	if p.private {
		return sim.SetPrivateDataMetadata(ctx, ns, coll, p.key, m)
	}
	return sim.SetStateMetadata(ctx, ns, p.key, m)
}

func set(ctx context.Context, sim *kvledger.Simulator, p place, value string) error {
	if p.private {
		return sim.SetPrivateData(ctx, ns, coll, p.key, []byte(value))
	}
	return sim.SetState(ctx, ns, p.key, []byte(value))
}

func remove(ctx context.Context, sim *kvledger.Simulator, p place, purge bool) error {
	switch {
	case p.private && purge:
		return sim.PurgePrivateData(ctx, ns, coll, p.key)
	case p.private:
		return sim.DeletePrivateData(ctx, ns, coll, p.key)
	}
	return sim.DeleteState(ctx, ns, p.key)
}

// fill returns the transaction that the ledger begins with: all keys are there, half of them with metadata.
func fill(ctx context.Context, l *kvledger.Ledger) (*transaction, error) {
	tx := &transaction{id: "fill", at: time.Unix(1, 0).UTC(), writes: map[place]string{}, metadata: map[place]string{}}
	sim, err := Simulate(ctx, l, tx.id)
	if err != nil {
		return nil, err
	}
	defer sim.Done()
	for n := range hotKeys + coldKeys {
		key := hotKey(n)
		if n >= hotKeys {
			key = coldKey(n - hotKeys)
		}
		for _, private := range []bool{false, true} {
			p := place{private, key}
			tx.writes[p] = fmt.Sprint("fill", n)
			if n%2 == 0 {
				tx.metadata[p] = fmt.Sprint("meta", n)
			}
		}
	}
	for p, value := range tx.writes {
		if err := set(ctx, sim, p, value); err != nil {
			return nil, err
		}
	}
	for p, value := range tx.metadata {
		if err := setMetadata(ctx, sim, p, map[string][]byte{metaName: []byte(value)}); err != nil {
			return nil, err
		}
	}
	tx.results, err = sim.Results(ctx)
	return tx, err
}
