package identity

import (
	"bytes"
	"crypto/x509"
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
}

// NodeOUs are the organizational units in a certificate's subject that stand for a role. An empty one stands for none.
type NodeOUs struct {
	Client, Peer, Admin, Orderer string
}

// DefaultNodeOUs returns the units that Fabric's tools use, which are named like the roles.
func DefaultNodeOUs() *NodeOUs {
	return &NodeOUs{Client: string(Client), Peer: string(Peer), Admin: string(Admin), Orderer: string(Orderer)}
}

// role returns the role that a unit stands for, or "".
func (n *NodeOUs) role(unit string) Role {
	switch unit {
	case "":
	case n.Client:
		return Client
	case n.Peer:
		return Peer
	case n.Admin:
		return Admin
	case n.Orderer:
		return Orderer
	}
	return ""
}

// organization is an Organization that is ready to check certificates.
type organization struct {
	Organization
	roots, intermediates *x509.CertPool
}

func newOrganization(o Organization) (*organization, error) {
	if o.MSPID == "" {
		return nil, errors.New("Organization.MSPID is empty, want one like Org1MSP")
	}
	if len(o.Roots) == 0 { // crypto/x509 would take no pool for the roots of the system
		return nil, errors.Errorf("MSP %q has no root certificate", o.MSPID)
	}
	ready := &organization{Organization: o, roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	for _, cert := range o.Roots {
		ready.roots.AddCert(cert)
	}
	for _, cert := range o.Intermediates {
		ready.intermediates.AddCert(cert)
	}
	for _, cert := range slices.Concat(o.Roots, o.Intermediates) {
		if !cert.IsCA {
			return nil, errors.Errorf("MSP %q has the certificate of %s for a CA, which it isn't", o.MSPID, cert.Subject)
		}
	}
	return ready, nil
}

// member returns who has a certificate, if that is a member.
func (o *organization) member(cert *x509.Certificate) (*Verified, error) {
	if cert.IsCA {
		return nil, errors.New("the certificate is a CA's")
	}
	if err := o.certified(cert); err != nil {
		return nil, err
	}
	creator, err := serialize(o.MSPID, cert) // what was sent may have more in it, and be the same identity
	if err != nil {
		return nil, err
	}
	m := &Verified{mspID: o.MSPID, cert: cert, creator: string(creator)}
	if o.NodeOUs == nil {
		m.admin = o.lists(cert)
		return m, nil
	}
	for _, unit := range cert.Subject.OrganizationalUnit {
		role := o.NodeOUs.role(unit)
		if role == "" {
			continue
		}
		if m.role != "" {
			return nil, errors.Errorf("the identity must be a client, a peer, an orderer or an admin identity to be valid, not a combination of them. "+
				"OUs: [%.200s], MSP: [%s]", strings.Join(cert.Subject.OrganizationalUnit, " "), o.MSPID)
		}
		m.role = role
	}
	if m.role == "" {
		return nil, errors.Errorf("the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: [%.200s], MSP: [%s]",
			strings.Join(cert.Subject.OrganizationalUnit, " "), o.MSPID)
	}
	m.admin = m.role == Admin || o.lists(cert)
	return m, nil
}

// certified returns an error unless a CA of the organization has signed the certificate and hasn't revoked it. When the
// certificate ends has no effect. It would be checked against a time at which it was certainly valid, as Fabric does: whether a
// block is valid must not depend on when somebody looks (msp, mspimplvalidate.go).
func (o *organization) certified(cert *x509.Certificate) error {
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots: o.roots, Intermediates: o.intermediates, CurrentTime: cert.NotBefore.Add(time.Second),
	})
	if err != nil {
		return errors.Wrap(err, "check certificate")
	}
	if len(chains) != 1 {
		return errors.Errorf("this MSP only supports a single validation chain, got %d", len(chains))
	}
	issuer := chains[0][1] // the certificate is no CA's, so it can't be its own issuer
	for _, list := range o.RevocationLists {
		if bytes.Equal(list.AuthorityKeyId, issuer.SubjectKeyId) && revokes(list, cert) && list.CheckSignatureFrom(issuer) == nil {
			return errors.New("the certificate has been revoked")
		}
	}
	return nil
}

func revokes(list *x509.RevocationList, cert *x509.Certificate) bool {
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
		return e.SerialNumber.Cmp(cert.SerialNumber) == 0
	})
}

func (o *organization) lists(admin *x509.Certificate) bool {
	return slices.ContainsFunc(o.Admins, admin.Equal)
}
