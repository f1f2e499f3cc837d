package identity

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// Organization is what others must know of an MSP to tell its members (Fabric: FabricMSPConfig, the configuration of a
// verifying MSP).
type Organization struct {
	// MSPID is the MSP's ID. Required.
	MSPID string
	// Roots and Intermediates are the certificates of its CAs. At least one root is required.
	Roots, Intermediates []*x509.Certificate
	// Admins are the certificates of administrators that the organization lists by themselves.
	Admins []*x509.Certificate
	// RevocationLists tell which certificates are no longer valid. One that no CA of the organization has signed has no
	// effect.
	RevocationLists []*x509.RevocationList
	// NodeOUs are the organizational units that make an identity a client, a peer, an administrator or an orderer. Every
	// member must have exactly one of them. Nil: there are none, and then nobody has these roles, except for the listed
	// administrators.
	NodeOUs *NodeOUs
	// OUs are, without NodeOUs, the units of which every member must have one. Each needs a Certifier. Empty: nobody needs any.
	OUs []OU
	// TLSRoots and TLSIntermediates are the certificates of the CAs for its TLS certificates. They don't make anybody a member.
	TLSRoots, TLSIntermediates []*x509.Certificate
}

// OU is an organizational unit in the subject of a certificate.
type OU struct {
	// Name is the unit's name.
	Name string
	// Certifier is the CA that must have issued the certificate. Nil: any CA of the organization.
	Certifier *x509.Certificate
}

// NodeOUs are the organizational units that stand for a role. One without a name stands for none.
type NodeOUs struct {
	Client, Peer, Admin, Orderer OU
}

// DefaultNodeOUs returns the units that Fabric's tools use, which are named like the roles.
func DefaultNodeOUs() *NodeOUs {
	return &NodeOUs{Client: OU{Name: string(Client)}, Peer: OU{Name: string(Peer)}, Admin: OU{Name: string(Admin)}, Orderer: OU{Name: string(Orderer)}}
}

// role returns the role that a unit stands for, or "", and the unit.
func (n *NodeOUs) role(unit string) (Role, OU) {
	switch unit {
	case "":
	case n.Client.Name:
		return Client, n.Client
	case n.Peer.Name:
		return Peer, n.Peer
	case n.Admin.Name:
		return Admin, n.Admin
	case n.Orderer.Name:
		return Orderer, n.Orderer
	}
	return "", OU{}
}

// organization is an Organization that is ready to check certificates.
type organization struct {
	Organization
	roots, intermediates *x509.CertPool
	// inner are the CAs that have certified another CA, by their certificates' bytes. They may not certify members.
	inner map[string]bool
}

func newOrganization(o Organization) (*organization, error) {
	if o.MSPID == "" {
		return nil, errors.New("Organization.MSPID is empty, want one like Org1MSP")
	}
	if len(o.Roots) == 0 { // crypto/x509 would take no pool for the roots of the system
		return nil, errors.Errorf("MSP %q has no root certificate", o.MSPID)
	}
	ready := &organization{Organization: o, roots: x509.NewCertPool(), intermediates: x509.NewCertPool(), inner: map[string]bool{}}
	for _, cert := range o.Roots {
		ready.roots.AddCert(cert)
	}
	for _, cert := range o.Intermediates {
		ready.intermediates.AddCert(cert)
	}
	for _, cert := range slices.Concat(o.Roots, o.Intermediates) {
		if err := ready.addCA(cert); err != nil {
			return nil, errors.WithMessagef(err, "MSP %q", o.MSPID)
		}
	}
	for _, ou := range o.OUs {
		if ou.Certifier == nil {
			return nil, errors.Errorf("MSP %q wants its members to have unit %q, but doesn't say certified by whom", o.MSPID, ou.Name)
		}
	}
	ready.Admins = nil
	for _, admin := range o.Admins {
		if chain, err := ready.chain(admin); err == nil {
			admin = withLowS(admin, chain[1])
		}
		ready.Admins = append(ready.Admins, admin)
	}
	return ready, nil
}

// addCA notes whom a CA has been certified by.
func (o *organization) addCA(cert *x509.Certificate) error {
	if !cert.IsCA {
		return errors.Errorf("the certificate of %s is to be a CA's, which it isn't", cert.Subject)
	}
	chains, err := cert.Verify(o.options(cert))
	if err != nil {
		return errors.Wrapf(err, "check certificate of CA %s", cert.Subject)
	}
	for _, chain := range chains {
		for _, above := range chain[1:] {
			o.inner[string(above.Raw)] = true
		}
	}
	return nil
}

// options are such that the time doesn't matter: a certificate is looked at when it was certainly valid, as Fabric does it.
// Whether a block is valid must not depend on when somebody looks (msp, mspimplvalidate.go).
func (o *organization) options(cert *x509.Certificate) x509.VerifyOptions {
	return x509.VerifyOptions{Roots: o.roots, Intermediates: o.intermediates, CurrentTime: cert.NotBefore.Add(time.Second)}
}

// chain returns the one chain of certificates that leads from a member's to a root's.
func (o *organization) chain(cert *x509.Certificate) ([]*x509.Certificate, error) {
	if cert.IsCA {
		return nil, errors.New("the certificate is a CA's")
	}
	chains, err := cert.Verify(o.options(cert))
	if err != nil {
		return nil, errors.Wrap(err, "check certificate")
	}
	if len(chains) != 1 {
		return nil, errors.Errorf("this MSP only supports a single validation chain, got %d", len(chains))
	}
	if o.inner[string(chains[0][1].Raw)] { // the certificate is no CA's, so it isn't its own issuer
		return nil, errors.New("invalid validation chain. Parent certificate should be a leaf of the certification tree")
	}
	return chains[0], nil
}

// member returns who has a certificate, if that is a member.
func (o *organization) member(cert *x509.Certificate) (*Verified, error) {
	chain, err := o.chain(cert)
	if err != nil {
		return nil, err
	}
	if o.revoked(cert, chain[1]) {
		return nil, errors.New("the certificate has been revoked")
	}
	m, err := newVerified(o.MSPID, cert, chain)
	if err != nil {
		return nil, err
	}
	if m.role, err = o.role(m, chain[1]); err != nil {
		return nil, err
	}
	m.admin = m.role == Admin || slices.ContainsFunc(o.Admins, m.cert.Equal)
	return m, nil
}

// revoked reports whether the CA that has issued a certificate has revoked it. Whether that CA may sign such lists is
// overlooked, as in Fabric.
func (o *organization) revoked(cert, issuer *x509.Certificate) bool {
	return slices.ContainsFunc(o.RevocationLists, func(list *x509.RevocationList) bool {
		return bytes.Equal(list.AuthorityKeyId, issuer.SubjectKeyId) &&
			slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(cert.SerialNumber) == 0 }) &&
			issuer.CheckSignature(list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature) == nil
	})
}

// role returns the role that a member's units give. Without NodeOUs, it is none. The error has Fabric's text.
func (o *organization) role(m *Verified, issuer *x509.Certificate) (Role, error) {
	units := m.cert.Subject.OrganizationalUnit
	text := func() string { return fmt.Sprintf("OUs: [%.200s], MSP: [%s]", strings.Join(units, " "), o.MSPID) }
	if o.NodeOUs == nil {
		fits := func(ou OU) bool { return slices.Contains(units, ou.Name) && ou.Certifier.Equal(issuer) }
		if len(o.OUs) > 0 && !slices.ContainsFunc(o.OUs, fits) {
			return "", errors.Errorf("none of the identity's organizational units are in MSP %s. %s", o.MSPID, text())
		}
		return "", nil
	}
	var found Role
	for _, unit := range units {
		role, ou := o.NodeOUs.role(unit)
		switch {
		case role == "":
			continue
		case ou.Certifier != nil && !ou.Certifier.Equal(issuer):
			return "", errors.Errorf("certifiersIdentifier does not match: %s", text())
		case found != "":
			return "", errors.Errorf("the identity must be a client, a peer, an orderer or an admin identity to be valid, not a combination of them. %s", text())
		}
		found = role
	}
	if found == "" {
		return "", errors.Errorf("the identity does not have an OU that resolves to client, peer, orderer, or admin role. %s", text())
	}
	return found, nil
}
