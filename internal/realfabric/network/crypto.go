package network

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
)

// authority is the CA of all certificates for TLS. The servers have one certificate in common, which the orderer's administrator
// shows, too.
type authority struct {
	root, cert, key []byte // PEM
	pool            *x509.CertPool
	pair            tls.Certificate
}

// serverName is one of those that the servers' certificate is for. The other is their address.
const serverName = "localhost"

func newAuthority() (*authority, error) {
	a := &authority{pool: x509.NewCertPool()}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"TLS"}},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true,
		}
	}
	ca := template("tlsca")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errors.Wrap(err, "make key of CA for TLS")
	}
	if a.root, err = certify(ca, ca, caKey, caKey); err != nil {
		return nil, err
	}
	server := template(serverName)
	server.KeyUsage, server.DNSNames, server.IPAddresses = x509.KeyUsageDigitalSignature, []string{serverName}, []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errors.Wrap(err, "make key for TLS")
	}
	if a.cert, err = certify(server, ca, key, caKey); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.Wrap(err, "marshal key for TLS")
	}
	a.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	a.pool.AppendCertsFromPEM(a.root)
	a.pair, err = tls.X509KeyPair(a.cert, a.key)
	return a, errors.Wrap(err, "load certificate for TLS")
}

func certify(cert, ca *x509.Certificate, key, caKey *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), errors.Wrap(err, "make certificate for TLS")
}

// client is how one talks to the network's servers.
func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{a.pair}, MinVersion: tls.VersionTLS12}
}

// write writes what servers need.
func (a *authority) write(dir string) error {
	for name, text := range map[string][]byte{"ca.pem": a.root, "cert.pem": a.cert, "key.pem": a.key} {
		if err := target.WriteFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// writeMSP writes an MSP folder, with the CA for TLS.
func (a *authority) writeMSP(dir string, msp *identity.MSP, id *identity.Identity) error {
	if err := mspfolder.Write(dir, msp.Organization(), id); err != nil {
		return err
	}
	return target.WriteFile(filepath.Join(dir, "tlscacerts", "ca.pem"), a.root)
}
