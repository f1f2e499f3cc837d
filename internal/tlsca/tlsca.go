// Package tlsca is an organization's CA for TLS. Fabric keeps it apart from the CA for identities: whoever may listen under a name
// may not yet speak for the organization.
//
//	ca, err := tlsca.New("Org1MSP")
//	server, err := ca.Server("peer0.Org1MSP", []string{"localhost", "127.0.0.1"})
//	certificate, err := server.Certificate() // for tls.Config
package tlsca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"regexp"
	"slices"
	"time"

	"github.com/pkg/errors"
)

// Certificates begin a while before they are made, because the clocks of others may be slow. One that ends soon is renewed.
const (
	clockSkew    = time.Hour
	caValidity   = 10 * 365 * 24 * time.Hour
	leafValidity = 365 * 24 * time.Hour
	renewal      = 30 * 24 * time.Hour
)

// Pair is a certificate and its private key, as PEM.
type Pair struct{ Cert, Key []byte }

// Certificate returns the pair as crypto/tls wants it.
func (p Pair) Certificate() (tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	return c, errors.Wrap(err, "load certificate and key")
}

// CA is an organization's CA for TLS. It is safe for concurrent use.
type CA struct {
	Pair
	key          *ecdsa.PrivateKey
	cert         *x509.Certificate
	organization string
}

// New makes a CA, whose root certificate is its own.
func New(organization string) (*CA, error) {
	pair, err := certify(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "tlsca." + organization, Organization: []string{organization}},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		NotAfter: time.Now().Add(caValidity), IsCA: true, MaxPathLenZero: true, // it signs no other CA
	}, nil)
	if err != nil {
		return nil, errors.WithMessage(err, "make CA for TLS")
	}
	return Load(organization, pair)
}

// Load returns a CA that New has made.
func Load(organization string, pair Pair) (*CA, error) {
	c, err := pair.Certificate()
	if err != nil {
		return nil, errors.WithMessage(err, "load CA for TLS")
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !ok:
		return nil, errors.Errorf("load CA for TLS: its key is a %T, want one of ECDSA", c.PrivateKey)
	case !c.Leaf.IsCA:
		return nil, errors.Errorf("load CA for TLS: the certificate of %s is not a CA's", c.Leaf.Subject)
	}
	return &CA{Pair: pair, key: key, cert: c.Leaf, organization: organization}, nil
}

// Root returns the CA's certificate. It must not be modified.
func (ca *CA) Root() *x509.Certificate { return ca.cert }

// Server makes a certificate for a listener that is found under some hosts: names or IP addresses. It is also good for the
// listener's own name, if that could be a host's: clients can be told to expect it. A server may be a client of others, too.
func (ca *CA) Server(name string, hosts []string) (Pair, error) {
	template := ca.leaf(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames, template.IPAddresses = names(name, hosts)
	pair, err := certify(template, ca)
	return pair, errors.WithMessagef(err, "make TLS certificate of server %q", name)
}

// Client makes a certificate by which a client shows who it is.
func (ca *CA) Client(name string) (Pair, error) {
	template := ca.leaf(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	pair, err := certify(template, ca)
	return pair, errors.WithMessagef(err, "make TLS certificate of client %q", name)
}

func (ca *CA) leaf(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:  pkix.Name{CommonName: name, Organization: []string{ca.organization}},
		KeyUsage: x509.KeyUsageDigitalSignature, NotAfter: time.Now().Add(leafValidity),
	}
}

// Good reports whether a certificate that the CA has made can be used on: its key fits, it doesn't end soon, and it is for the
// same name, and for the same hosts if it is a server's.
func (ca *CA) Good(pair Pair, name string, hosts []string) bool {
	c, err := pair.Certificate()
	if err != nil || c.Leaf.CheckSignatureFrom(ca.cert) != nil || c.Leaf.Subject.CommonName != name || time.Until(c.Leaf.NotAfter) < renewal {
		return false
	}
	if !slices.Contains(c.Leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		return true
	}
	dns, ips := names(name, hosts)
	return slices.Equal(dns, c.Leaf.DNSNames) && slices.EqualFunc(ips, c.Leaf.IPAddresses, net.IP.Equal)
}

// hostname is what may stand in a certificate as a name: it may be checked by programs that are strict.
var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// names sorts what a server is found under, whose order means nothing.
func names(name string, hosts []string) (dns []string, ips []net.IP) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, host)
		}
	}
	if hostname.MatchString(name) {
		dns = append(dns, name)
	}
	slices.Sort(dns)
	slices.SortFunc(ips, func(a, b net.IP) int { return bytes.Compare(a.To16(), b.To16()) })
	return slices.Compact(dns), slices.CompactFunc(ips, net.IP.Equal)
}

// certify completes template to a certificate of a new key. Without a CA it signs itself.
func certify(template *x509.Certificate, ca *CA) (Pair, error) {
	if template.Subject.CommonName == "" {
		return Pair{}, errors.New("the name is empty")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, errors.Wrap(err, "generate key")
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	template.NotBefore, template.BasicConstraintsValid = time.Now().Add(-clockSkew), true
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, errors.Wrap(err, "create certificate")
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, errors.Wrap(err, "marshal key")
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}
