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
// # Keys
//
// In the store, everything of a channel begins with the channel's ID, a zero byte and a tag; namespaces end with a
// zero byte, and a chaincode's key is last and as it is, so that the store's order is the order that chaincode sees:
//
//	channel 00 's' namespace 00 key                               state: version, value
//	channel 00 'h' namespace 00 len(key) key ^block ^transaction  history: a KeyModification; the newest is first
//	channel 00 't' transaction ID                                 block, position in it, validation code
//	channel 00 'b'                                                format, number of blocks
package kvledger
