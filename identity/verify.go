package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Verifier finds out who somebody is, given the organizations of a channel (Fabric: MSPManager). It remembers those whom it
// has seen lately, because a certificate takes much longer to check than a signature. It is safe for concurrent use.
type Verifier struct {
	organizations map[string]*organization
	signatures    *Signatures // nil: each is checked

	mu sync.Mutex
	// seen has two generations, so that nothing needs to be ordered: when the young one is full, the old one goes. The keys
	// are hashes, because what is sent may be of any size.
	seen, seenBefore map[[sha256.Size]byte]*Verified
}

// remembered is how many identities a Verifier has in each of its generations at most.
const remembered = 200

// NewVerifier returns a Verifier for the members of some organizations.
func NewVerifier(organizations ...Organization) (*Verifier, error) {
	v := &Verifier{organizations: map[string]*organization{}, seen: map[[sha256.Size]byte]*Verified{}}
	for _, o := range organizations {
		ready, err := newOrganization(o)
		if err != nil {
			return nil, errors.WithMessage(err, "make verifier")
		}
		if v.organizations[o.MSPID] != nil {
			return nil, errors.Errorf("make verifier: two organizations have the MSP ID %q", o.MSPID)
		}
		v.organizations[o.MSPID] = ready
	}
	return v, nil
}

// MSPIDs returns the IDs of the organizations' MSPs, sorted, in a new slice.
func (v *Verifier) MSPIDs() []string {
	var ids []string
	for id := range v.organizations {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Identify returns who a creator is: a marshalled SerializedIdentity. It is an error if its certificate was not issued by a
// CA of its MSP, or was revoked, or has no role or several. Whether it has ended is not checked, because Fabric doesn't when
// it validates blocks: see Verified.ExpiresAt. Identify only reads creator.
func (v *Verifier) Identify(creator []byte) (*Verified, error) {
	key := sha256.Sum256(creator)
	if m := v.recall(key); m != nil {
		return m, nil
	}
	m, err := v.identify(creator)
	if err != nil {
		return nil, err
	}
	v.remember(key, m)
	return m, nil
}

func (v *Verifier) identify(creator []byte) (*Verified, error) {
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.Wrap(err, "decode SerializedIdentity")
	}
	o := v.organizations[id.GetMspid()]
	if o == nil {
		return nil, errors.Errorf("MSP %.64q is unknown", id.GetMspid())
	}
	cert, err := parseCertificate(id.GetIdBytes())
	if err != nil {
		return nil, errors.WithMessagef(err, "identity of MSP %s", o.MSPID)
	}
	m, err := o.member(cert)
	if err != nil {
		return nil, errors.WithMessagef(err, "identity of MSP %s", o.MSPID)
	}
	m.signatures = v.signatures
	return m, nil
}

func (v *Verifier) recall(key [sha256.Size]byte) *Verified {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.seen[key]
	if m == nil {
		if m = v.seenBefore[key]; m != nil {
			v.put(key, m)
		}
	}
	return m
}

func (v *Verifier) remember(key [sha256.Size]byte, m *Verified) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(key, m)
}

// put needs the lock.
func (v *Verifier) put(key [sha256.Size]byte, m *Verified) {
	if len(v.seen) >= remembered {
		v.seen, v.seenBefore = map[[sha256.Size]byte]*Verified{}, v.seen
	}
	v.seen[key] = m
}

// Verified is an identity that a Verifier has checked: a member of an MSP. It is safe for concurrent use.
type Verified struct {
	mspID      string
	cert       *x509.Certificate // with a low S
	creators   [2]string         // canonical, with a low and a high S in the certificate
	certifiers string
	role       Role // of NodeOUs; "" without them
	admin      bool
	key        [sha256.Size]byte // SHA-256 of the public key, with the names of its kind
	signatures *Signatures       // may be nil
}

// newVerified is of a certificate with the chain that leads to a root. It has no role yet.
func newVerified(mspID string, cert *x509.Certificate, chain []*x509.Certificate) (*Verified, error) {
	m := &Verified{mspID: mspID, cert: withLowS(cert, chain[1]), key: sha256.Sum256(cert.RawSubjectPublicKeyInfo)}
	for i, form := range []*x509.Certificate{m.cert, withHighS(cert, chain[1])} {
		creator, err := serialize(mspID, form)
		if err != nil {
			return nil, err
		}
		m.creators[i] = string(creator)
	}
	hash := sha256.New()
	for _, ca := range chain[1:] {
		hash.Write(ca.Raw)
	}
	m.certifiers = string(hash.Sum(nil))
	return m, nil
}

// MSPID returns the ID of the MSP that has certified the member.
func (m *Verified) MSPID() string { return m.mspID }

// Certificate returns the certificate. Its signature has a low S, whatever was sent. It must not be modified.
func (m *Verified) Certificate() *x509.Certificate { return m.cert }

// CertificatePEM returns the certificate as PEM, in a new slice.
func (m *Verified) CertificatePEM() []byte { return certificatePEM(m.cert) }

// Certifiers returns a hash of the CAs that have certified the member, from the issuer to the root, for Principal.Certifiers.
// It is SHA-256 of their certificates, one behind the other (Fabric: the certifiers identifier of an OUIdentifier).
func (m *Verified) Certifiers() string { return m.certifiers }

// ExpiresAt returns when the certificate ends. An endorser refuses the proposals of those whose certificate has ended.
func (m *Verified) ExpiresAt() time.Time { return m.cert.NotAfter }

// Verify returns an error unless signature is the member's over message, in the form that Identity.Sign gives it.
func (m *Verified) Verify(message, signature []byte) error {
	digest := sha256.Sum256(message)
	return m.signatures.verify(m.key, digest, signature, func() error { return verifyMessage(m.cert, message, digest, signature) })
}

// Satisfies reports whether the member belongs to a group (Fabric: SatisfiesPrincipal).
func (m *Verified) Satisfies(p Principal) bool {
	for part := &p; part != nil; part = part.Also {
		if !m.belongsTo(part) {
			return false
		}
	}
	return true
}

// belongsTo is Satisfies without the groups in Also.
func (m *Verified) belongsTo(p *Principal) bool {
	if p.Creator != "" {
		return slices.Contains(m.creators[:], p.Creator)
	}
	if p.MSPID != m.mspID {
		return false
	}
	switch p.Role {
	case Member:
		return true
	case Admin:
		return m.admin
	case Client, Peer, Orderer:
		return m.role == p.Role
	case "":
		return p.OU != "" && p.Certifiers == m.certifiers && slices.Contains(m.cert.Subject.OrganizationalUnit, p.OU)
	}
	return false
}

// Verify checks that the proposal is really its creator's: that v knows the creator, that the creator's certificate has not
// ended at the given time, and that its key has signed. The zero time means now. A certificate that isn't valid yet is good: the
// clocks of others may be fast, and Fabric doesn't ask either. Verify returns who it is.
func (p *ParsedProposal) Verify(v *Verifier, at time.Time) (*Verified, error) {
	if at.IsZero() {
		at = time.Now()
	}
	m, err := v.Identify(p.Creator)
	if err != nil {
		return nil, errors.WithMessage(err, "verify proposal")
	}
	if at.After(m.ExpiresAt()) {
		return nil, errors.Errorf("verify proposal: creator's certificate has ended on %s", m.ExpiresAt().Format(time.RFC3339))
	}
	if err := m.Verify(p.proposalBytes, p.signature); err != nil {
		return nil, errors.WithMessage(err, "verify proposal")
	}
	return m, nil
}
