// Package ledgertest helps to test a ledger, and what uses one.
//
// [Run] is the conformance suite: every ledger should pass it. [Faulty] wraps a ledger, fails as it is told, and
// reports every breach of the rules by which simulators and iterators are used.
package ledgertest
