package identity

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Verify checks that the proposal is really its creator's. The certificate in Creator must be valid at the given time, chain
// up to a root of the MSP that Creator names, and belong to the key that signed. Verify returns the certificate. roots are
// by MSP ID. The zero time means now.
//
// It knows roots and no more: not intermediate CAs, revocation, roles or policies.
func (p *ParsedProposal) Verify(roots map[string]*x509.CertPool, at time.Time) (*x509.Certificate, error) {
	cert, err := verifyCreator(p.Creator, roots, at)
	if err != nil {
		return nil, errors.WithMessage(err, "verify proposal")
	}
	if err := p.verifySignature(cert); err != nil {
		return nil, errors.WithMessage(err, "verify proposal")
	}
	return cert, nil
}

func verifyCreator(creator []byte, roots map[string]*x509.CertPool, at time.Time) (*x509.Certificate, error) {
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(creator, &id); err != nil {
		return nil, errors.Wrap(err, "decode creator")
	}
	trusted := roots[id.GetMspid()]
	if trusted == nil { // crypto/x509 would take nil for the roots of the system
		return nil, errors.Errorf("creator's MSP %.64q is unknown", id.GetMspid())
	}
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return nil, errors.New("creator has no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.Wrap(err, "parse creator's certificate")
	}
	if cert.IsCA {
		return nil, errors.New("creator's certificate is a CA's")
	}
	anyUse := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: trusted, CurrentTime: at, KeyUsages: anyUse}); err != nil {
		return nil, errors.Wrap(err, "check creator's certificate")
	}
	return cert, nil
}

func (p *ParsedProposal) verifySignature(cert *x509.Certificate) error {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return errors.Errorf("creator's key is %s, want ECDSA", cert.PublicKeyAlgorithm)
	}
	digest := sha256.Sum256(p.proposalBytes)
	if !ecdsa.VerifyASN1(key, digest[:], p.signature) {
		return errors.New("signature is not the creator's")
	}
	var s ecdsaSignature
	if _, err := asn1.Unmarshal(p.signature, &s); err != nil {
		return errors.Wrap(err, "decode signature")
	}
	if !isLowS(key, s.S) { // anyone can make a second valid signature, with a high S, of the first
		return errors.New("signature has the higher of the two values that S can have")
	}
	return nil
}
