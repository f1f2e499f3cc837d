package peer

import "context"

// Transient is what keeps private data until it is committed.
type Transient struct{ transient }

// MaxPrivateBytes is how much it keeps.
const MaxPrivateBytes = maxPrivateBytes

// Keep keeps a set.
func (t *Transient) Keep(txID string, private []byte, height uint64) error {
	return t.keep(txID, private, height)
}

// Has reports whether something is kept of a transaction.
func (t *Transient) Has(txID string) bool {
	sets, err := t.PrivateRWSet(context.Background(), txID, nil)
	return sets != nil || err != nil
}

// Bytes is what is counted.
func (t *Transient) Bytes() int { return t.bytes }
