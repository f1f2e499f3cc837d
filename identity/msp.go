package identity

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// How long certificates are valid. They begin an hour before they are made, because the clocks of others may be slow.
const (
	clockSkew        = time.Hour
	caValidity       = 10 * 365 * 24 * time.Hour
	identityValidity = 365 * 24 * time.Hour
)

// attributesOID names the extension that holds a certificate's attributes, as in Fabric's CA (fabric-ca/lib/attrmgr).
var attributesOID = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// MSPConfig says what kind of MSP NewMSP makes.
type MSPConfig struct {
	// ID is the MSP's ID, like "Org1MSP". Required.
	ID string
	// Organization is O in the certificates' subjects, like "org1.example.com". Empty: the ID is used.
	Organization string
	// Algorithm is the kind of the CA's key. Empty: ECDSAP256.
	Algorithm Algorithm
	// NotBefore and NotAfter say when the CA's certificate is valid. Zero: from an hour ago, and for ten years.
	NotBefore, NotAfter time.Time
}

// MSP is an organization that issues identities. It has a CA with a key of its own. The key lives as long as the MSP, unless
// you keep it: KeyPEM, LoadMSP. It is safe for concurrent use.
type MSP struct {
	id           string
	organization string
	key          signingKey
	cert         *x509.Certificate
}

// NewMSP makes an MSP, and a self-signed root certificate for it.
func NewMSP(cfg MSPConfig) (*MSP, error) {
	if cfg.ID == "" {
		return nil, errors.New("make MSP: MSPConfig.ID is empty, want one like Org1MSP")
	}
	if cfg.Organization == "" {
		cfg.Organization = cfg.ID
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "ca." + cfg.Organization, Organization: []string{cfg.Organization}},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs identities, no other CA
	}
	if err := setValidity(template, cfg.NotBefore, cfg.NotAfter, caValidity); err != nil {
		return nil, errors.WithMessage(err, "make MSP")
	}
	m := &MSP{id: cfg.ID, organization: cfg.Organization}
	var err error
	if m.key, err = newKey(cfg.Algorithm); err != nil {
		return nil, errors.WithMessage(err, "make MSP")
	}
	if m.cert, err = certify(template, template, m.key, m.key); err != nil {
		return nil, errors.WithMessage(err, "make MSP")
	}
	return m, nil
}

// LoadMSP returns the MSP whose CA has a certificate and a private key, as PEM. It may be one that NewMSP has made, or one of
// cryptogen or of a Fabric CA. Its certificates' subjects get the organization of the CA's subject.
func LoadMSP(id string, certificate, key []byte) (*MSP, error) {
	m, err := loadMSP(id, certificate, key)
	return m, errors.WithMessagef(err, "load MSP %q", id)
}

func loadMSP(id string, certificate, key []byte) (*MSP, error) {
	if id == "" {
		return nil, errors.New("its ID is empty, want one like Org1MSP")
	}
	m := &MSP{id: id, organization: id}
	var err error
	if m.cert, err = parseCertificate(certificate); err != nil {
		return nil, err
	}
	if !m.cert.IsCA {
		return nil, errors.Errorf("the certificate of %s is not a CA's", m.cert.Subject)
	}
	if m.key, err = parseKey(key); err != nil {
		return nil, err
	}
	if organization := m.cert.Subject.Organization; len(organization) > 0 {
		m.organization = organization[0]
	}
	if err := m.key.fits(m.cert); err != nil {
		return nil, err
	}
	return m, nil
}

// ID returns the MSP's ID.
func (m *MSP) ID() string { return m.id }

// Certificate returns the CA's certificate. It must not be modified.
func (m *MSP) Certificate() *x509.Certificate { return m.cert }

// CertificatePEM returns the CA's certificate as PEM, in a new slice.
func (m *MSP) CertificatePEM() []byte { return certificatePEM(m.cert) }

// KeyPEM returns the CA's private key in PKCS #8, as PEM, in a new slice. Whoever has it can be anybody of the MSP.
func (m *MSP) KeyPEM() ([]byte, error) { return m.key.keyPEM() }

// Organization returns what others must know to tell the MSP's members. Its NodeOUs are DefaultNodeOUs.
func (m *MSP) Organization() Organization {
	return Organization{MSPID: m.id, Roots: []*x509.Certificate{m.cert}, NodeOUs: DefaultNodeOUs()}
}

// Config says what kind of identity MSP.Issue makes. Issue only reads it, and keeps nothing of it.
type Config struct {
	// CommonName is CN in the certificate's subject. Required.
	CommonName string
	// OUs are the organizational units in the subject. Fabric tells roles by them: "client", "peer", "admin" and "orderer".
	// Nil means "client". Empty, but not nil, means none.
	OUs []string
	// Attributes are what the CA says about the identity, by name. Chaincode reads them with the shims' cid package, and
	// decides by them. They are in the certificate, so everybody can read them. Empty: the certificate has none.
	Attributes map[string]string
	// Algorithm is the kind of the identity's key. Empty: ECDSAP256.
	Algorithm Algorithm
	// NotBefore and NotAfter say when the certificate is valid. Zero: from an hour ago, and for a year.
	NotBefore, NotAfter time.Time
}

// Issue makes an identity: a new key, and a certificate for it that the MSP's CA signs. Like those of Fabric's
// CA, the certificate is for digital signatures, and is not bound to a use in TLS.
func (m *MSP) Issue(cfg Config) (*Identity, error) {
	id, err := m.issue(cfg)
	if err != nil {
		return nil, errors.WithMessagef(err, "issue identity %q", cfg.CommonName)
	}
	return id, nil
}

func (m *MSP) issue(cfg Config) (*Identity, error) {
	if cfg.CommonName == "" {
		return nil, errors.New("Config.CommonName is empty")
	}
	if cfg.OUs == nil {
		cfg.OUs = []string{"client"}
	}
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName: cfg.CommonName, OrganizationalUnit: cfg.OUs, Organization: []string{m.organization},
		},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if err := setValidity(template, cfg.NotBefore, cfg.NotAfter, identityValidity); err != nil {
		return nil, err
	}
	var err error
	if template.ExtraExtensions, err = attributesExtension(cfg.Attributes); err != nil {
		return nil, err
	}
	key, err := newKey(cfg.Algorithm)
	if err != nil {
		return nil, err
	}
	cert, err := certify(template, m.cert, key, m.key)
	if err != nil {
		return nil, err
	}
	return newIdentity(m.id, cert, key)
}

// certify returns template as a certificate of key's public part, signed with signer for parent.
func certify(template, parent *x509.Certificate, key, signer signingKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, errors.Wrap(err, "create certificate")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.Wrap(err, "parse certificate")
	}
	return cert, nil
}

func certificatePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func setValidity(template *x509.Certificate, from, to time.Time, length time.Duration) error {
	now := time.Now()
	if from.IsZero() {
		from = now.Add(-clockSkew)
	}
	if to.IsZero() {
		to = now.Add(length)
	}
	if !to.After(from) {
		return errors.Errorf("certificate would end, at %s, before it begins, at %s", to.UTC(), from.UTC())
	}
	template.NotBefore, template.NotAfter = from, to
	return nil
}

// attributesExtension returns the extension that holds attributes. It is not critical: software that does not know it may
// ignore it.
func attributesExtension(attributes map[string]string) ([]pkix.Extension, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	for name, value := range attributes {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, errors.Errorf("attribute %q is not UTF-8", name)
		}
	}
	b, err := json.Marshal(struct {
		Attrs map[string]string `json:"attrs"`
	}{attributes})
	if err != nil {
		return nil, errors.Wrap(err, "marshal attributes")
	}
	return []pkix.Extension{{Id: attributesOID, Value: b}}, nil
}
