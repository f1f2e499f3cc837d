// Package mspfolder writes and reads MSP folders, the form in which Fabric's tools, peers and clients keep identities and
// organizations (Fabric: msp, configbuilder.go).
//
//	err := mspfolder.Write("alice/msp", org1.Organization(), alice)
//	organization, alice, err := mspfolder.Read("alice/msp", "Org1MSP")
//
// A folder has the certificates of an organization's CAs, and in most cases those of an identity with its private key. It can
// be given to a peer of Fabric as CORE_PEER_MSPCONFIGPATH.
package mspfolder

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"go.yaml.in/yaml/v3"

	"github.com/ccpeer/ccpeer/identity"
)

// The folders and the file in an MSP folder.
const (
	caCerts           = "cacerts"
	intermediateCerts = "intermediatecerts"
	adminCerts        = "admincerts"
	tlsCACerts        = "tlscacerts"
	tlsIntermediates  = "tlsintermediatecerts"
	revocationLists   = "crls"
	signCerts         = "signcerts"
	keyStore          = "keystore"
	configFile        = "config.yaml"
)

// configuration is config.yaml.
type configuration struct {
	OrganizationalUnitIdentifiers []unit   `yaml:"OrganizationalUnitIdentifiers,omitempty"`
	NodeOUs                       *nodeOUs `yaml:"NodeOUs,omitempty"`
}

type nodeOUs struct {
	Enable              bool  `yaml:"Enable"`
	ClientOUIdentifier  *unit `yaml:"ClientOUIdentifier,omitempty"`
	PeerOUIdentifier    *unit `yaml:"PeerOUIdentifier,omitempty"`
	AdminOUIdentifier   *unit `yaml:"AdminOUIdentifier,omitempty"`
	OrdererOUIdentifier *unit `yaml:"OrdererOUIdentifier,omitempty"`
}

type unit struct {
	Certificate                  string `yaml:"Certificate,omitempty"`
	OrganizationalUnitIdentifier string `yaml:"OrganizationalUnitIdentifier"`
}

// Write writes an MSP folder, which must not be there yet. Without an identity, it says no more than what others must know of
// the organization. The private key can be read by the folder's owner only. If Write fails, there is no folder.
func Write(dir string, o identity.Organization, id *identity.Identity) error {
	if err := write(dir, o, id); err != nil {
		return errors.WithMessagef(err, "write MSP folder %s", dir)
	}
	return nil
}

func write(dir string, o identity.Organization, id *identity.Identity) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is something already: give another path, or remove it")
	}
	if id != nil && id.MSPID() != o.MSPID {
		return errors.Errorf("the identity is of MSP %q, the organization is %q", id.MSPID(), o.MSPID)
	}
	parent, name := filepath.Split(filepath.Clean(dir))
	if err := os.MkdirAll(filepath.Clean(parent+"."), 0o700); err != nil {
		return errors.Wrap(err, "make parent")
	}
	unfinished, err := os.MkdirTemp(parent, "."+name+"-")
	if err != nil {
		return errors.Wrap(err, "make folder")
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // it isn't there any more if all went well
	files, err := filesOf(o, id)
	if err != nil {
		return err
	}
	for path, content := range files {
		path = filepath.Join(unfinished, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return errors.Wrap(err, "make folder")
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return errors.Wrap(err, "write file")
		}
	}
	return errors.Wrap(os.Rename(unfinished, dir), "give the folder its name")
}

// filesOf are the files of an MSP folder, by their paths in it.
func filesOf(o identity.Organization, id *identity.Identity) (map[string][]byte, error) {
	files, certifiers := map[string][]byte{}, map[string]string{}
	for folder, certs := range map[string][]*x509.Certificate{caCerts: o.Roots, intermediateCerts: o.Intermediates, adminCerts: o.Admins} {
		for i, cert := range certs {
			path := filepath.Join(folder, fmt.Sprintf("%d-cert.pem", i))
			files[path], certifiers[string(cert.Raw)] = certificatePEM(cert), path
		}
	}
	for folder, certs := range map[string][]*x509.Certificate{tlsCACerts: o.TLSRoots, tlsIntermediates: o.TLSIntermediates} {
		for i, cert := range certs {
			files[filepath.Join(folder, fmt.Sprintf("%d-cert.pem", i))] = certificatePEM(cert)
		}
	}
	for i, list := range o.RevocationLists {
		files[filepath.Join(revocationLists, fmt.Sprintf("%d-crl.pem", i))] = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw})
	}
	config, err := yaml.Marshal(configurationOf(o, certifiers))
	if err != nil {
		return nil, errors.Wrap(err, "marshal "+configFile)
	}
	files[configFile] = config
	if id == nil {
		return files, nil
	}
	files[filepath.Join(signCerts, "cert.pem")] = id.CertificatePEM()
	if files[filepath.Join(keyStore, "priv_sk")], err = id.KeyPEM(); err != nil {
		return nil, err
	}
	return files, nil
}

func certificatePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// configurationOf is what config.yaml says. certifiers are the paths of the CAs' certificates, by their bytes.
func configurationOf(o identity.Organization, certifiers map[string]string) configuration {
	of := func(ou identity.OU) *unit {
		if ou.Name == "" {
			return nil
		}
		u := &unit{OrganizationalUnitIdentifier: ou.Name}
		if ou.Certifier != nil {
			u.Certificate = certifiers[string(ou.Certifier.Raw)]
		}
		return u
	}
	var c configuration
	for _, ou := range o.OUs {
		c.OrganizationalUnitIdentifiers = append(c.OrganizationalUnitIdentifiers, *of(ou))
	}
	if n := o.NodeOUs; n != nil {
		c.NodeOUs = &nodeOUs{
			Enable: true, ClientOUIdentifier: of(n.Client), PeerOUIdentifier: of(n.Peer), AdminOUIdentifier: of(n.Admin), OrdererOUIdentifier: of(n.Orderer),
		}
	}
	return c
}

// Read reads an MSP folder that Write, cryptogen or a client of Fabric's CA has written. A folder doesn't say which MSP it
// is of, so you must. The identity is nil if the folder has none.
func Read(dir, mspID string) (identity.Organization, *identity.Identity, error) {
	o, id, err := read(dir, mspID)
	if err != nil {
		return identity.Organization{}, nil, errors.WithMessagef(err, "read MSP folder %s", dir)
	}
	return o, id, nil
}

func read(dir, mspID string) (o identity.Organization, id *identity.Identity, err error) {
	o.MSPID = mspID
	for folder, certs := range map[string]*[]*x509.Certificate{
		caCerts: &o.Roots, intermediateCerts: &o.Intermediates, adminCerts: &o.Admins, tlsCACerts: &o.TLSRoots, tlsIntermediates: &o.TLSIntermediates,
	} {
		if *certs, err = readCertificates(filepath.Join(dir, folder)); err != nil {
			return o, nil, err
		}
	}
	if len(o.Roots) == 0 {
		return o, nil, errors.Errorf("%s has no certificate of a CA", filepath.Join(dir, caCerts))
	}
	if o.RevocationLists, err = readRevocationLists(filepath.Join(dir, revocationLists)); err != nil {
		return o, nil, err
	}
	if err := readConfiguration(dir, &o); err != nil {
		return o, nil, err
	}
	if _, err := identity.NewVerifier(o); err != nil { // which looks at the certificates
		return o, nil, err
	}
	id, err = readIdentity(dir, mspID)
	return o, id, err
}

// readFiles returns the files of a folder, by their paths. A folder that isn't there has none.
func readFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Wrap(err, "list files")
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if files[path], err = os.ReadFile(path); err != nil {
			return nil, errors.Wrap(err, "read file")
		}
	}
	return files, nil
}

func readCertificates(dir string) ([]*x509.Certificate, error) {
	files, err := readFiles(dir)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, path := range slices.Sorted(maps.Keys(files)) {
		cert, err := parseCertificate(path, files[path])
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// parseCertificate reads a certificate in PEM. The path is for errors.
func parseCertificate(path string, text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.Errorf("%s is not PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return cert, errors.Wrapf(err, "parse %s", path)
}

func readRevocationLists(dir string) ([]*x509.RevocationList, error) {
	files, err := readFiles(dir)
	if err != nil {
		return nil, err
	}
	var lists []*x509.RevocationList
	for _, path := range slices.Sorted(maps.Keys(files)) {
		der := files[path]
		if block, _ := pem.Decode(der); block != nil {
			der = block.Bytes
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, errors.Wrapf(err, "parse %s", path)
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// readConfiguration puts into an organization what config.yaml says.
func readConfiguration(dir string, o *identity.Organization) error {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "read file")
	}
	var c configuration
	if err := yaml.Unmarshal(text, &c); err != nil {
		return errors.Wrapf(err, "parse %s", path)
	}
	for _, u := range c.OrganizationalUnitIdentifiers {
		ou, err := u.read(dir)
		if err != nil {
			return errors.WithMessage(err, path)
		}
		o.OUs = append(o.OUs, ou)
	}
	if c.NodeOUs == nil || !c.NodeOUs.Enable {
		return nil
	}
	o.NodeOUs = &identity.NodeOUs{}
	for into, u := range map[*identity.OU]*unit{
		&o.NodeOUs.Client: c.NodeOUs.ClientOUIdentifier, &o.NodeOUs.Peer: c.NodeOUs.PeerOUIdentifier,
		&o.NodeOUs.Admin: c.NodeOUs.AdminOUIdentifier, &o.NodeOUs.Orderer: c.NodeOUs.OrdererOUIdentifier,
	} {
		if u == nil {
			continue
		}
		if *into, err = u.read(dir); err != nil {
			return errors.WithMessage(err, path)
		}
	}
	return nil
}

// read returns the unit, with the certificate that it names.
func (u unit) read(dir string) (identity.OU, error) {
	ou := identity.OU{Name: u.OrganizationalUnitIdentifier}
	if u.Certificate == "" {
		return ou, nil
	}
	path := filepath.Join(dir, filepath.FromSlash(u.Certificate))
	text, err := os.ReadFile(path)
	if err != nil {
		return ou, errors.Wrapf(err, "unit %q", ou.Name)
	}
	ou.Certifier, err = parseCertificate(path, text)
	return ou, errors.WithMessagef(err, "unit %q", ou.Name)
}

// readIdentity returns the identity that a folder has. Its key is the one in the keystore that fits the certificate.
func readIdentity(dir, mspID string) (*identity.Identity, error) {
	certs, err := readFiles(filepath.Join(dir, signCerts))
	if err != nil {
		return nil, err
	}
	if len(certs) == 0 {
		return nil, nil //nolint:nilnil // an organization's folder has no identity
	}
	if len(certs) > 1 {
		return nil, errors.Errorf("%s has %d certificates, want 1", filepath.Join(dir, signCerts), len(certs))
	}
	keys, err := readFiles(filepath.Join(dir, keyStore))
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.Errorf("%s has no key", filepath.Join(dir, keyStore))
	}
	var last error
	for _, cert := range certs {
		for _, key := range keys {
			id, err := identity.Load(mspID, cert, key)
			if err == nil {
				return id, nil
			}
			last = err
		}
	}
	return nil, errors.WithMessagef(last, "no key in %s fits", filepath.Join(dir, keyStore))
}
