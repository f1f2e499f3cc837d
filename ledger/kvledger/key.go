package kvledger

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// Tags of what a store holds. They stand between the channel's ID and the rest.
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
	tagBlockHash    = "\x00u"
	tagPastList     = "\x00v"
	tagPastValue    = "\x00w"
)

// tagSize is how many bytes each tag has.
const tagSize = 2

// keyspace is the part of the store that belongs to one channel. It makes the store's keys, and takes them apart. The
// package's comment has the list.
type keyspace struct {
	channelID string
	maxKey    int // bytes that a key of the store may have; 0 is any number
}

// stateKey is the store's key of a committed value.
func (k keyspace) stateKey(namespace, key string) string {
	return k.channelID + tagState + namespace + "\x00" + key
}

// metadataKey is the store's key of a key's metadata.
func (k keyspace) metadataKey(namespace, key string) string {
	return k.channelID + tagMetadata + namespace + "\x00" + key
}

// privateKey is the store's key of the committed value of a collection's key.
func (k keyspace) privateKey(namespace, collection, key string) string {
	return k.channelID + tagPrivate + namespace + "\x00" + collection + "\x00" + key
}

// hashKey is the store's key of that value's hash, by the hash of the key.
func (k keyspace) hashKey(namespace, collection, keyHash string) string {
	return k.channelID + tagHash + namespace + "\x00" + collection + "\x00" + keyHash
}

// hashMetadataKey is the store's key of the metadata of a collection's key, by the hash of the key.
func (k keyspace) hashMetadataKey(namespace, collection, keyHash string) string {
	return k.channelID + tagHashMetadata + namespace + "\x00" + collection + "\x00" + keyHash
}

// privateNameKey is the store's key under which a collection's key is found by its hash, if this ledger has the value.
func (k keyspace) privateNameKey(namespace, collection, keyHash string) string {
	return k.channelID + tagPrivateName + namespace + "\x00" + collection + "\x00" + keyHash
}

// pastListKey is the store's key of the list of a private key's past values, by the hash of the key.
func (k keyspace) pastListKey(of collectionKey) string {
	return k.channelID + tagPastList + of.namespace + "\x00" + of.collection + "\x00" + of.key
}

// pastValueKey is the store's key of what a transaction has written to a private key, by the hash of the key.
func (k keyspace) pastValueKey(of collectionKey, v version) string {
	return k.channelID + tagPastValue + of.namespace + "\x00" + of.collection + "\x00" + of.key + bigEndian(v.block) + bigEndian(v.tx)
}

// expiryKey is the store's key of the note that a collection's value expires with a block.
func (k keyspace) expiryKey(block uint64, c collectionKey) string {
	return k.channelID + tagExpiry + bigEndian(block) + c.namespace + "\x00" + c.collection + "\x00" + c.key
}

// expiresKey is the store's key that is there if anything may ever expire. Most ledgers need not look for notes then.
func (k keyspace) expiresKey() string { return k.channelID + tagExpiry }

// definitionKey is the store's key of a namespace's definition.
func (k keyspace) definitionKey(namespace string) string {
	return k.channelID + tagDefinition + namespace
}

// indexPrefix is the prefix of all entries of an index.
func (k keyspace) indexPrefix(namespace string, id uint32) string {
	return k.channelID + tagIndex + namespace + "\x00" + bigEndian(uint64(id))[4:]
}

// blockKey is the store's key of the part of a block that begins with the transaction at a position.
func (k keyspace) blockKey(block, position uint64) string {
	return k.channelID + tagBlock + bigEndian(block) + bigEndian(position)
}

// headerKey is the store's key of a block's header and metadata. The block's parts come after it.
func (k keyspace) headerKey(block uint64) string {
	return k.channelID + tagBlock + bigEndian(block)
}

// blockHashKey is the store's key of a block's number, by the hash of its header.
func (k keyspace) blockHashKey(hash []byte) string {
	return k.channelID + tagBlockHash + string(hash)
}

func bigEndian(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

// collectionKey is a key of a collection, or its hash. If the collection is "", it is a key of the public state.
type collectionKey struct{ namespace, collection, key string }

// parseKey takes apart a key of the store that has one of the tags for state and private data.
func (k keyspace) parseKey(storeKey string) (tag string, c collectionKey) {
	rest := storeKey[len(k.channelID):]
	tag, rest = rest[:tagSize], rest[tagSize:]
	c.namespace, rest, _ = strings.Cut(rest, "\x00")
	if tag != tagState {
		c.collection, rest, _ = strings.Cut(rest, "\x00")
	}
	c.key = rest
	return tag, c
}

// stateRange returns the store's range for the keys in [start, end) of a namespace. In the store's keys, the key itself
// begins at keyAt.
func (k keyspace) stateRange(namespace, start, end string) (lo, hi string, keyAt int) {
	return rangeOf(k.stateKey(namespace, ""), start, end)
}

// privateRange returns the store's range for the keys in [start, end) of a collection. In the store's keys, the key itself
// begins at keyAt.
func (k keyspace) privateRange(namespace, collection, start, end string) (lo, hi string, keyAt int) {
	return rangeOf(k.privateKey(namespace, collection, ""), start, end)
}

// rangeOf returns the store's range for the keys in [start, end) below a prefix, which ends with a zero byte.
func rangeOf(prefix, start, end string) (lo, hi string, keyAt int) {
	if end == "" {
		return prefix + start, prefix[:len(prefix)-1] + "\x01", len(prefix)
	}
	return prefix + start, prefix + end, len(prefix)
}

// documentRange returns the store's range for the documents of the public state, or of a collection, from a key on.
func (k keyspace) documentRange(namespace, collection, start string) (lo, hi string, keyAt int) {
	if collection == "" {
		return k.stateRange(namespace, start, "")
	}
	return k.privateRange(namespace, collection, start, "")
}

// historyPrefix is the prefix of the history entries of a key, and of no others.
func (k keyspace) historyPrefix(namespace, key string) string {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(key)))
	return k.channelID + tagHistory + namespace + "\x00" + string(length[:n]) + key
}

// historyKey is the store's key of a transaction's modification. Later ones come first.
func historyKey(prefix string, v version) string {
	return prefix + bigEndian(^v.block) + bigEndian(^v.tx)
}

// historyEnd comes after every historyKey of a prefix.
func historyEnd(prefix string) string { return prefix + strings.Repeat("\xff", 17) }

func (k keyspace) txIDKey(txID string) string { return k.channelID + tagTxID + txID }

func (k keyspace) heightKey() string { return k.channelID + tagHeight }

// checkName refuses names that can't be told from their neighbours in a store's key. what says whose name it is.
func checkName(what, name string) error {
	switch {
	case name == "":
		return errors.Errorf("%s must not be an empty string", what)
	case !utf8.ValidString(name):
		return errors.Errorf("invalid %s [%x], must be a UTF-8 string", what, shown(name))
	case strings.Contains(name, "\x00"):
		return errors.Errorf("invalid %s %q, must not contain U+0000", what, shown(name))
	}
	return nil
}

// checkReadKey refuses keys that a read/write set can't hold. The text is that of Fabric's state database.
func checkReadKey(key string) error {
	if !utf8.ValidString(key) {
		return errors.Errorf("invalid key [%x], must be a UTF-8 string", shown(key))
	}
	return nil
}

// checkKey refuses keys that can't be written to a namespace, or to one of its collections.
func (k keyspace) checkKey(namespace, collection, key string) error {
	if key == "" {
		return errors.New("key must not be an empty string")
	}
	if err := checkReadKey(key); err != nil {
		return err
	}
	if most := k.room(namespace, collection); len(key) > most {
		return errors.Errorf("key of %d bytes is too long: the ledger's store takes up to %d here", len(key), max(most, 0))
	}
	return nil
}

// room returns how many bytes a key may have that is written to a namespace, or to one of its collections.
//
// A key becomes part of several keys of the store, some of which are written much later. When the key is first written, it
// must already fit into all of them. The longest one is that of an index entry, even where the key's hash takes its place.
func (k keyspace) room(namespace, collection string) int {
	if k.maxKey == 0 {
		return math.MaxInt
	}
	return k.maxKey - len(k.channelID) - len(namespace) - len(collection) - mango.MaxColumns - keyOverhead
}

// keyOverhead is an upper bound of what a key of the store has beside the names, the key and an index's columns: a tag, zero
// bytes, a length, numbers.
const keyOverhead = 64
