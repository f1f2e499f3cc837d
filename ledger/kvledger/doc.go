// Package kvledger is the reference ledger: what Fabric's peer does with state, once, over a small ordered key-value
// store (package store). Several channels share one store.
//
// A transaction is simulated against a snapshot, without a lock:
//
//	sim, err := l.NewSimulator(ctx, txID)        // what chaincode reads from and writes to
//	results, err := kvledger.ResultsOf(sim)      // what it read and wrote, as a peer endorses it
//	codes, err := l.Commit(ctx, kvledger.Block{Transactions: ...})
//
// and validated when it is committed: every transaction of a block gets a code of its own, and one whose reads are
// no longer what is committed changes nothing. Blocks are kept, and can be read: Ledger.Block, Ledger.Transaction.
//
// # Private data
//
// A transaction's private writes are in its public read/write set as hashes, which are committed like public state. The
// values are in a read/write set of their own, Results.PrivateRWSet: they are committed if Transaction.PrivateRWSet has
// them and they are what the hashes are of. Otherwise the hash alone gets the new version, and GetPrivateData returns
// Fabric's error until somebody writes the key again.
//
// Which collections there are, and how many blocks what is in them lives, is a part of the namespace's definition:
// Ledger.Define. Who may use them is not decided here; whoever decides finds the definition there. In a namespace that has no
// definition, every collection exists.
//
// # Rich queries
//
// The language is CouchDB's Mango, as Fabric's peer passes it on: a limit has no effect, fields is an array, and an empty one
// means no field at all. A query uses the index that CouchDB would use, of those that the namespace's definition has, and
// without one looks at every document of the namespace or the collection. As in CouchDB, there is no sorting without an
// index. Ledger.Explain says what a query would use. What CouchDB would refuse is a QueryError.
//
// An index's entries are committed together with the documents, so that a simulator's snapshot has both.
//
// It differs from CouchDB in this:
//
//   - Strings are compared byte by byte. CouchDB follows ICU's root collation, in which "a" < "B" and "é" < "f", except
//     for _id. Equality differs only for strings that ICU takes for the same, such as composed and decomposed accents.
//   - $regex has the syntax of Go's package regexp, RE2, where CouchDB has PCRE: no look-around, no back-references. A
//     pattern that RE2 can't compile is a bad_arg. It matches characters; CouchDB's matches bytes.
//   - _id is ordered as any other value against values of other types; CouchDB puts strings after all of them there.
//   - $text and the geographical operators are not supported, as in a CouchDB without such indexes.
//   - An $or of nothing, where a selector has other conditions, requires no field, and doesn't make an index usable.
//   - The names that an index without ddoc or name gets are other ones, and so are bookmarks.
//   - A $mod by 0 is an error when the query is parsed, not when the first integer is met.
//   - $nor within $elemMatch, $allMatch and $keyMapMatch works; CouchDB doesn't get it there.
//   - Without fields, the value of a result is what is stored, to the byte. Fabric's peer encodes it anew.
//   - A document has no _rev. Queries and documents are nested 256 levels deep at most, their numbers have at most 1000 digits
//     in a row, and the size of a selector is limited.
//   - A number that doesn't fit into a float64 and is not an integer is infinite; CouchDB would not store it.
//
// # Keys
//
// In the store, everything of a channel begins with the channel's ID, a zero byte and a tag; namespaces end with a
// zero byte, and a chaincode's key is last and as it is, so that the store's order is the order that chaincode sees:
//
//	channel 00 's' namespace 00 key                               state: version, value
//	channel 00 'm' namespace 00 key                               its metadata: a KVMetadataWrite without a key
//	channel 00 'p' namespace 00 collection 00 key                 private data: version, value
//	channel 00 'd' namespace 00 collection 00 SHA-256 of key      its hash: version, SHA-256 of value
//	channel 00 'e' namespace 00 collection 00 SHA-256 of key      its metadata
//	channel 00 'n' namespace 00 collection 00 SHA-256 of key      the key, if there is a value at 'p'
//	channel 00 'h' namespace 00 len(key) key ^block ^transaction  history: a KeyModification; the newest is first
//	channel 00 't' transaction ID                                 block, position in it, validation code
//	channel 00 'c' namespace                                      its definition
//	channel 00 'i' namespace 00 index columns key                 an entry of an index: the length of the columns
//	channel 00 'x' block namespace 00 collection 00 SHA-256 of key
//	                                                              version of a hash that expires with the block
//	channel 00 'x'                                                there if there may be such
//	channel 00 'k' block transaction                              the block from that transaction on, or a part of it
//	channel 00 'b'                                                format, number of blocks
//
// The numbers of blocks, transactions and indexes are big-endian. Metadata has keys of its own, so that neither a read nor a
// blind write of a value has to read or write it.
package kvledger
