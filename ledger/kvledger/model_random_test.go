package kvledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
)

func randomSimulation(ctx context.Context, l *kvledger.Ledger, random *rand.Rand, txID string) (observed, error) {
	tx := observed{txID: txID, reads: map[string]string{}, writes: map[string]string{}, metadata: map[string]string{}}
	sim, err := kvledgertest.Simulate(ctx, l, txID)
	if err != nil {
		return tx, err
	}
	defer sim.Done()
	for range 1 + random.IntN(3) {
		if err := tx.step(ctx, sim, random); err != nil {
			return tx, err
		}
	}
	tx.results, err = sim.Results(ctx)
	return tx, err
}

// step reads or writes something.
func (tx *observed) step(ctx context.Context, sim *kvledger.Simulator, random *rand.Rand) error {
	n := random.IntN(80)
	k := fmt.Sprintf("k%02d", n)
	if random.IntN(3) == 0 {
		k = fmt.Sprintf("%c%d", "zp"[random.IntN(2)], n%10)
	}
	what := random.IntN(5)
	switch {
	case what == 0:
		seen, err := observe(ctx, sim, k)
		tx.reads[k] = seen
		return err
	case what == 1:
		n := -1
		if random.IntN(2) == 0 {
			n = 1 + random.IntN(10)
		}
		r, err := observeRange(ctx, sim, fmt.Sprintf("k%02d", random.IntN(80)), fmt.Sprintf("k%02d", random.IntN(100)), n)
		tx.ranges = append(tx.ranges, r)
		return err
	case what == 2 && k[0] != 'k':
		m := fmt.Sprintf("#%s.%d", tx.txID, len(tx.metadata))
		tx.metadata[k] = m
		return writeMetadata(ctx, sim, k, m)
	}
	value := ""
	if random.IntN(3) > 0 {
		value = tx.txID + "." + strconv.Itoa(len(tx.writes))
	}
	tx.writes[k] = value
	switch {
	case !isPrivate(k):
		return sim.SetState(ctx, ns, k, []byte(value))
	case value == "" && random.IntN(2) == 0:
		return sim.PurgePrivateData(ctx, ns, coll, k)
	}
	return sim.SetPrivateData(ctx, ns, coll, k, []byte(value))
}

// observe reads a key's value and metadata.
func observe(ctx context.Context, sim *kvledger.Simulator, key string) (string, error) {
	get, getMetadata := sim.GetState, sim.GetStateMetadata
	if isPrivate(key) {
		get = func(ctx context.Context, ns, key string) ([]byte, error) {
			return sim.GetPrivateData(ctx, ns, coll, key)
		}
		getMetadata = func(ctx context.Context, ns, key string) (map[string][]byte, error) {
			return sim.GetPrivateDataMetadata(ctx, ns, coll, key)
		}
	}
	value, err := get(ctx, ns, key)
	if err != nil || key[0] == 'k' {
		return string(value), err
	}
	m, err := getMetadata(ctx, ns, key)
	return string(value) + string(m["m"]), err
}

func writeMetadata(ctx context.Context, sim *kvledger.Simulator, key, value string) error {
	m := map[string][]byte{"m": []byte(value)}
	if isPrivate(key) {
		return sim.SetPrivateDataMetadata(ctx, ns, coll, key, m)
	}
	return sim.SetStateMetadata(ctx, ns, key, m)
}

func observeRange(ctx context.Context, sim ledger.Simulator, start, end string, n int) (observedRange, error) {
	r := observedRange{start: start, end: end}
	it, err := sim.GetStateRange(ctx, ns, ledger.Range{Start: start, End: end})
	if err != nil {
		return r, err
	}
	defer it.Close()
	for i := 0; i != n; i++ {
		kv, err := it.Next(ctx)
		if err != nil {
			return r, err
		}
		if kv == nil {
			r.ended = true
			break
		}
		r.pairs = append(r.pairs, kv.Key+"="+string(kv.Value))
	}
	return r, nil
}
