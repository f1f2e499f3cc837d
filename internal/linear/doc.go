// Package linear checks that ledgers are linearizable: that clients who simulate and commit at the same time see what they
// would see if each transaction took effect at one moment between its call and its return. Package kvledgertest looks into
// a ledger to say what each transaction should have done; here only what the clients see counts, and porcupine searches for
// an order that explains it.
//
// A valid transaction takes effect while it is committed: what it has read in its simulation must be so at that moment. An
// invalid one has no effect. And a simulation by itself is a query that has its answer from one moment while it lasts,
// whatever becomes of the transaction: snapshots are not old, and not of several moments.
package linear
