package kvledger

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
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
	tagPrivateName  = "\x00n"
	tagExpiry       = "\x00x"
	tagDefinition   = "\x00c"
	tagIndex        = "\x00i"
	tagBlock        = "\x00k"
)

// tagSize is how long each of them is.
const tagSize = 2

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

// privateNameKey is where a collection's key is, by its hash, if there is a value that this ledger has.
func (l *Ledger) privateNameKey(namespace, collection, keyHash string) string {
	return l.channelID + tagPrivateName + namespace + "\x00" + collection + "\x00" + keyHash
}

// expiryKey is where it is noted that a value of a collection expires when a block is committed.
func (l *Ledger) expiryKey(block uint64, c collectionKey) string {
	return l.channelID + tagExpiry + bigEndian(block) + c.namespace + "\x00" + c.collection + "\x00" + c.key
}

// expiresKey is where it is noted that something may ever expire, so that most ledgers need not look.
func (l *Ledger) expiresKey() string { return l.channelID + tagExpiry }

// definitionKey is where a namespace's definition is.
func (l *Ledger) definitionKey(namespace string) string {
	return l.channelID + tagDefinition + namespace
}

// indexPrefix is what the entries of an index begin with.
func (l *Ledger) indexPrefix(namespace string, id uint32) string {
	return l.channelID + tagIndex + namespace + "\x00" + bigEndian(uint64(id))[4:]
}

// blockKey is where the part of a block is that begins with the transaction at a position.
func (l *Ledger) blockKey(block, position uint64) string {
	return l.channelID + tagBlock + bigEndian(block) + bigEndian(position)
}

func bigEndian(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

// collectionKey is a key of a collection, or its hash; or a key of the public state, where the collection is "".
type collectionKey struct{ namespace, collection, key string }

// parseKey tells what a key of one of the tags for state and private data is of.
func (l *Ledger) parseKey(storeKey string) (tag string, c collectionKey) {
	rest := storeKey[len(l.channelID):]
	tag, rest = rest[:tagSize], rest[tagSize:]
	c.namespace, rest, _ = strings.Cut(rest, "\x00")
	if tag != tagState {
		c.collection, rest, _ = strings.Cut(rest, "\x00")
	}
	c.key = rest
	return tag, c
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

// documentRange is where the documents of the public state, or of a collection, are from a key on.
func (l *Ledger) documentRange(namespace, collection, start string) (lo, hi string, keyAt int) {
	if collection == "" {
		return l.stateRange(namespace, start, "")
	}
	return l.privateRange(namespace, collection, start, "")
}

// historyPrefix is what the history entries of a key, and no others, begin with.
func (l *Ledger) historyPrefix(namespace, key string) string {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(key)))
	return l.channelID + tagHistory + namespace + "\x00" + string(length[:n]) + key
}

// historyKey is where the modification by a transaction is. The later ones come first.
func historyKey(prefix string, v version) string {
	return prefix + bigEndian(^v.block) + bigEndian(^v.tx)
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

// checkKey refuses keys that can't be written to a namespace, or to one of its collections.
func (l *Ledger) checkKey(namespace, collection, key string) error {
	if key == "" {
		return errors.New("key must not be an empty string")
	}
	if err := checkReadKey(key); err != nil {
		return err
	}
	if most := l.room(namespace, collection); len(key) > most {
		return errors.Errorf("key of %d bytes is too long: the ledger's store takes up to %d here", len(key), max(most, 0))
	}
	return nil
}

// room is how many bytes a key may have that is written to a namespace, or to one of its collections. Of the store's keys
// that are made of it that of an index entry is the longest, also where the key's hash is in its place.
func (l *Ledger) room(namespace, collection string) int {
	if l.provider.maxKey == 0 {
		return math.MaxInt
	}
	return l.provider.maxKey - len(l.channelID) - len(namespace) - len(collection) - mango.MaxColumns - keyOverhead
}

// keyOverhead is more than what a key of the store has besides the names, the key and an index's columns: a tag, zero bytes,
// a length, numbers.
const keyOverhead = 64
