package accesscontrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"time"

	"github.com/pkg/errors"
)

// A certificate is valid as long as this process knows its hash. So its dates are there for TLS alone. They are wide, so
// that a clock which jumps by a day does no harm. Fabric's peer has ten years, too (common/crypto/tlsgen).
const (
	clockSkew = 25 * time.Hour
	validity  = 10 * 365 * 24 * time.Hour
)

// pair is a private key and a certificate for it.
type pair struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// ca signs the certificates of one Authenticator.
type ca struct{ *pair }

func newCA() (*ca, error) {
	template := &x509.Certificate{
		Subject:        pkix.Name{CommonName: "chaincode listener CA"},
		KeyUsage:       x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:           true,
		MaxPathLenZero: true, // it signs no other CA
	}
	p, err := certify(template, nil)
	if err != nil {
		return nil, err
	}
	return &ca{p}, nil
}

// server makes the listener's certificate. It is for the names under which chaincode may find the peer.
func (c *ca) server(hosts []string) (*pair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "chaincode listener"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return certify(template, c)
}

// client makes the certificate of one launch. There is no name in it, because the registry knows which chaincode it is for.
func (c *ca) client() (*pair, error) {
	return certify(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "chaincode"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, c)
}

// certify completes template to a certificate of a new key. If signer is nil, the certificate signs itself.
func certify(template *x509.Certificate, signer *ca) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errors.Wrap(err, "generate key")
	}
	if signer == nil {
		signer = &ca{&pair{key: key, cert: template}}
	}
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(validity)
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, errors.Wrap(err, "create certificate")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.Wrap(err, "parse certificate")
	}
	return &pair{key: key, cert: cert}, nil
}

// listenerConfig returns the TLS settings of a listener that shows the certificate of p and admits only clients of this CA.
// Sessions are not resumed, so every connection proves its certificate anew. Of TLS 1.2's cipher suites, gRPC keeps those
// with forward secrecy and authenticated encryption.
func (c *ca) listenerConfig(p *pair) *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(c.cert)
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              clients,
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
}

// certHash tells certificates apart, as Fabric does (core/chaincode/accesscontrol).
type certHash [sha256.Size]byte

func hashOf(cert *x509.Certificate) certHash { return sha256.Sum256(cert.Raw) }

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.Wrap(err, "marshal key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
