package kvledger

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Tags of what a store holds, between the channel's ID and the rest.
const (
	tagState   = "\x00s"
	tagHistory = "\x00h"
	tagTxID    = "\x00t"
	tagHeight  = "\x00b"
)

// initializedKey is where Fabric's peer notes that a chaincode's Init was called (core/chaincode, InitializedKeyName).
const initializedKey = "\x00\U0010ffffinitialized"

// stateKey is where a key's committed value is.
func (l *Ledger) stateKey(namespace, key string) string {
	return l.channelID + tagState + namespace + "\x00" + key
}

// stateRange is where the keys in [start, end) of a namespace are. The key itself begins at keyAt.
func (l *Ledger) stateRange(namespace, start, end string) (lo, hi string, keyAt int) {
	lo = l.stateKey(namespace, start)
	keyAt = len(lo) - len(start)
	if end == "" {
		return lo, l.channelID + tagState + namespace + "\x01", keyAt
	}
	return lo, l.stateKey(namespace, end), keyAt
}

// historyPrefix is what the history entries of a key, and no others, begin with.
func (l *Ledger) historyPrefix(namespace, key string) string {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(key)))
	return l.channelID + tagHistory + namespace + "\x00" + string(length[:n]) + key
}

// historyKey is where the modification by a transaction is. The later ones come first.
func historyKey(prefix string, v version) string {
	var suffix [16]byte
	binary.BigEndian.PutUint64(suffix[:8], ^v.block)
	binary.BigEndian.PutUint64(suffix[8:], ^v.tx)
	return prefix + string(suffix[:])
}

// historyEnd is behind every historyKey of a prefix.
func historyEnd(prefix string) string { return prefix + strings.Repeat("\xff", 17) }

func (l *Ledger) txIDKey(txID string) string { return l.channelID + tagTxID + txID }

func (l *Ledger) heightKey() string { return l.channelID + tagHeight }

// checkName refuses what can't be told from its neighbours in a store's key. what says whose name it is.
func checkName(what, name string) error {
	switch {
	case name == "":
		return errors.Errorf("%s must not be an empty string", what)
	case !utf8.ValidString(name):
		return errors.Errorf("invalid %s [%x], must be a UTF-8 string", what, name)
	case strings.Contains(name, "\x00"):
		return errors.Errorf("invalid %s %q, must not contain U+0000", what, name)
	}
	return nil
}

// checkReadKey refuses keys that a read/write set can't hold. The text is that of Fabric's state database.
func checkReadKey(key string) error {
	if !utf8.ValidString(key) {
		return errors.Errorf("invalid key [%x], must be a UTF-8 string", key)
	}
	return nil
}

// checkWriteKey refuses keys that chaincode must not write.
func checkWriteKey(key string) error {
	switch key {
	case "":
		return errors.New("key must not be an empty string")
	case initializedKey:
		return errors.Errorf("key %q is reserved for the peer, use another one", key)
	}
	return checkReadKey(key)
}
