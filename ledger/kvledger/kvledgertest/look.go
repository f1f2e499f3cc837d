package kvledgertest

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const (
	ns   = "asset"
	coll = "secrets"
	// metaName is the name of the one entry that a key's metadata has.
	metaName = "m"
)

// kind says what a transaction asks for.
type kind string

// The kinds that leave a trace in the read/write set: of keys, ranges and hashes.
const (
	getValue           kind = "value"
	getMany            kind = "values"
	getMetadata        kind = "metadata"
	getRange           kind = "range"
	getPage            kind = "page"
	getPrivate         kind = "private value"
	getPrivateHash     kind = "private hash"
	getPrivateMetadata kind = "private metadata"
)

// The kinds that leave no trace.
const (
	getHistory      kind = "history"
	getPrivateRange kind = "private range"
)

// look is what a transaction asked for, and what it saw.
type look struct {
	kind kind
	keys []string // the bounds of a range
	n    int      // how many results of a range were asked for at most: one more than a page has
	got  string
}

func (l look) isPrivate() bool {
	return l.kind == getPrivate || l.kind == getPrivateHash || l.kind == getPrivateMetadata
}

func (l look) isRange() bool { return l.kind == getRange || l.kind == getPage }

// isNoted reports whether validation protects what was seen.
func (l look) isNoted() bool { return l.kind != getHistory && l.kind != getPrivateRange }

func (l look) String() string { return fmt.Sprintf("%s of %q (%d)", l.kind, l.keys, l.n) }

// ask asks a simulator. It returns the answer in words that a model can say, too.
func (l look) ask(ctx context.Context, sim *kvledger.Simulator) (string, error) {
	key := l.keys[0]
	switch l.kind {
	case getValue:
		value, err := sim.GetState(ctx, ns, key)
		return string(value), err
	case getMany:
		values, err := sim.GetStateMultipleKeys(ctx, ns, l.keys)
		var all []string
		for _, value := range values {
			all = append(all, string(value))
		}
		return strings.Join(all, " "), err
	case getMetadata:
		m, err := sim.GetStateMetadata(ctx, ns, key)
		return string(m[metaName]), err
	case getPrivate:
		value, err := sim.GetPrivateData(ctx, ns, coll, key)
		return string(value), err
	case getPrivateHash:
		value, err := sim.GetPrivateDataHash(ctx, ns, coll, key)
		return hex.EncodeToString(value), err
	case getPrivateMetadata:
		m, err := sim.GetPrivateDataMetadata(ctx, ns, coll, key)
		return string(m[metaName]), err
	case getHistory:
		return askHistory(ctx, sim, key)
	default:
		return l.askRange(ctx, sim)
	}
}

func (l look) askRange(ctx context.Context, sim *kvledger.Simulator) (string, error) {
	r := ledger.Range{Start: l.keys[0], End: l.keys[1]}
	var it ledger.Iterator
	var err error
	switch l.kind {
	case getPrivateRange:
		it, err = sim.GetPrivateDataRange(ctx, ns, coll, r)
	case getPage:
		r.PageSize = int32(l.n - 1)
		fallthrough
	case getRange:
		it, err = sim.GetStateRange(ctx, ns, r)
	default:
		return "", errors.Errorf("there is no kind %q", l.kind)
	}
	if err != nil {
		return "", err
	}
	defer it.Close()
	var all []string
	for range l.n {
		kv, err := it.Next(ctx)
		if err != nil {
			return "", err
		}
		if kv == nil {
			all = append(all, "end")
			break
		}
		all = append(all, kv.Key+"="+string(kv.Value))
	}
	return strings.Join(all, " "), nil
}

func askHistory(ctx context.Context, sim *kvledger.Simulator, key string) (string, error) {
	it, err := sim.GetHistoryForKey(ctx, ns, key)
	if err != nil {
		return "", err
	}
	defer it.Close()
	var all []string
	for {
		m, err := it.Next(ctx)
		if err != nil {
			return "", err
		}
		if m == nil {
			return strings.Join(all, " "), nil
		}
		if m.IsDelete != (len(m.Value) == 0) {
			return "", errors.Errorf("the history of %q has a delete (%v) with the value %q", key, m.IsDelete, m.Value)
		}
		all = append(all, modification(m.TxID, m.Timestamp.UnixNano(), string(m.Value)))
	}
}

func modification(txID string, at int64, value string) string {
	return fmt.Sprintf("%s@%d=%s", txID, at, value)
}
