package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"slices"

	"github.com/pkg/errors"
)

// Signer makes and signs proposals. Identity implements it. If your keys are kept elsewhere, implement it yourself.
type Signer interface {
	// Creator returns the marshalled SerializedIdentity. The caller only reads it.
	Creator() []byte
	// Sign hashes a message and returns the signature over it. The caller owns the signature.
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

// Sign signs a message as Fabric's clients do: ECDSA over its SHA-256, as ASN.1 DER. S can have two values, of which it
// takes the lower one. Fabric's peers refuse the higher one (bccsp/sw).
func (id *Identity) Sign(message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	return id.key.Sign(nil, digest[:], crypto.SHA256)
}

// signingKey is a key whose signatures have a low S, also in certificates. Fabric rewrites certificates in which S is high.
type signingKey struct{ key *ecdsa.PrivateKey }

var _ crypto.Signer = signingKey{}

// ecdsaSignature is the ASN.1 form of a signature.
type ecdsaSignature struct{ R, S *big.Int }

func (k signingKey) Public() crypto.PublicKey { return k.key.Public() }

func (k signingKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.key, digest)
	if err != nil {
		return nil, errors.Wrap(err, "sign")
	}
	if !isLowS(&k.key.PublicKey, s) {
		s.Sub(k.key.Params().N, s)
	}
	b, err := asn1.Marshal(ecdsaSignature{r, s})
	if err != nil {
		return nil, errors.Wrap(err, "marshal signature")
	}
	return b, nil
}

// isLowS reports whether s is the lower one of the two values that a signature can have: s, and the curve's order minus s.
func isLowS(key *ecdsa.PublicKey, s *big.Int) bool {
	return s.Cmp(new(big.Int).Rsh(key.Params().N, 1)) <= 0
}
