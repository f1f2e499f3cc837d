package identity

import (
	"crypto/sha256"
	"sync"

	"github.com/pkg/errors"
)

// Signatures remembers which signatures were good, so that several Verifiers in one process check each of them once. A transaction's
// are looked at by endorsers, by an orderer and by each peer that commits it: between two peers, ten checks are of five signatures.
//
//	s := identity.NewSignatures(0)
//	v, err := s.NewVerifier(organizations...)
//
// What is remembered is that a public key has made a signature over a message, by a SHA-256 over all three. That is so or not, whoever
// asks, for whatever channel. So one Signatures can serve the peers of several organizations, as long as they run in one process, and so
// trust its memory anyway. Who has the key, and whether they are still a member, is each Verifier's own to say. It is safe for concurrent
// use.
type Signatures struct {
	limit int

	mu sync.Mutex
	// good has two generations, as those of a Verifier.
	good, goodBefore map[signatureID]struct{}
	checks           map[signatureID]*check // that are going on
}

// signatureID is a SHA-256 over a key, a message and a signature.
type signatureID [sha256.Size]byte

// check is a check that is going on.
type check struct {
	done chan struct{} // closed when err is what came of it
	err  error
}

// errUnfinished is what those get who wait for a check that panics.
var errUnfinished = errors.New("the signature's check has not ended")

// rememberedSignatures is enough for those of a thousand transactions in flight.
const rememberedSignatures = 10_000

// NewSignatures returns a Signatures that remembers the last ones: at least limit, and at most twice as many. Each takes about 50 bytes.
// 0 means 10,000.
func NewSignatures(limit int) *Signatures {
	if limit <= 0 {
		limit = rememberedSignatures
	}
	return &Signatures{limit: limit, good: map[signatureID]struct{}{}, checks: map[signatureID]*check{}}
}

// NewVerifier returns a Verifier for the members of some organizations. It and the other Verifiers of s don't check a signature that
// one of them has found good lately.
func (s *Signatures) NewVerifier(organizations ...Organization) (*Verifier, error) {
	v, err := NewVerifier(organizations...)
	if err == nil {
		v.signatures = s
	}
	return v, err
}

// verify returns what verify says of a signature. If somebody is asking that already, it waits for their answer. key is a SHA-256
// of the public key, and digest one of the message. A nil Signatures remembers nothing.
func (s *Signatures) verify(key, digest [sha256.Size]byte, signature []byte, verify func() error) error {
	if s == nil {
		return verify()
	}
	h := sha256.New() // of two parts whose length is fixed, and the rest
	h.Write(key[:])
	h.Write(digest[:])
	h.Write(signature)
	var id signatureID
	h.Sum(id[:0])
	c, mine := s.begin(id)
	switch {
	case c == nil:
		return nil
	case mine:
		defer s.end(id, c)
		c.err = verify()
	default:
		<-c.done
	}
	return c.err
}

// begin returns nil if a signature is known to be good. Otherwise it returns the check, and whether the caller is to make it.
func (s *Signatures) begin(id signatureID) (c *check, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, good := s.good[id]; good {
		return nil, false
	}
	if _, good := s.goodBefore[id]; good {
		s.put(id)
		return nil, false
	}
	if c := s.checks[id]; c != nil {
		return c, false
	}
	c = &check{done: make(chan struct{}), err: errUnfinished}
	s.checks[id] = c
	return c, true
}

// end tells what came of a check. Only good signatures are remembered: so nobody who isn't a member can have others forgotten.
func (s *Signatures) end(id signatureID, c *check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.checks, id)
	if c.err == nil {
		s.put(id)
	}
	close(c.done)
}

// put needs the lock.
func (s *Signatures) put(id signatureID) {
	if len(s.good) >= s.limit {
		s.good, s.goodBefore = map[signatureID]struct{}{}, s.good
	}
	s.good[id] = struct{}{}
}
