// Package certtest makes, for tests, the certificates that package identity doesn't make: intermediate CAs, revocation lists, and
// what somebody makes of a certificate or a signature without any key.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/identity"
)

// NewCA makes a CA that may certify others, and may not sign revocation lists, which Fabric overlooks. A parent has certified
// it; without one it is a root. Its key is one of P-256.
func NewCA(t testing.TB, mspID string, parent *identity.MSP) *identity.MSP {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: fmt.Sprint("ca", now.UnixNano())},
		NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.Certificate(), keyOf(t, parent)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	m, err := identity.LoadMSP(mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// keyOf is the key of a CA.
func keyOf(t testing.TB, m *identity.MSP) crypto.Signer {
	t.Helper()
	text, err := m.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		t.Fatalf("a %T can't sign", key)
	}
	return signer
}

// Revoke makes a revocation list of a CA, in DER, whether it may sign such lists or not. The list names the CA's own key, or
// keyID if that isn't nil: then it pretends to be another CA's.
func Revoke(t testing.TB, m *identity.MSP, keyID []byte, revoked *identity.Identity) []byte {
	t.Helper()
	issuer := *m.Certificate()
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	if keyID != nil {
		issuer.SubjectKeyId = keyID
	}
	now := time.Now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: revoked.Certificate().SerialNumber, RevocationTime: now}},
	}, &issuer, keyOf(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// OtherS is the other valid form of a signature by a key of P-256, which needs no key to make.
func OtherS(t testing.TB, signature []byte) []byte {
	t.Helper()
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &s); err != nil {
		t.Fatal(err)
	}
	s.S.Sub(elliptic.P256().Params().N, s.S)
	other, err := asn1.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// OtherForm is a certificate with the other form of its signature.
func OtherForm(t testing.TB, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	var form struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.Raw, &form); err != nil {
		t.Fatal(err)
	}
	signature := OtherS(t, form.Signature.Bytes)
	form.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return other
}
