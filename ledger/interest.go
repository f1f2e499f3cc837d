package ledger

import "context"

// InterestReporter is implemented by a Simulator whose ledger knows what decides who must endorse a transaction, beyond what
// is in its read/write set. Without it an endorser's responses don't say who must.
type InterestReporter interface {
	// Interest returns what was simulated so far, as far as it matters to endorsement. It must be called before Done. The
	// result belongs to the caller.
	Interest(ctx context.Context) (*Interest, error)
}

// Interest is what a transaction has read and written, as far as it matters who must endorse it. Equal simulations have equal
// ones. In Fabric it is a part of TxSimulationResults: PrivateReads, WritesetMetadata, and the names in the read/write set.
type Interest struct {
	// Namespaces are those in which something was read or written, by name.
	Namespaces []NamespaceInterest
}

// NamespaceInterest is the part of one namespace.
type NamespaceInterest struct {
	Name string
	// Written says what was written to the public state, which comes first, and to collections, by name.
	Written []WrittenKeys
	// PrivateReads are the collections of which values were read, by name. Hashes, metadata, ranges and rich queries don't count,
	// as in Fabric.
	PrivateReads []string
}

// WrittenKeys is about the keys whose values or metadata were written in one place.
type WrittenKeys struct {
	// Collection is "" for the public state.
	Collection string
	// Policies are the policies of the keys that have one in what is committed, in the order of the keys. Each is the metadata
	// ValidationParameter, as it was set. Several keys may have the same.
	Policies [][]byte
	// Others says that some of the keys have none.
	Others bool
}
