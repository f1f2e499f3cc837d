package kvledger

import "github.com/pkg/errors"

// past is what a transaction has done so far, as far as it decides what the transaction may still do. Some queries are not
// validated when the transaction is committed: pages, and whatever is asked of private data. Fabric makes up for that. It
// keeps these queries out of transactions that write, whichever of the two comes first.
type past struct {
	txID           string
	written        bool // something was written
	paginated      bool // a paginated query was made
	queriedPrivate bool // a range or a rich query of private data was made
	resulted       bool // Results was called
}

// beforeWrite returns an error if the transaction must not write. As in Fabric, a write counts even if it is refused because
// of its key. So this is called before the key is looked at.
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

// beforePage returns an error if the transaction must not make a paginated query.
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

// beforePrivateQuery returns an error if the transaction must not make a range or a rich query of private data. As in
// Fabric, a query counts even if it is refused because of what it asks for. So this is called first.
func (p *past) beforePrivateQuery() error {
	if p.written {
		return p.unsupported("Queries on pvt data is supported only in a read-only transaction")
	}
	p.queriedPrivate = true
	return nil
}

// unsupported returns Fabric's error for what may not follow what the transaction did before. The spelling is Fabric's.
func (p *past) unsupported(why string) error {
	return errors.Errorf("txid [%s]: unsuppored transaction. %s", shown(p.txID), why)
}
