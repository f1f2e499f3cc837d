package kvledgertest

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// place is where a key is: in the public state, or in the collection.
type place struct {
	private bool
	key     string
}

// change is what a transaction made of a key.
type change struct {
	at              kvledger.Version
	value, metadata string // without value: it was deleted
	history         string // what the history says of it; empty if only metadata was written
}

// model is what transactions leave if they take effect one after the other. It knows the past, too: the answer that a
// question would have had at any version. A version stands for the moment before that transaction took effect.
type model struct {
	changes map[place][]change // the oldest first
	txIDs   map[string]bool
}

func newModel() *model { return &model{changes: map[place][]change{}, txIDs: map[string]bool{}} }

func before(a, b kvledger.Version) bool {
	return a.Block < b.Block || a.Block == b.Block && a.Tx < b.Tx
}

// latest returns the last change of a key before a version. If there was none, it returns the zero change.
func (m *model) latest(p place, at kvledger.Version) (last change, found bool) {
	for _, c := range slices.Backward(m.changes[p]) {
		if before(c.at, at) {
			return c, true
		}
	}
	return change{}, false
}

// state returns the last change of a key that is present.
func (m *model) state(p place, at kvledger.Version) (last change, present bool) {
	last, _ = m.latest(p, at)
	return last, last.value != ""
}

// answer returns what ask would have returned.
func (m *model) answer(l look, at kvledger.Version) string {
	key := place{l.isPrivate(), l.keys[0]}
	now, present := m.state(key, at)
	switch l.kind {
	case getValue, getPrivate:
		return now.value
	case getMany:
		var all []string
		for _, key := range l.keys {
			now, _ := m.state(place{key: key}, at)
			all = append(all, now.value)
		}
		return strings.Join(all, " ")
	case getMetadata, getPrivateMetadata:
		return now.metadata
	case getPrivateHash:
		if !present {
			return ""
		}
		sum := sha256.Sum256([]byte(now.value))
		return hex.EncodeToString(sum[:])
	case getHistory:
		return m.history(key, at)
	default:
		results, ended := m.results(l, at)
		var all []string
		for _, r := range results {
			all = append(all, r.key+"="+r.value)
		}
		if ended {
			all = append(all, "end")
		}
		return strings.Join(all, " ")
	}
}

func (m *model) history(p place, at kvledger.Version) string {
	var all []string
	for _, c := range slices.Backward(m.changes[p]) {
		if before(c.at, at) && c.history != "" {
			all = append(all, c.history)
		}
	}
	return strings.Join(all, " ")
}

type result struct {
	key string
	change
}

// results reads a range as far as the transaction did.
func (m *model) results(l look, at kvledger.Version) (all []result, ended bool) {
	for _, p := range slices.SortedFunc(maps.Keys(m.changes), func(a, b place) int { return strings.Compare(a.key, b.key) }) {
		if p.private != (l.kind == getPrivateRange) || p.key < l.keys[0] || l.keys[1] != "" && p.key >= l.keys[1] {
			continue
		}
		if len(all) == l.n {
			return all, false
		}
		if now, present := m.state(p, at); present {
			all = append(all, result{p.key, now})
		}
	}
	return all, len(all) < l.n
}

// agrees reports whether a transaction could have seen at a version what it saw.
func (m *model) agrees(looks []look, at kvledger.Version) bool {
	return !slices.ContainsFunc(looks, func(l look) bool { return m.answer(l, at) != l.got })
}

// validate returns the code of a transaction. height is how many blocks there were when it was simulated, and at is its
// version.
func (m *model) validate(tx *transaction, height uint64, at kvledger.Version) kvledger.ValidationCode {
	simulated := kvledger.Version{Block: height}
	keyChanged := func(private bool) func(look) bool {
		return func(l look) bool { return !l.isRange() && l.isPrivate() == private && m.keysChanged(l, simulated, at) }
	}
	noted := slices.DeleteFunc(slices.Clone(tx.looks), func(l look) bool { return !l.isNoted() })
	switch {
	case m.txIDs[tx.id]:
		return kvledger.DuplicateTxID
	case slices.ContainsFunc(noted, keyChanged(false)):
		return kvledger.MVCCReadConflict
	case slices.ContainsFunc(noted, func(l look) bool { return l.isRange() && m.rangeChanged(l, simulated, at) }):
		return kvledger.PhantomReadConflict
	case slices.ContainsFunc(noted, keyChanged(true)):
		return kvledger.MVCCReadConflict
	}
	return kvledger.Valid
}

// keysChanged reports whether one of the keys has another version, or was written by the block, even if that had no effect.
func (m *model) keysChanged(l look, from, to kvledger.Version) bool {
	return slices.ContainsFunc(l.keys, func(key string) bool {
		p := place{l.isPrivate(), key}
		last, found := m.latest(p, to)
		if found && last.at.Block == to.Block {
			return true
		}
		then, was := m.state(p, from)
		now, is := m.state(p, to)
		return was != is || is && then.at != now.at
	})
}

func (m *model) rangeChanged(l look, from, to kvledger.Version) bool {
	then, _ := m.results(l, from)
	now, _ := m.results(l, to)
	return !slices.EqualFunc(then, now, func(a, b result) bool { return a.key == b.key && a.at == b.at })
}

// apply has a valid transaction take effect. Values come before metadata. A key that is not there has no metadata.
func (m *model) apply(tx *transaction, at kvledger.Version) {
	after := kvledger.Version{Block: at.Block, Tx: at.Tx + 1}
	for p, value := range tx.writes {
		c := change{at: at, value: value}
		if !p.private {
			c.history = modification(tx.id, tx.at.UnixNano(), value)
		}
		if last, _ := m.latest(p, at); value != "" {
			c.metadata = last.metadata
		}
		m.changes[p] = append(m.changes[p], c)
	}
	for p, metadata := range tx.metadata {
		last, present := m.state(p, after)
		if !present {
			continue
		}
		if last.at == at { // the transaction has written the value too
			all := m.changes[p]
			all[len(all)-1].metadata = metadata
			continue
		}
		m.changes[p] = append(m.changes[p], change{at: at, value: last.value, metadata: metadata})
	}
}
