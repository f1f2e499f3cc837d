package channelconfig

import (
	"crypto/x509"
	"encoding/pem"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// fabricMSP is the type of MSPs whose members have X.509 certificates (Fabric: msp.FABRIC).
const fabricMSP = 0

// MSP returns what others must know of an organization in the form in which Fabric sends it. Certificates and lists are in PEM.
func MSP(o identity.Organization) *pb.FabricMSPConfig {
	m := &pb.FabricMSPConfig{
		Name: o.MSPID, RootCerts: certificatesPEM(o.Roots), IntermediateCerts: certificatesPEM(o.Intermediates), Admins: certificatesPEM(o.Admins),
		TlsRootCerts: certificatesPEM(o.TLSRoots), TlsIntermediateCerts: certificatesPEM(o.TLSIntermediates),
		CryptoConfig: &pb.FabricCryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"},
	}
	for _, list := range o.RevocationLists {
		m.RevocationList = append(m.RevocationList, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw}))
	}
	for _, ou := range o.OUs {
		m.OrganizationalUnitIdentifiers = append(m.OrganizationalUnitIdentifiers, unit(ou))
	}
	if n := o.NodeOUs; n != nil {
		m.FabricNodeOus = &pb.FabricNodeOUs{
			Enable: true, ClientOuIdentifier: unit(n.Client), PeerOuIdentifier: unit(n.Peer), AdminOuIdentifier: unit(n.Admin), OrdererOuIdentifier: unit(n.Orderer),
		}
	}
	return m
}

func certificatesPEM(certs []*x509.Certificate) (all [][]byte) {
	for _, cert := range certs {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return all
}

// unit returns a unit in the form in which it is sent, or nil for one without a name.
func unit(ou identity.OU) *pb.FabricOUIdentifier {
	if ou.Name == "" {
		return nil
	}
	m := &pb.FabricOUIdentifier{OrganizationalUnitIdentifier: ou.Name}
	if ou.Certifier != nil {
		m.Certificate = certificatesPEM([]*x509.Certificate{ou.Certifier})[0]
	}
	return m
}

// ReadMSP returns the organization that m is. Its certificates are looked at, as far as they decide who a member is.
func ReadMSP(m *pb.FabricMSPConfig) (identity.Organization, error) {
	o := identity.Organization{MSPID: m.GetName()}
	for _, certs := range []struct {
		into *[]*x509.Certificate
		text [][]byte
	}{
		{&o.Roots, m.GetRootCerts()}, {&o.Intermediates, m.GetIntermediateCerts()}, {&o.Admins, m.GetAdmins()},
		{&o.TLSRoots, m.GetTlsRootCerts()}, {&o.TLSIntermediates, m.GetTlsIntermediateCerts()},
	} {
		for _, text := range certs.text {
			cert, err := parseCertificate(text)
			if err != nil {
				return o, errors.WithMessagef(err, "MSP %.64q", o.MSPID)
			}
			*certs.into = append(*certs.into, cert)
		}
	}
	for _, der := range m.GetRevocationList() {
		if block, _ := pem.Decode(der); block != nil {
			der = block.Bytes
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return o, errors.Wrapf(err, "MSP %.64q: parse revocation list", o.MSPID)
		}
		o.RevocationLists = append(o.RevocationLists, list)
	}
	if err := readUnits(m, &o); err != nil {
		return o, errors.WithMessagef(err, "MSP %.64q", o.MSPID)
	}
	_, err := identity.NewVerifier(o)
	return o, err
}

func readUnits(m *pb.FabricMSPConfig, o *identity.Organization) error {
	for _, u := range m.GetOrganizationalUnitIdentifiers() {
		ou, err := readUnit(u)
		if err != nil {
			return err
		}
		o.OUs = append(o.OUs, ou)
	}
	n := m.GetFabricNodeOus()
	if !n.GetEnable() {
		return nil
	}
	o.NodeOUs = &identity.NodeOUs{}
	for into, u := range map[*identity.OU]*pb.FabricOUIdentifier{
		&o.NodeOUs.Client: n.GetClientOuIdentifier(), &o.NodeOUs.Peer: n.GetPeerOuIdentifier(),
		&o.NodeOUs.Admin: n.GetAdminOuIdentifier(), &o.NodeOUs.Orderer: n.GetOrdererOuIdentifier(),
	} {
		var err error
		if *into, err = readUnit(u); err != nil {
			return err
		}
	}
	return nil
}

func readUnit(u *pb.FabricOUIdentifier) (ou identity.OU, err error) {
	ou.Name = u.GetOrganizationalUnitIdentifier()
	if len(u.GetCertificate()) > 0 {
		ou.Certifier, err = parseCertificate(u.GetCertificate())
	}
	return ou, errors.WithMessagef(err, "unit %.64q", ou.Name)
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("certificate is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return cert, errors.Wrap(err, "parse certificate")
}

// readMSPConfig reads the value MSP of a group. Of an MSP of another type it returns the ID alone, which they all have in the same
// field.
func readMSPConfig(value []byte) (identity.Organization, error) {
	var m pb.MSPConfig
	if err := proto.Unmarshal(value, &m); err != nil {
		return identity.Organization{}, errors.Wrap(err, "decode MSPConfig")
	}
	var f pb.FabricMSPConfig
	err := proto.Unmarshal(m.GetConfig(), &f)
	switch {
	case err != nil:
		return identity.Organization{}, errors.Wrap(err, "decode FabricMSPConfig")
	case f.GetName() == "":
		return identity.Organization{}, errors.New("its MSP has no ID")
	case m.GetType() != fabricMSP:
		return identity.Organization{MSPID: f.GetName()}, nil
	}
	return ReadMSP(&f)
}

func marshal(m proto.Message) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return b, errors.Wrapf(err, "marshal %s", m.ProtoReflect().Descriptor().Name())
}
