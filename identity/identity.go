package identity

import (
	"crypto/x509"
	"encoding/base64"
	"slices"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Signer makes and signs proposals. Identity implements it. If your keys are kept elsewhere, implement it yourself.
type Signer interface {
	// Creator returns the marshalled SerializedIdentity. The caller only reads it.
	Creator() []byte
	// Sign returns the signature over a message. The caller owns the signature.
	Sign(message []byte) ([]byte, error)
}

// Identity is a certificate of an MSP with its key. It submits transactions. MSP.Issue makes one. It is safe for concurrent
// use.
type Identity struct {
	mspID   string
	key     signingKey
	cert    *x509.Certificate
	creator []byte
}

var _ Signer = (*Identity)(nil)

// MSPID returns the ID of the MSP that issued the identity.
func (id *Identity) MSPID() string { return id.mspID }

// Certificate returns the certificate. It must not be modified.
func (id *Identity) Certificate() *x509.Certificate { return id.cert }

// CertificatePEM returns the certificate as PEM, in a new slice.
func (id *Identity) CertificatePEM() []byte { return certificatePEM(id.cert) }

// Creator returns the identity in the form in which it is sent, in a new slice. That is a marshalled SerializedIdentity of
// the MSP's ID and the certificate's PEM.
func (id *Identity) Creator() []byte { return slices.Clone(id.creator) }

// ID returns what Go shims call the client's unique ID (cid.GetID): "x509::<subject>::<issuer>" in base64. Subject and
// issuer are the certificate's distinguished names in the form of RFC 2253.
func (id *Identity) ID() string {
	text := "x509::" + id.cert.Subject.ToRDNSequence().String() + "::" + id.cert.Issuer.ToRDNSequence().String()
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// KeyPEM returns the private key in PKCS #8, as PEM, in a new slice. Whoever has it is the identity.
func (id *Identity) KeyPEM() ([]byte, error) { return id.key.keyPEM() }

// Sign signs a message as Fabric's clients do. With a key of ECDSA that is a signature over its SHA-256, as ASN.1 DER. S can
// have two values, of which it takes the lower one. Fabric's peers refuse the higher one (bccsp/sw). Ed25519 signs the
// message itself.
func (id *Identity) Sign(message []byte) ([]byte, error) { return id.key.signMessage(message) }

// Load returns the identity of an MSP whose certificate and private key are given, as PEM. The key may be in PKCS #8 or, if
// it is one of ECDSA, in the form of OpenSSL. Load doesn't check who has issued the certificate: use a Verifier for that.
func Load(mspID string, certificate, key []byte) (*Identity, error) {
	id, err := load(mspID, certificate, key)
	return id, errors.WithMessagef(err, "load identity of MSP %q", mspID)
}

func load(mspID string, certificate, key []byte) (*Identity, error) {
	if mspID == "" {
		return nil, errors.New("the MSP's ID is empty")
	}
	cert, err := parseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	k, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	if err := k.fits(cert); err != nil {
		return nil, err
	}
	return newIdentity(mspID, cert, k)
}

func newIdentity(mspID string, cert *x509.Certificate, key signingKey) (*Identity, error) {
	creator, err := serialize(mspID, cert)
	if err != nil {
		return nil, err
	}
	return &Identity{mspID: mspID, key: key, cert: cert, creator: creator}, nil
}

// serialize returns a member of an MSP in the form in which it is sent.
func serialize(mspID string, cert *x509.Certificate) ([]byte, error) {
	b, err := proto.Marshal(&pb.SerializedIdentity{Mspid: mspID, IdBytes: certificatePEM(cert)})
	return b, errors.Wrap(err, "marshal SerializedIdentity")
}

// Canonical returns a marshalled SerializedIdentity as Fabric and this package write it: the certificate may be sent with text
// around it, or with other line ends, and be the same.
func Canonical(creator []byte) ([]byte, error) {
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.Wrap(err, "decode SerializedIdentity")
	}
	cert, err := parseCertificate(id.GetIdBytes())
	if err != nil {
		return nil, err
	}
	return serialize(id.GetMspid(), cert)
}

// ExpiresAt returns when the certificate of a creator ends, a marshalled SerializedIdentity. The time is zero if that can't be
// told (Fabric: common/crypto, expiration.go).
func ExpiresAt(creator []byte) time.Time {
	var id pb.SerializedIdentity
	if proto.Unmarshal(creator, &id) != nil {
		return time.Time{}
	}
	cert, err := parseCertificate(id.GetIdBytes())
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}
