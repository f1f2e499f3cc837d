package kvledger

import "github.com/pkg/errors"

// past is what a transaction has done so far, as far as it decides what the transaction may still do. Some queries are not
// validated when the transaction is committed: pages, and whatever is asked of private data. Fabric makes up for that by
// keeping them out of transactions that write, whichever of the two comes first.
type past struct {
	txID           string
	written        bool // something was written
	paginated      bool // a paginated query was made
	queriedPrivate bool // a range or a rich query of private data was made
	resulted       bool // Results was called
}

// beforeWrite says whether the transaction may write. A write that is refused for what it is counts as one, as in Fabric: so
// this comes before the key is looked at.
func (p *past) beforeWrite() error {
	switch {
	case p.queriedPrivate:
		return p.unsupported("Transaction has already performed queries on pvt data. Writes are not allowed")
	case p.paginated:
		return p.unsupported("Transaction has already performed a paginated query. Writes are not allowed")
	}
	p.written = true
	return nil
}

// beforePage says whether the transaction may make a paginated query.
func (p *past) beforePage(size int32) error {
	switch {
	case size < 0:
		return errors.Errorf("page size %d must not be negative", size)
	case p.written:
		return p.unsupported("Paginated queries are supported only in a read-only transaction")
	}
	p.paginated = true
	return nil
}

// beforePrivateQuery says whether the transaction may make a range or a rich query of private data. It comes first: one that
// is refused for what it asks for counts, as in Fabric.
func (p *past) beforePrivateQuery() error {
	if p.written {
		return p.unsupported("Queries on pvt data is supported only in a read-only transaction")
	}
	p.queriedPrivate = true
	return nil
}

// unsupported returns Fabric's error for what may not follow what the transaction did before. The spelling is
// Fabric's.
func (p *past) unsupported(why string) error {
	return errors.Errorf("txid [%s]: unsuppored transaction. %s", p.txID, why)
}
