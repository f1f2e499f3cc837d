package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"

	"github.com/pkg/errors"
)

// Algorithm is a kind of key. Fabric knows these (bccsp).
type Algorithm string

// The kinds of keys.
const (
	ECDSAP256 Algorithm = "ECDSA P-256"
	ECDSAP384 Algorithm = "ECDSA P-384"
	// Ed25519 is known to Fabric since 3.0. An older peer refuses such an identity.
	Ed25519 Algorithm = "Ed25519"
)

// signingKey is a private key that signs as Fabric wants it: signatures of ECDSA have a low S, also in certificates. Fabric
// rewrites certificates in which S is high.
type signingKey struct{ crypto.Signer }

var _ crypto.Signer = signingKey{}

// ecdsaSignature is the ASN.1 form of a signature.
type ecdsaSignature struct{ R, S *big.Int }

// newKey makes a key. An empty algorithm is ECDSAP256.
func newKey(a Algorithm) (signingKey, error) {
	var key crypto.Signer
	var err error
	switch a {
	case ECDSAP256, "":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return signingKey{}, errors.Errorf("algorithm %q is unknown, want %s, %s or %s", a, ECDSAP256, ECDSAP384, Ed25519)
	}
	if err != nil {
		return signingKey{}, errors.Wrap(err, "generate key")
	}
	return signingKey{key}, nil
}

// Sign signs a digest, or a whole message with Ed25519.
func (k signingKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	key, ok := k.Signer.(*ecdsa.PrivateKey)
	if !ok {
		sig, err := k.Signer.Sign(random, digest, opts)
		return sig, errors.Wrap(err, "sign")
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		return nil, errors.Wrap(err, "sign")
	}
	if !isLowS(&key.PublicKey, s) {
		s.Sub(key.Params().N, s)
	}
	b, err := asn1.Marshal(ecdsaSignature{r, s})
	if err != nil {
		return nil, errors.Wrap(err, "marshal signature")
	}
	return b, nil
}

// signMessage signs a message. ECDSA signs its SHA-256, whatever the curve (Fabric: msp, identities.go).
func (k signingKey) signMessage(message []byte) ([]byte, error) {
	if _, ok := k.Signer.(ed25519.PrivateKey); ok {
		return k.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// verifyMessage returns an error unless signature is that of a certificate's key over message, whose SHA-256 is digest.
func verifyMessage(cert *x509.Certificate, message []byte, digest [sha256.Size]byte, signature []byte) error {
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return verifyECDSA(key, digest, signature)
	case ed25519.PublicKey:
		if !ed25519.Verify(key, message, signature) {
			return errors.New("signature is not the certificate's")
		}
		return nil
	default:
		return errors.Errorf("certificate's key is %s, want ECDSA or Ed25519", cert.PublicKeyAlgorithm)
	}
}

// verifyECDSA takes what Fabric takes (bccsp/utils, UnmarshalECDSASignature): bytes that follow the signature are overlooked, and
// so are more elements in it. Peers must agree on what is signed.
func verifyECDSA(key *ecdsa.PublicKey, digest [sha256.Size]byte, signature []byte) error {
	var s ecdsaSignature
	if _, err := asn1.Unmarshal(signature, &s); err != nil {
		return errors.Wrap(err, "decode signature")
	}
	if s.R == nil || s.S == nil || s.R.Sign() <= 0 || s.S.Sign() <= 0 {
		return errors.New("signature has a number that is not larger than zero")
	}
	if !isLowS(key, s.S) { // anyone can make a second valid signature, with a high S, of the first
		return errors.New("signature has the higher of the two values that S can have")
	}
	canonical, err := asn1.Marshal(s)
	if err != nil {
		return errors.Wrap(err, "marshal signature")
	}
	if !ecdsa.VerifyASN1(key, digest[:], canonical) {
		return errors.New("signature is not the certificate's")
	}
	return nil
}

// isLowS reports whether s is the lower one of the two values that a signature can have: s, and the curve's order minus s.
func isLowS(key *ecdsa.PublicKey, s *big.Int) bool {
	return s.Cmp(new(big.Int).Rsh(key.Params().N, 1)) <= 0
}

// keyPEM returns the key in PKCS #8, as PEM, as Fabric's tools write it.
func (k signingKey) keyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Signer)
	if err != nil {
		return nil, errors.Wrap(err, "marshal key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// parseKey reads a key that keyPEM or Fabric's tools have written: in PKCS #8, or in the form of OpenSSL for ECDSA.
func parseKey(text []byte) (signingKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return signingKey{}, errors.New("key is not PEM")
	}
	if block.Type == "EC PRIVATE KEY" {
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return signingKey{}, errors.Wrap(err, "parse key")
		}
		return signingKey{key}, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signingKey{}, errors.Wrap(err, "parse key")
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return signingKey{key}, nil
	case ed25519.PrivateKey:
		return signingKey{key}, nil
	}
	return signingKey{}, errors.Errorf("key is a %T, want one of ECDSA or Ed25519", key)
}

// fits returns an error unless the key is a certificate's.
func (k signingKey) fits(cert *x509.Certificate) error {
	public, ok := k.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return errors.Errorf("key is not the one of the certificate of %s", cert.Subject)
	}
	return nil
}

// parseCertificate reads a certificate in PEM.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("certificate is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return cert, errors.Wrap(err, "parse certificate")
}

// certificateForm is a certificate in ASN.1: what is signed, how, and the signature.
type certificateForm struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// withLowS returns a certificate whose signature has the lower S, as Fabric rewrites them (msp, cert.go): otherwise one key
// could have two certificates, and be two signers. issuer has signed the certificate.
func withLowS(cert, issuer *x509.Certificate) *x509.Certificate {
	return withS(cert, issuer, func(low bool) bool { return !low })
}

// withHighS returns the other form.
func withHighS(cert, issuer *x509.Certificate) *x509.Certificate {
	return withS(cert, issuer, func(low bool) bool { return low })
}

// withS changes S to its other value if change says so. Whatever isn't signed with ECDSA is returned as it is.
func withS(cert, issuer *x509.Certificate, change func(low bool) bool) *x509.Certificate {
	key, ok := issuer.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return cert
	}
	var s ecdsaSignature
	if _, err := asn1.Unmarshal(cert.Signature, &s); err != nil || !change(isLowS(key, s.S)) {
		return cert
	}
	s.S = new(big.Int).Sub(key.Params().N, s.S)
	signature, err := asn1.Marshal(s)
	if err != nil {
		return cert
	}
	var form certificateForm
	if _, err := asn1.Unmarshal(cert.Raw, &form); err != nil {
		return cert
	}
	form.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(form)
	if err != nil {
		return cert
	}
	changed, err := x509.ParseCertificate(der)
	if err != nil {
		return cert
	}
	return changed
}
