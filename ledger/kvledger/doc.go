// Package kvledger is the reference ledger. It does with state what Fabric's peer does, once, over a small ordered key-value
// store (package store). Several channels share one store.
//
// A transaction is simulated against a snapshot, without a lock:
//
//	sim, err := l.NewSimulator(ctx, txID)        // what chaincode reads from and writes to
//	results, err := kvledger.ResultsOf(ctx, sim) // what it read and wrote, as a peer endorses it
//	codes, err := l.Commit(ctx, kvledger.Block{Transactions: ...})
//
// It is validated when it is committed. Every transaction of a block gets a code of its own. If what it read is no longer
// what is committed, it changes nothing.
//
// # Blocks
//
// Blocks are kept as a peer of Fabric keeps them: a header with the hash of the one before, the envelopes, and the metadata of
// the ordering service with the codes and a commit hash. A caller who has them hands in headers, metadata and envelopes as they
// came. To one who only has read/write sets, the ledger is its own ordering service: it makes headers, and envelopes that nobody
// has signed. So every block is read in the same way.
//
//	b, err := l.Block(ctx, 7)                    // also BlockByHash, BlockByTxID; Transaction for one transaction
//	tx, err := b.Transactions[0].Parse()         // who asked, for what, the answer, the event, the endorsements
//	sub := l.Subscribe(7)                        // block 7, and those that are to come:
//	b, err = sub.Next(ctx)
//
// # Private data
//
// The public read/write set has a transaction's private writes as hashes, which are committed like public state. The values
// are in a read/write set of their own, Results.PrivateRWSet. They are committed if Transaction.PrivateRWSet has them and if
// they fit the hashes. Otherwise only the hash gets the new version, and GetPrivateData returns Fabric's error until
// somebody writes the key again. PrivateDataOf returns what a block has written, also if it was written again since.
//
// The namespace's definition says which collections there are, and how many blocks their data lives: Ledger.Define. Who may
// use them is not decided here, but whatever decides it finds the definition here. In a namespace that has no definition,
// every collection exists.
//
// # Rich queries
//
// The language is CouchDB's Mango, as Fabric's peer passes it on: a limit has no effect, fields is an array, and an empty
// array means no field at all. A query uses the index that CouchDB would use, out of those that the namespace's definition
// has. Without an index it looks at every document of the namespace or the collection. As in CouchDB, there is no sorting
// without an index. Ledger.Explain says what a query would use. If CouchDB would refuse a query, the error is a QueryError.
//
// An index's entries are committed together with the documents, so a simulator's snapshot has both.
//
// It differs from CouchDB in this:
//
//   - Strings are compared byte by byte. CouchDB follows ICU's root collation, in which "a" < "B" and "é" < "f", except for
//     _id. Equality differs only for strings that ICU takes for the same, such as composed and decomposed accents.
//   - $regex has the syntax of Go's package regexp, RE2. CouchDB has PCRE. There is no look-around, and there are no
//     back-references. A pattern that RE2 can't compile is a bad_arg. It matches characters; CouchDB's matches bytes.
//   - _id is ordered like any other value against values of other types. CouchDB puts strings after all of them there.
//   - $text and the geographical operators are not supported, as in a CouchDB without such indexes.
//   - An $or of nothing requires no field if a selector has other conditions, and doesn't make an index usable.
//   - If an index has no ddoc or name, it gets another one than in CouchDB. Bookmarks are different, too.
//   - A $mod by 0 is an error when the query is parsed, not when the first integer is met.
//   - $nor within $elemMatch, $allMatch and $keyMapMatch works. In CouchDB it doesn't.
//   - Without fields, the value of a result is what is stored, to the byte. Fabric's peer encodes it anew.
//   - A document has no _rev. Queries and documents are nested at most 256 levels deep, their numbers have at most 1000
//     digits in a row. There are limits of a query's size, of its lists and of its regular expressions: docs/protocol.md.
//   - A regular expression that is too much work for a string is an error. CouchDB has a limit as well, and finds no match.
//     An index doesn't have a document whose match with its partial_filter_selector is too much work.
//   - A number that doesn't fit into a float64 and is not an integer is infinite. CouchDB would not store it.
//
// # Keys
//
// In the store, everything of a channel begins with the channel's ID, a zero byte and a tag. Namespaces end with a zero
// byte. A chaincode's key comes last and is not encoded, so the store's order is the order that chaincode sees:
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
//	channel 00 'k' block                                          its header and metadata: a Block without data
//	channel 00 'k' block transaction                              its envelopes from that transaction on, or some of them
//	channel 00 'u' hash of header                                 the block's number
//	channel 00 'v' namespace 00 collection 00 SHA-256 of key      versions of past values: those that are at 'w'
//	channel 00 'w' namespace 00 collection 00 SHA-256 of key block transaction
//	                                                              what that transaction has written: the key, the value
//	channel 00 'b'                                                format, number of blocks, if there may be metadata of keys;
//	                                                              the last two header hashes and the last commit hash
//
// The numbers of blocks, transactions and indexes are big-endian. Metadata has keys of its own. So reading a value, or
// writing it blindly, doesn't touch its metadata.
package kvledger
