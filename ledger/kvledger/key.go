package kvledger

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Tags of what a store holds, between the channel's ID and the rest.
const (
	tagState        = "\x00s"
	tagMetadata     = "\x00m"
	tagPrivate      = "\x00p"
	tagHash         = "\x00d"
	tagHashMetadata = "\x00e"
	tagHistory      = "\x00h"
	tagTxID         = "\x00t"
	tagHeight       = "\x00b"
)

// stateKey is where a key's committed value is.
func (l *Ledger) stateKey(namespace, key string) string {
	return l.channelID + tagState + namespace + "\x00" + key
}

// metadataKey is where a key's metadata is.
func (l *Ledger) metadataKey(namespace, key string) string {
	return l.channelID + tagMetadata + namespace + "\x00" + key
}

// privateKey is where the committed value of a collection's key is.
func (l *Ledger) privateKey(namespace, collection, key string) string {
	return l.channelID + tagPrivate + namespace + "\x00" + collection + "\x00" + key
}

// hashKey is where the hash of that value is, by the hash of the key.
func (l *Ledger) hashKey(namespace, collection, keyHash string) string {
	return l.channelID + tagHash + namespace + "\x00" + collection + "\x00" + keyHash
}

// hashMetadataKey is where the metadata of a collection's key is, by the hash of the key.
func (l *Ledger) hashMetadataKey(namespace, collection, keyHash string) string {
	return l.channelID + tagHashMetadata + namespace + "\x00" + collection + "\x00" + keyHash
}

// stateRange is where the keys in [start, end) of a namespace are. The key itself begins at keyAt.
func (l *Ledger) stateRange(namespace, start, end string) (lo, hi string, keyAt int) {
	return rangeOf(l.stateKey(namespace, ""), start, end)
}

// privateRange is where the keys in [start, end) of a collection are. The key itself begins at keyAt.
func (l *Ledger) privateRange(namespace, collection, start, end string) (lo, hi string, keyAt int) {
	return rangeOf(l.privateKey(namespace, collection, ""), start, end)
}

// rangeOf is where the keys in [start, end) are of those that begin with a prefix, which ends with a zero byte.
func rangeOf(prefix, start, end string) (lo, hi string, keyAt int) {
	if end == "" {
		return prefix + start, prefix[:len(prefix)-1] + "\x01", len(prefix)
	}
	return prefix + start, prefix + end, len(prefix)
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

// checkWriteKey refuses keys that can't be written.
func checkWriteKey(key string) error {
	if key == "" {
		return errors.New("key must not be an empty string")
	}
	return checkReadKey(key)
}
