// Package kvledger is the reference ledger: what Fabric's peer does with state, once, over a small ordered key-value
// store (package store). Several channels share one store.
//
// A transaction is simulated against a snapshot, without a lock:
//
//	sim, err := l.NewSimulator(ctx, txID)        // what chaincode reads from and writes to
//	results, err := sim.Results()                // what it read and wrote, as a peer endorses it
//	codes, err := l.Commit(ctx, kvledger.Block{Transactions: ...})
//
// and validated when it is committed: every transaction of a block gets a code of its own, and one whose reads are
// no longer what is committed changes nothing.
//
// # Private data
//
// A transaction's private writes are in its public read/write set as hashes, which are committed like public state. The
// values are in a read/write set of their own, Results.PrivateRWSet: they are committed if Transaction.PrivateRWSet has
// them and they are what the hashes are of. Otherwise the hash alone gets the new version, and GetPrivateData returns
// Fabric's error until somebody writes the key again. Which collections there are, who may use them, and how long
// their data lives, is not known here.
//
// # Rich queries
//
// The language is that of CouchDB (package mango). Every document of the namespace or the collection is looked at.
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
//	channel 00 'h' namespace 00 len(key) key ^block ^transaction  history: a KeyModification; the newest is first
//	channel 00 't' transaction ID                                 block, position in it, validation code
//	channel 00 'b'                                                format, number of blocks
//
// Metadata has keys of its own, so that neither a read nor a blind write of a value has to read or write it.
package kvledger
